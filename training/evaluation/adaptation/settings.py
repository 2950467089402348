"""What `adapt-eval` was asked to do."""

from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

from ser_stream.adaptation.settings import AdaptConfig
from ser_stream.errors import ConfigError
from training.engine.result_store import Result, ResultStore

CORPORA = ("casia", "emodb", "savee")
PAIRS = tuple(f"{source}-{target}" for source, target in permutations(CORPORA, 2))
"""The six pairs of the paper's Table 2, `source-target`."""
DEVELOPMENT = tuple(f"{source}-ravdess" for source in CORPORA)
"""Pairs on which the settings of a round were chosen; no result is told of them."""
SEEDS = (98, 99)
PARTS = ("gains", "attacks", "cost")


@dataclass(frozen=True, slots=True)
class AdaptEvalConfig:
    """Checked; every worker process gets a copy."""

    corpora: Path
    pairs: tuple[str, ...] = PAIRS
    seeds: tuple[int, ...] = SEEDS
    only: tuple[str, ...] = PARTS
    results: Path = Path("results")
    """JSON goes into `adapt-eval` in it."""
    out: Path = Path("runs/adapt-eval")
    """Networks, bundles, packs and whatever else can be made again."""
    jobs: int = 2
    hours: float = 1.0
    """Of each attack, at least."""
    live_s: float = 240.0
    """Of each run at real-time pace."""
    scope: str = AdaptConfig().scope
    every_s: float = AdaptConfig().every_s
    """New speech between two rounds, seconds."""
    limit: int | None = None
    """At most so many clips of each speaker and emotion: a trial."""

    def __post_init__(self) -> None:
        for kind, given, allowed in (
            ("pair", self.pairs, PAIRS + DEVELOPMENT),
            ("part", self.only, PARTS),
        ):
            for name in given:
                if name not in allowed:
                    raise ConfigError(
                        f"there is no {kind} {name!r}; allowed: {', '.join(allowed)}"
                    )
        AdaptConfig(scope=self.scope, every_s=self.every_s)  # type: ignore[arg-type]
        if self.limit is not None and self.limit < 1:
            raise ConfigError(f"limit is {self.limit}; allowed: 1 or more")
        for key in ("hours", "live_s"):
            if not getattr(self, key) > 0:
                raise ConfigError(
                    f"{key} is {getattr(self, key):g}; it must be more than 0"
                )

    @property
    def folder(self) -> Path:
        return self.results / "adapt-eval"

    @property
    def store(self) -> ResultStore:
        return result_store(self.folder, self.out / "locks")

    @property
    def attack_s(self) -> float:
        return self.hours * 3600

    @property
    def protocol(self) -> dict[str, object]:
        """What every result names, so that no two kinds are mixed."""
        return {"scope": self.scope, "every_s": self.every_s, "limit": self.limit}


def result_store(folder: Path, locks: Path) -> ResultStore:
    """The results below a folder; `locks` is what processes hold meanwhile."""
    return ResultStore(folder, locks, "adapt-eval", key="protocol")


def read_all(folder: Path) -> list[Result]:
    """All finished results of a folder, in the order of their names."""
    return result_store(folder, folder).read_all(".")
