"""A checkpoint -> the network that it holds."""

from typing import Any

from ser_stream.nn.build import build
from ser_stream.nn.cpac import Cpac
from training.recipe.config import TrainConfig


def build_model(checkpoint: dict[str, Any]) -> tuple[Cpac, TrainConfig]:
    """The network in evaluation mode, and its configuration."""
    config = TrainConfig.from_dict(checkpoint["config"])
    model = build(config.network, config.model)
    # Beside the network, a checkpoint may hold what only training needs.
    own = model.state_dict().keys()
    weights = {k: v for k, v in checkpoint["weights"].items() if k in own}
    model.load_state_dict(weights)
    return model.eval(), config
