"""The settings of one training run, read from a TOML file."""

import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ser_stream.errors import ConfigError
from ser_stream.front_end import FrontEndConfig
from ser_stream.nn.cpac import CpacConfig
from ser_stream.normalise import NormaliseConfig

PAPER_CLASSES = ("angry", "fear", "happy", "neutral", "sad")
"""The five classes of the paper's cross-corpus experiments."""


@dataclass(frozen=True, slots=True)
class CorpusConfig:
    """How one corpus takes part in training."""

    name: str
    only: tuple[str, ...] = ()
    """Mask the loss to these classes, so that the corpus itself tells nothing about
    the others; empty means all classes."""
    weight: float = 1.0
    """Share of its clips drawn in an epoch."""


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """What is done to a clip before it is seen."""

    speed: tuple[float, float] = (0.85, 1.18)
    """Log-uniform factor of pitch and tempo together: other throats, other haste."""
    gain_db: tuple[float, float] = (-40.0, 3.0)
    """Uniform, on the waveform, with clipping at full scale."""
    noise_probability: float = 0.5
    snr_db: tuple[float, float] = (5.0, 40.0)
    time_masks: int = 2
    """Up to so many stretches of frames are set to the mean."""
    time_mask_frames: int = 16
    mixup: float = 0.2
    """Parameter of the beta distribution; 0 turns mixup off."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that decides a training run; stored in its checkpoint."""

    name: str
    corpora: tuple[CorpusConfig, ...]
    labels: tuple[str, ...] = PAPER_CLASSES
    model: CpacConfig = field(default_factory=CpacConfig)
    normalise: NormaliseConfig = field(default_factory=NormaliseConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    seed: int = 98
    epochs: int = 60
    batch_size: int = 32
    learning_rate: float = 2e-3
    """Peak of the one-cycle schedule."""
    weight_decay: float = 0.01
    label_smoothing: float = 0.1
    average: float = 0.995
    """Decay of the running average of the weights, each step; 0 turns it off."""
    max_columns: int = 25
    noise: str = "noise"
    """Folder of noise recordings beside the corpora; empty for synthetic noise only."""
    folds: int = 5
    """Groups of held-out speakers in `crossval`."""

    @property
    def front_end(self) -> FrontEndConfig:
        """The front end the network is trained on."""
        return FrontEndConfig(normalise=self.normalise)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as a checkpoint holds them."""
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "TrainConfig":
        """Check and convert plain values.

        Raises:
            ConfigError: for an unknown key, with the allowed ones.
        """
        values = dict(values)
        sections = {
            "model": CpacConfig,
            "normalise": NormaliseConfig,
            "augment": AugmentConfig,
        }
        for key, section in sections.items():
            if key in values:
                values[key] = _build(section, values[key], key)
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


def _build(kind: Any, values: Any, where: str) -> Any:
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
    return kind(
        **{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    )


def _check_type(key: str, value: object, default: object) -> None:
    # The defaults say what each setting is; whole numbers are numbers too.
    if isinstance(default, float):
        right = isinstance(value, (int, float)) and not isinstance(value, bool)
    elif isinstance(default, int):
        right = isinstance(value, int) and not isinstance(value, bool)
    elif isinstance(default, str):
        right = isinstance(value, str)
    elif isinstance(default, tuple):
        right = isinstance(value, (list, tuple))
    else:
        right = True
    if not right:
        kinds = {float: "a number", int: "a whole number", str: "a string"}
        raise ConfigError(
            f"{key} is {value!r}; it must be {kinds.get(type(default), 'a list')}"
        )
