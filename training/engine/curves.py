"""Per-epoch figures: a CSV to read, a PNG to look at."""

import csv
from pathlib import Path
from typing import Any


def append_row(path: Path, row: dict[str, Any]) -> None:
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def keep_rows(path: Path, n_epochs: int) -> None:
    """Drop rows after epoch `n_epochs`, which a resumed run computes again."""
    if not path.exists():
        return
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if int(row["epoch"]) <= n_epochs]
    path.unlink()
    for row in rows:
        append_row(path, row)


def plot_curves(path: Path, image: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    epochs = [int(row["epoch"]) for row in rows]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5))
    left.plot(epochs, [float(row["loss"]) for row in rows], color="tab:blue")
    left.set(xlabel="epoch", ylabel="training loss")
    right.plot(epochs, [float(row["train_war"]) for row in rows], color="tab:orange")
    right.set(xlabel="epoch", ylabel="training WAR, percent", ylim=(0, 100))
    figure.tight_layout()
    figure.savefig(image, dpi=100)
    plt.close(figure)
