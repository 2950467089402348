"""ser-stream: live speech emotion recognition, as a daemon and as a library.

    model = ser_stream.load("open")
    model.recognize("talk.wav").label
    stream = model.stream()  # stream.feed(samples, rate) -> events

`ser_stream.client` subscribes to a running daemon.
"""

from os import PathLike, fspath

# As typing has it; but that takes a moment to load, in which Ctrl-C would be an error.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from ser_stream.model import Model

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(model: str | PathLike[str] = "open") -> "Model":
    """Load a model.

    Args:
        model: a name that `ser-stream model list` shows, or the path of a bundle.

    Raises:
        ModelError: if there is no such bundle, or it is damaged or of another version.
    """
    # Here, not above: the version alone needs no ONNX Runtime.
    from ser_stream.model import Model
    from ser_stream.pipeline.bundle import load_bundle

    return Model(load_bundle(fspath(model)))
