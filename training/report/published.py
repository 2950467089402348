"""The numbers that others published, percent, as `paper_tables.csv` has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ser_stream.errors import SourceError

RERUN = "TIM-Net re-run"
"""CPAC by the paper's authors, no epoch chosen on the test fold (TIM-Net_SER)."""
EMOBOX = "EmoBox 4 (frozen features, EmoBox folds)"
"""Table 4 of Ma et al., Interspeech 2024."""
_COLUMNS = ["table", "method", "source", "target", "metric", "value"]


@dataclass(frozen=True, slots=True)
class Published:
    """Values by (table, method, place, metric); a place is `emodb` or `casia-emodb`."""

    values: dict[tuple[str, str, str, str], float]

    @classmethod
    def read(cls, path: Path) -> "Published":
        """Of a CSV with the columns table, method, source, target, metric, value.

        Raises:
            SourceError: there is no such file, or it is another one.
        """
        try:
            rows = pd.read_csv(path, dtype=str, keep_default_na=False)
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}") from error
        except ValueError as error:  # pandas's own too
            raise SourceError(f"{path}: {error}") from error
        if list(rows.columns) != _COLUMNS:
            raise SourceError(
                f"{path}: needs the columns {', '.join(_COLUMNS)}, "
                f"has {', '.join(rows.columns)}"
            )
        numbers = pd.to_numeric(rows["value"], errors="coerce")
        if wrong := rows.index[numbers.isna()].to_list():
            raise SourceError(
                f"{path}: row {wrong[0] + 2} is no row of published numbers; take the "
                "file anew from training/protocols/"
            )
        source, target = rows["source"].str.lower(), rows["target"].str.lower()
        place = source.where(source == target, source + "-" + target)
        keys = zip(rows["table"], rows["method"], place, rows["metric"], strict=True)
        return cls(dict(zip(keys, numbers.to_list(), strict=True)))

    def value(self, table: str, method: str, place: str, metric: str) -> float | None:
        return self.values.get((table, method, place, metric))

    def mean(
        self, table: str, method: str, places: Sequence[str], metric: str
    ) -> float | None:
        """Over those places of which a number was published."""
        values = [self.value(table, method, place, metric) for place in places]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else None

    def methods(self, table: str) -> list[str]:
        return list(dict.fromkeys(key[1] for key in self.values if key[0] == table))

    def places(self, table: str) -> list[str]:
        return list(dict.fromkeys(key[2] for key in self.values if key[0] == table))
