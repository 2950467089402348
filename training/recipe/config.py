"""The settings of one training run, read from a TOML file."""

import math
import tomllib
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ser_stream.errors import ConfigError
from ser_stream.nn.build import CPAC, NETWORKS
from ser_stream.nn.cpac import CpacConfig
from ser_stream.pipeline.floor import FloorConfig
from ser_stream.pipeline.front_end import FrontEndConfig
from ser_stream.pipeline.normalise import NormaliseConfig
from ser_stream.pipeline.pitch import PitchConfig
from training.corpora.labels import LABELS, common_label
from training.protocols.names import PAPER_CLASSES
from training.recipe.teacher.config import TeacherConfig
from training.recipe.waveform_augment import VARIANTS

SPEAKERS, CORPORA = "speakers", "corpora"
NOISE = "noise"
"""Folder of noise recordings, unless another is named."""


@dataclass(frozen=True, slots=True)
class CorpusConfig:
    """How one corpus takes part in training."""

    name: str
    only: tuple[str, ...] = ()
    """Train on clips of these classes alone, the loss masked to them, so that the
    corpus itself tells nothing about the others; empty means all classes."""
    weight: float = 1.0
    """Share of its clips drawn in an epoch."""
    unlabelled: bool = False
    """Its labels are not looked at, if it has any: what the teacher says of its clips
    is all that is learned from them."""

    def classes(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Those of `labels` that it teaches; none without its own."""
        return () if self.unlabelled else self.only or labels


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """What is done to a clip before it is seen."""

    variants: tuple[float, ...] = (0.5, 0.15, 0.15, 0.1, 0.1)
    """How often a clip is used as it is, slower, faster, reverberant, coded."""
    level_dbfs: tuple[float, float] = (-82.0, -17.0)
    """Of the speech, uniform."""
    warp: float = 0.08
    """The frequency axis is stretched by at most so much, either way; 0: not."""
    colour_db: float = 2.0
    """Size of a random smooth curve that is added to the spectrum."""
    band_limit: float = 0.0
    """How often bands above 3 to 7.6 kHz, and sometimes low ones, are cut off."""
    pitch_octaves: float = 0.28
    """The pitch is moved by at most so much, either way."""
    noise_probability: float = 0.35
    snr_db: tuple[float, float] = (5.0, 40.0)
    time_masks: int = 1
    """Up to so many stretches of frames are set to the mean."""
    time_mask_frames: int = 16
    mixup: float = 0.0
    """Parameter of the beta distribution; 0 turns mixup off."""

    def check(self) -> None:
        """Refuse what would fail, or train nonsense.

        Raises:
            ConfigError: naming the setting.
        """
        for name in ("level_dbfs", "snr_db"):
            pair = getattr(self, name)
            numbers = all(isinstance(x, (int, float)) for x in pair)
            if len(pair) != 2 or not numbers or pair[0] > pair[1]:
                raise ConfigError(
                    f"augment.{name} is {list(pair)}; it must be [lowest, highest]"
                )
        for name in ("warp", "colour_db", "pitch_octaves", "time_masks", "mixup"):
            if getattr(self, name) < 0:
                raise ConfigError(
                    f"augment.{name} is {getattr(self, name)}; allowed: 0 or more"
                )
        if not 0 <= self.band_limit <= 1:
            raise ConfigError(
                f"augment.band_limit is {self.band_limit}; allowed: 0 to 1"
            )
        if self.time_mask_frames < 1 or not 0 <= self.noise_probability <= 1:
            raise ConfigError(
                f"augment.time_mask_frames is {self.time_mask_frames}, "
                f"noise_probability {self.noise_probability}; allowed: 1 or more, and "
                "0 to 1"
            )


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that decides a training run; stored in its checkpoint."""

    name: str
    corpora: tuple[CorpusConfig, ...]
    labels: tuple[str, ...] = PAPER_CLASSES
    network: str = CPAC
    """Its kind; see `ser_stream.nn.build`."""
    model: CpacConfig = field(
        default_factory=lambda: CpacConfig.listening(len(PAPER_CLASSES))
    )
    normalise: NormaliseConfig = field(default_factory=NormaliseConfig)
    floor: FloorConfig | None = None
    """The noise floor of the front end; None: none."""
    pitch: bool = True
    """Whether frames carry the pitchogram; `model.n_channels` is then 2."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    teacher: TeacherConfig | None = None
    """What is learned from frozen encoders beside the labels; None: nothing."""
    seed: int = 98
    epochs: int = 60
    batch_size: int = 16
    learning_rate: float = 1e-3
    """Peak of the one-cycle schedule."""
    weight_decay: float = 0.01
    label_smoothing: float = 0.1
    average: float = 0.99
    """Decay of the running average of the weights, each step; 0 turns it off."""
    max_columns: int = 25
    noise: str = NOISE
    """Folder of noise recordings beside the corpora; empty for synthetic noise only."""
    folds: int = 5
    """Groups of held-out speakers in `crossval`."""
    held_out: str = SPEAKERS
    """What a fold of `crossval` leaves out: a group of speakers of every corpus, or a
    corpus whole; there are then as many folds as corpora that speak of all labels."""

    @property
    def front_end(self) -> FrontEndConfig:
        return FrontEndConfig(
            self.model.mfcc,
            normalise=self.normalise,
            pitch=PitchConfig() if self.pitch else None,
            floor=self.floor,
        )

    def to_dict(self) -> dict[str, Any]:
        values = asdict(self)
        if self.network == CPAC:  # As it was said when there was no other.
            del values["network"]
        for part in ("floor", "teacher"):
            if values[part] is None:
                del values[part]
        if self.held_out == SPEAKERS:
            del values["held_out"]
        values["model"] = self.model.to_dict()
        for corpus in values["corpora"]:
            if not corpus["unlabelled"]:
                del corpus["unlabelled"]
        if not self.augment.band_limit:
            del values["augment"]["band_limit"]
        return values

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "TrainConfig":
        """Check and convert plain values.

        Raises:
            ConfigError: for an unknown key, with the allowed ones.
        """
        values = dict(values)
        kind = values.get("network", CPAC)
        if kind not in NETWORKS:
            raise ConfigError(
                f"network is {kind!r}; allowed: {', '.join(sorted(NETWORKS))}"
            )
        config_of = NETWORKS[kind][1]
        model = config_of.listening(len(values.get("labels", PAPER_CLASSES)))
        model = replace(model, n_channels=1 + bool(values.get("pitch", True)))
        sections: dict[str, Any] = {
            "model": model,
            "normalise": NormaliseConfig(),
            "augment": AugmentConfig(),
        }
        optional = {"floor": FloorConfig, "teacher": TeacherConfig}
        sections.update({k: kind() for k, kind in optional.items() if k in values})
        for key, default in sections.items():
            values[key] = _build(type(default), values.get(key, {}), key, default)
        if not values.get("corpora"):
            raise ConfigError("a training configuration needs [[corpora]]")
        values["corpora"] = tuple(
            _build(CorpusConfig, corpus, "corpora") for corpus in values["corpora"]
        )
        config: TrainConfig = _build(TrainConfig, values, "")
        for key in ("epochs", "batch_size", "folds", "max_columns"):
            if getattr(config, key) < 1:
                raise ConfigError(
                    f"{key} is {getattr(config, key)}; allowed: 1 or more"
                )
        if config.seed < 0 or not 0 < config.learning_rate < math.inf:
            raise ConfigError(
                f"seed is {config.seed}, learning_rate {config.learning_rate:g}; "
                "allowed: 0 or more, and more than 0"
            )
        if config.held_out not in (SPEAKERS, CORPORA):
            raise ConfigError(
                f"held_out is {config.held_out!r}; allowed: {SPEAKERS}, {CORPORA}"
            )
        config.augment.check()
        _check_labels(config.labels)
        names = [corpus.name for corpus in config.corpora]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigError(
                f"corpora names {', '.join(twice)} twice; allowed: one [[corpora]] for "
                "each, with all its classes in `only`"
            )
        for corpus in config.corpora:
            foreign = set(corpus.only) - set(config.labels)
            if corpus.unlabelled and (corpus.only or config.teacher is None):
                raise ConfigError(
                    f"corpus {corpus.name}: unlabelled = true; it needs a [teacher], "
                    "and goes without `only`"
                )
            if foreign or corpus.weight <= 0:
                raise ConfigError(
                    f"corpus {corpus.name}: only is {list(corpus.only)}, weight "
                    f"{corpus.weight:g}; allowed: labels, and a weight above 0"
                )
        shares = config.augment.variants
        if (
            len(shares) != len(VARIANTS)
            or abs(sum(shares) - 1.0) > 1e-6
            or min(shares) < 0
        ):
            raise ConfigError(
                f"augment.variants is {list(shares)}; it must be shares with sum 1, of "
                f"{', '.join(VARIANTS)}"
            )
        if config.augment.mixup and (config.teacher or config.model.speaker_mean):
            raise ConfigError(
                f"augment.mixup is {config.augment.mixup:g}; allowed with [teacher] or "
                "model.speaker_mean: 0"
            )
        if config.model.n_channels != 1 + config.pitch:
            raise ConfigError(
                f"model.n_channels is {config.model.n_channels}; it must be 2 with "
                "pitch = true, else 1"
            )
        if config.model.mfcc.dct == "none" and config.normalise.kind != "fixed":
            raise ConfigError(
                f"normalise.kind is {config.normalise.kind!r}; of network {kind}, "
                "which hears mel bands, it must be 'fixed'"
            )
        if config.model.mfcc.dct == "none" and config.pitch:
            raise ConfigError(f"pitch is true; of network {kind} it must be false")
        if config.model.n_classes != len(config.labels):
            raise ConfigError(
                f"model.n_classes is {config.model.n_classes}, but there are "
                f"{len(config.labels)} labels"
            )
        return config

    @staticmethod
    def read(path: Path) -> "TrainConfig":
        """Read a TOML file; its stem is the default name.

        Raises:
            ConfigError: if it cannot be read or a key is unknown.
        """
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: {error}") from None
        return TrainConfig.from_dict({"name": path.stem, **values})


def _build(kind: Any, values: Any, where: str, default: Any = None) -> Any:
    if not isinstance(values, dict):
        raise ConfigError(f"{where} is {values!r}; it must be a table")
    allowed = {f.name: f.default for f in fields(kind)}
    for key in values:
        if key not in allowed:
            place = f" in [{where}]" if where else ""
            raise ConfigError(
                f"unknown key {key!r}{place}; allowed: {', '.join(allowed)}"
            )
        _check_type(f"{where}.{key}" if where else key, values[key], allowed[key])
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return kind(**given) if default is None else replace(default, **given)


def _check_labels(labels: tuple[str, ...]) -> None:
    # Corpora are read with the common names alone: of another no clip would be found.
    foreign = [label for label in labels if label not in LABELS]
    if foreign or not labels or len(set(labels)) < len(labels):
        meant = [common_label(str(label)) for label in foreign]
        called = "".join(
            f"; {label!r} is called {name!r}"
            for label, name in zip(foreign, meant, strict=True)
            if name
        )
        raise ConfigError(
            f"labels is {list(labels)}{called}; allowed, each once: {', '.join(LABELS)}"
        )


def _check_type(key: str, value: object, default: object) -> None:
    # The defaults say what each setting is; whole numbers are numbers too.
    kind = type(default)
    allowed, name = _TYPES.get(kind, (object, ""))
    if not isinstance(value, allowed) or (
        isinstance(value, bool) and kind in (int, float)
    ):
        raise ConfigError(f"{key} is {value!r}; it must be {name}")


_TYPES: dict[type, tuple[Any, str]] = {
    bool: (bool, "true or false"),
    float: ((int, float), "a number"),
    int: (int, "a whole number"),
    str: (str, "a string"),
    tuple: ((list, tuple), "a list"),
}
