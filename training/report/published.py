"""The numbers that others published, percent, as `paper_tables.csv` has them."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
        values: dict[tuple[str, str, str, str], float] = {}
        try:
            with path.open(newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file)
                if reader.fieldnames != _COLUMNS:
                    raise SourceError(
                        f"{path}: needs the columns {', '.join(_COLUMNS)}, "
                        f"has {', '.join(reader.fieldnames or ['none'])}"
                    )
                for row in reader:
                    source, target = row["source"].lower(), row["target"].lower()
                    place = source if source == target else f"{source}-{target}"
                    key = (row["table"], row["method"], place, row["metric"])
                    values[key] = float(row["value"])
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}") from error
        except (AttributeError, TypeError, ValueError) as error:
            raise SourceError(
                f"{path}: row {len(values) + 2} is no row of published numbers "
                f"({error}); take the file anew from training/protocols/"
            ) from error
        return cls(values)

    def value(self, table: str, method: str, place: str, metric: str) -> float | None:
        """One number, or None where none was published."""
        return self.values.get((table, method, place, metric))

    def mean(
        self, table: str, method: str, places: Sequence[str], metric: str
    ) -> float | None:
        """Over those places of which a number was published."""
        values = [self.value(table, method, place, metric) for place in places]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else None

    def methods(self, table: str) -> list[str]:
        """Of a table, in its order."""
        return list(dict.fromkeys(key[1] for key in self.values if key[0] == table))

    def places(self, table: str) -> list[str]:
        """Corpora or pairs of a table, in its order."""
        return list(dict.fromkeys(key[2] for key in self.values if key[0] == table))
