"""A checkpoint -> the network that it holds."""

from typing import Any

from ser_stream.nn.build import build
from ser_stream.nn.cpac import Cpac
from training.recipe.config import TrainConfig

IN_TRAINING = ("teacher.", "memory.")
"""Beginnings of the names of weights that no trained network has."""


def build_model(checkpoint: dict[str, Any]) -> tuple[Cpac, TrainConfig]:
    """The network in evaluation mode, and its configuration."""
    config = TrainConfig.from_dict(checkpoint["config"])
    model = build(config.network, config.model)
    model.load_state_dict(network_weights(checkpoint["weights"]))
    return model.eval(), config


def network_weights(weights: dict[str, Any]) -> dict[str, Any]:
    """Those of the network, without what only training needs."""
    return {k: v for k, v in weights.items() if not k.startswith(IN_TRAINING)}


def slimmed(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """What export and fine-tuning need of it: no optimiser's state, no teacher."""
    keys = ("epoch", "config", "revision", "speakers", "noises", "recentred")
    kept = {key: checkpoint[key] for key in keys if key in checkpoint}
    return {**kept, "weights": network_weights(checkpoint["weights"])}
