"""An experiment: its name, what decides its result, and how that is computed."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from ser_stream.errors import ConfigError
from training.engine.result_store import Result, ResultStore, locked

CLIPS = "clips_hash"
"""Of the part of a result that says what clips made it; older ones lack it."""


class Space(Protocol):
    """What experiments of one kind share; sent to every worker process."""

    @property
    def store(self) -> ResultStore:
        """Where their results go."""


S = TypeVar("S", bound=Space)


@dataclass(frozen=True, slots=True)
class Progress:
    """What a running experiment tells of itself."""

    share: Callable[[float], None] = lambda share: None
    """Called with the share that is done, 0 to 1."""
    say: Callable[[str], None] = lambda text: None


SILENT = Progress()


class Experiment(ABC, Generic[S]):
    """One result. Subclasses are frozen dataclasses of plain values."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Of its file below the folder of results, without `.json`."""

    @abstractmethod
    def config(self, space: S) -> Result:
        """What decides the result; a file of another one is never mixed in."""

    @abstractmethod
    def compute(self, space: S, progress: Progress) -> Result:
        """The rest of the file."""

    def clips(self, space: S) -> str:
        """A hash of the clips that make the result; empty where none is kept."""
        return ""

    @property
    def beside(self) -> tuple[str, ...]:
        """Suffixes of the files that `compute` writes beside the result."""
        return ()

    def today(self, stored: Result) -> Result:
        """The configuration in a file, as this version would have written it."""
        return stored

    def lock(self, space: S) -> Path:
        """The folder that a process holds while it computes this."""
        return space.store.lock_folder(self.name)

    def clean(self, space: S) -> None:
        """Remove what is of no use once the result is written."""

    def is_done(self, space: S) -> bool:
        """Whether the result is there.

        Raises:
            ConfigError: if it is that of another configuration, or of other clips.
            SourceError: if the file is no result.
        """
        path = space.store.path(self.name)
        if not path.exists():
            return False
        content = space.store.check(path, self.config(space), self.today)
        if CLIPS in content and content[CLIPS] != self.clips(space):
            raise ConfigError(
                f"{path} was made of other clips or labels than the corpora have now; "
                f"delete it, or give another {space.store.option}"
            )
        return all(path.with_suffix(suffix).exists() for suffix in self.beside)

    def run(self, space: S, progress: Progress = SILENT, *, wait: bool = False) -> bool:
        """Compute the result and write it, unless it is there.

        Args:
            space: where everything lies.
            progress: told how far it is.
            wait: for another process that is at it; otherwise it is passed over.

        Returns:
            False if it is done already, or another process is at it.
        """
        with locked(self.lock(space), wait=wait) as mine:
            if not mine or self.is_done(space):
                return False
            clips = self.clips(space)
            told = {CLIPS: clips} if clips else {}
            result = self.compute(space, progress)
            space.store.write(self.name, self.config(space), {**told, **result})
            self.clean(space)
        return True
