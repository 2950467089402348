"""A corpus as its publisher packs it: the path of a file says what it holds."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from training.corpora.utterance import Utterance


@dataclass(frozen=True, slots=True)
class Layout:
    """How one publisher names folders and files."""

    example: str
    """A path, to recognise the layout by."""
    paths: tuple[str, ...]
    """Globs; the first that finds a recording counts."""
    name: str
    """The end of a path, a regular expression with the groups `speaker`, `emotion` and
    `sentence`."""
    emotions: dict[str, str]
    sex: Callable[[str], str | None]
    """Of a speaker; None of one that the corpus has not."""
    language: str
    speaker: str = "{}"
    clip: str = ""
    """Of the groups, where the file's name does not tell it from others."""

    def read(self, corpus: str, folder: Path) -> list[Utterance]:
        """The recordings under `folder`; empty where none are."""
        for paths in self.paths:
            found = [self._utterance(corpus, p) for p in _matching(folder, paths)]
            # A file that two links lead to is one recording.
            if once := {u.path.resolve(): u for u in reversed(found) if u is not None}:
                return list(once.values())[::-1]
        return []

    def _utterance(self, corpus: str, path: Path) -> Utterance | None:
        match = re.search(self.name, f"/{path.as_posix()}")
        if match is None or match["emotion"] not in self.emotions:
            return None
        sex = self.sex(match["speaker"])
        if sex is None:
            return None
        return Utterance(
            corpus,
            path,
            self.speaker.format(match["speaker"]),
            sex,
            self.emotions[match["emotion"]],
            match["sentence"],
            self.language,
            self.clip.format(**match.groupdict()),
        )


def _matching(folder: Path, paths: str) -> list[Path]:
    # pathlib's ** passes over folders that are links, without a word.
    rest = paths.removeprefix("**/")
    places = [folder] if rest == paths else _folders(folder, frozenset())
    return sorted(path for place in places for path in place.glob(rest))


def _folders(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    """A folder and all below it, but for those that a link leads back to."""
    real = folder.resolve()
    if real in above:
        return
    yield folder
    for path in folder.iterdir():
        if path.is_dir():
            yield from _folders(path, above | {real})
