"""Libraries of the extra `baselines`, imported where they are used."""

from importlib import import_module
from typing import Any

from ser_stream.errors import MissingLibraryError

PACKAGES = {
    "opensmile": "opensmile",
    "reservoirpy": "reservoirpy",
    "sklearn": "scikit-learn",
}
"""The package of each library the baselines need, by the name of its import."""


def library(module: str) -> Any:
    """The module of that name, such as `sklearn.svm`.

    Raises:
        MissingLibraryError: if its package is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = PACKAGES[module.partition(".")[0]]
        raise MissingLibraryError(
            f"the baselines need the package {package}: {error}; "
            "pip install 'ser-stream[baselines]'"
        ) from None
