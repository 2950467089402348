"""Libraries of an extra, which are imported where they are needed."""

from collections.abc import Iterator
from contextlib import contextmanager

from ser_stream.errors import MissingLibraryError


@contextmanager
def of_extra(extra: str, purpose: str) -> Iterator[None]:
    """Around imports: says which extra brings what is absent.

    Args:
        extra: its name in `pyproject.toml`.
        purpose: what needs it, as the beginning of a sentence.

    Raises:
        MissingLibraryError: if an import fails.
    """
    try:
        yield
    except ImportError as error:
        raise MissingLibraryError(
            f'{purpose} needs a library that is not installed ({error}); pip install "'
            f'ser-stream[{extra}]"'
        ) from error
