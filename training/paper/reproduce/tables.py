"""The paper's tables: protocol x system x corpus or pair x fold x seed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ser_stream.errors import ConfigError
from training.paper.reproduce.constants import (
    AS_PUBLISHED,
    BASELINES,
    CUT_ENDS,
    N_EMOBOX_FOLDS,
    N_PAPER_FOLDS,
    PROTOCOLS,
    PUBLISHED_FEATURES,
    READINGS,
    RIVALS,
    SOURCE_LEVELS,
    SPEAKERS,
    SUPERVISED,
    THROUGHOUT,
    TRAINED_AS_PUBLISHED,
    VARIANTS,
)
from training.paper.reproduce.experiment import CLASSICAL, PaperExperiment
from training.protocols.cross import PAIRS
from training.protocols.names import CORPORA

NOT_ADAPTED = ("algorithm-4", "algorithm-4-both-statistics")
BLIND = ("algorithm-4" + SOURCE_LEVELS, "caam" + SOURCE_LEVELS)
BY_TEXT = ("algorithm-1", "algorithm-2", "algorithm-3")
ABLATIONS = tuple(system + PUBLISHED_FEATURES for system in BY_TEXT)
CPAC, CPAC_BY_TEXT, AS_WRITTEN, STREAMING = READINGS
PUBLISHED_CROSS = ("algorithm-4" + AS_PUBLISHED, "caam" + AS_PUBLISHED)
ALL_HEARD = ("dann", "cdan", NOT_ADAPTED[1], *BLIND, *PUBLISHED_CROSS)
"""Transductive alone, unless more is asked for."""
SMALL = ("emodb", "savee")
"""The corpora on which ten folds are a matter of an hour."""
FIRST_PAIRS = ("casia-emodb", "emodb-casia")
NEEDED_AT = {
    # EMODB chooses the reading, CASIA shows that the features matter.
    AS_WRITTEN: ("emodb",),
    STREAMING: ("emodb",),
    CPAC_BY_TEXT: ("emodb", "casia"),
    **dict.fromkeys(BY_TEXT, ("emodb",)),
    **dict.fromkeys(PUBLISHED_CROSS, FIRST_PAIRS),
    # On EMODB the length of a clip tells nothing.
    CUT_ENDS: ("casia",),
}
"""Corpora of `paper-10fold`, or pairs, where a system is needed; others: everywhere, or
where `TABLES` has them."""
SEED = 98
"""Of which each cell is to be there."""
SIX_PAIRS = tuple(pair for pair in PAIRS if "ravdess" not in pair)
"""Those of Table 2."""


@dataclass(frozen=True, slots=True)
class Row:
    """The experiments of one system at one place."""

    protocol: str
    system: str
    place: str

    def needed(self, seed: int) -> list[PaperExperiment]:
        """Those that the page of results counts as missing until they are there.

        An epoch is chosen by an inner split for CPAC alone, on the two small corpora.
        Speakers that a method was not adapted to are scored for CAAM and Algorithm 4.
        """
        if not self._belongs:
            return []
        found = self.experiments(seed)
        if self.system in ALL_HEARD:
            return [one for one in found if not one.fold.startswith("inductive")]
        if self.protocol != "paper-10fold":
            return found
        folds = {f"fold-{k}" for k in range(1, self._n_needed + 1)}
        inner = self.place in SMALL and self.system in (CPAC, CPAC_BY_TEXT, STREAMING)
        return [one for one in found if one.fold in folds and inner >= one.inner]

    @property
    def _belongs(self) -> bool:
        """Whether the system is needed at this place at all."""
        own = self.protocol in ("paper-10fold", "cross")
        return not own or self.place in NEEDED_AT.get(self.system, (self.place,))

    @property
    def _n_needed(self) -> int:
        """Folds of `paper-10fold`."""
        if self.system == AS_WRITTEN:
            return 3
        if self.system == CUT_ENDS:
            return 5
        if self.system in VARIANTS:
            return 2 if self.place == "emodb" else 1
        if self.system in ABLATIONS and self.place not in SMALL:
            return 5
        return N_PAPER_FOLDS

    def experiments(self, seed: int) -> list[PaperExperiment]:
        """All folds; those whose epoch an inner split chooses come last."""
        p, s, at = self.protocol, self.system, self.place
        if p == "cross":
            if s in SUPERVISED:
                return [PaperExperiment(p, s, at, "supervised", seed)]
            names = ("transductive", "inductive-1", "inductive-2")
            return [PaperExperiment(p, s, at, fold, seed) for fold in names]
        if p == "loso":
            return [
                PaperExperiment(p, s, at, f"speaker-{name}", seed)
                for name in SPEAKERS[at]
            ]
        n = N_PAPER_FOLDS if p == "paper-10fold" else N_EMOBOX_FOLDS[at]
        folds = [PaperExperiment(p, s, at, f"fold-{k}", seed) for k in range(1, n + 1)]
        if p == "paper-10fold" and s not in CLASSICAL:
            folds += [replace(one, inner=True) for one in folds]
        return folds


def _single(protocol: str, systems: Sequence[str], places: Sequence[str]) -> list[Row]:
    return [Row(protocol, s, at) for at in places for s in systems]


def _cross(systems: Sequence[str], pairs: Sequence[str]) -> list[Row]:
    return [Row("cross", s, pair) for pair in pairs for s in systems]


OTHER_PAIRS = tuple(pair for pair in SIX_PAIRS if pair not in FIRST_PAIRS)
RAVDESS_PAIRS = tuple(pair for pair in PAIRS if pair not in SIX_PAIRS)
BY_SIZE = ("emodb", "savee", "casia", "ravdess")

TABLES: dict[str, list[Row]] = {
    "1": _single("paper-10fold", (*READINGS, *RIVALS), BY_SIZE),
    "2": _cross(("caam", "nmftsl", "dann", "cdan"), FIRST_PAIRS + OTHER_PAIRS)
    + _cross(PUBLISHED_CROSS[1:], FIRST_PAIRS),
    "3": _single("paper-10fold", (CPAC, *ABLATIONS), BY_SIZE)
    + _single("paper-10fold", (CPAC_BY_TEXT, *BY_TEXT), BY_SIZE),
    "4": _cross((*NOT_ADAPTED, *BLIND, "caam"), FIRST_PAIRS + OTHER_PAIRS)
    + _cross(PUBLISHED_CROSS, FIRST_PAIRS),
    "S3": _cross(("caam", "dann", "cdan"), RAVDESS_PAIRS),
    "S4": _cross((*NOT_ADAPTED, *BLIND, "caam"), RAVDESS_PAIRS),
    "S5": _cross(SUPERVISED, FIRST_PAIRS + OTHER_PAIRS),
    "emobox": _single("emobox", ("cpac-streaming", *BASELINES), BY_SIZE),
    "loso": _single("loso", ("cpac-streaming", *BASELINES), BY_SIZE),
    "yardstick": _cross(("compare-svm",), PAIRS),
    "why": _single("paper-10fold", VARIANTS, ("emodb",))
    + _single("paper-10fold", (TRAINED_AS_PUBLISHED,), ("savee", "casia"))
    + _single("paper-10fold", (THROUGHOUT,), ("savee", "casia"))
    + _single("paper-10fold", (CUT_ENDS,), ("casia",)),
}
"""The paper's tables by their numbers, outside comparisons, and why we are below."""

MOST_TELLING: list[Row] = [
    *_cross(("caam", "algorithm-4"), FIRST_PAIRS),
    *_single("paper-10fold", (CPAC,), ("emodb",)),
    *_single("emobox", BASELINES, BY_SIZE),
    *_single("emobox", ("cpac-streaming",), BY_SIZE),
    *_cross(("compare-svm", "nmftsl"), FIRST_PAIRS),
    *_cross(SUPERVISED, FIRST_PAIRS),
    *_cross(("caam", "algorithm-4", "nmftsl", "compare-svm"), OTHER_PAIRS),
    *_cross(("dann", "cdan"), FIRST_PAIRS + OTHER_PAIRS),
    *_single("paper-10fold", ABLATIONS, ("emodb",)),
    *_single("paper-10fold", (CPAC,), ("savee", "casia")),
    *_single("paper-10fold", READINGS[1:], ("emodb",)),
]
"""What `all` computes before the rest, in this order."""


def choose(
    table: str,
    protocol: str | None,
    seeds: Sequence[int],
    *,
    systems: Sequence[str] = (),
    places: Sequence[str] = (),
    folds: Sequence[str] = (),
    needed: bool = False,
) -> list[PaperExperiment]:
    """The experiments of a table, or of all: needed before others, most telling first.

    Args:
        table: a key of `TABLES`, or `all`.
        protocol: only this one.
        seeds: each row is computed with each of them.
        systems: only these, if any are named.
        places: only these corpora or pairs, if any are named.
        folds: only these, if any are named.
        needed: only what `Row.needed` says.

    Raises:
        ConfigError: for a name that does not exist, or if nothing is left.
    """
    of_tables = [row for rows in TABLES.values() for row in rows]
    rows = list(dict.fromkeys([*MOST_TELLING, *of_tables]))
    _known("table", [table], [*TABLES, "all"])
    _known("protocol", [protocol] if protocol else [], PROTOCOLS)
    _known("system", systems, sorted({row.system for row in rows}))
    _known("corpus or pair", places, [*CORPORA, *PAIRS])
    wanted = [
        row
        for row in rows
        if (table == "all" or row in TABLES[table])
        and protocol in (None, row.protocol)
        and (not systems or row.system in systems)
        and (not places or row.place in places)
    ]
    found = [one for seed in seeds for row in wanted for one in row.needed(seed)]
    # A second training of a fold, for one number more, after all that have none.
    found.sort(key=lambda one: one.inner)
    if not needed:
        rest = [
            one for seed in seeds for row in wanted for one in row.experiments(seed)
        ]
        found = list(dict.fromkeys([*found, *rest]))
    if not found:
        raise ConfigError(
            f"table {table} has no experiment of these; `--dry-run` without "
            "them lists all"
        )
    if folds:
        _known("fold", folds, sorted({one.fold for one in found}))
        found = [one for one in found if one.fold in folds]
    return found


def _known(what: str, names: Sequence[str], allowed: Sequence[str]) -> None:
    for name in names:
        if name not in allowed:
            raise ConfigError(
                f"there is no {what} {name!r}; allowed: {', '.join(allowed)}"
            )
