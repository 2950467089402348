"""The networks by their names: what a training configuration and a pack call them.

A new one is a module beside `ser_stream.nn.cpac` and a row here. It has what CPAC has:
`config` (with `geometry`, `mfcc`, `step_s`, `listening`, `n_classes`, `n_features`,
`to_dict`, `from_dict`), an `encoder` with `mean`, `deviation`, `n_inputs`, `step` and
`kept_shapes`, and a `head` from its columns to logits. To be adapted online, it needs
`head.features`, `head.centred` and `head.classifier` too, and
`adaptation.child.candidate` must know what its exporter folds: today CPAC's blocks and
eight-bit weights.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ser_stream.errors import ConfigError
from ser_stream.nn.cpac import Cpac, CpacConfig
from ser_stream.nn.whisper import Whisper, WhisperConfig

CPAC = "cpac"
"""The network of what does not name another."""
WHISPER = "whisper"
NETWORKS: dict[str, tuple[Callable[[Any], Cpac], type[CpacConfig]]] = {
    CPAC: (Cpac, CpacConfig),
    WHISPER: (Whisper, WhisperConfig),
}


def build(kind: str, config: CpacConfig | Mapping[str, Any]) -> Cpac:
    """Make a network, its weights by chance; `config` may be plain values.

    Raises:
        ConfigError: if there is no such network.
    """
    if kind not in NETWORKS:
        raise ConfigError(f"network is {kind!r}; allowed: {', '.join(NETWORKS)}")
    network, config_of = NETWORKS[kind]
    return network(
        config_of.from_dict(dict(config)) if isinstance(config, Mapping) else config
    )
