"""A folder of corpora -> utterances, whichever layout each corpus has."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ser_stream.errors import SourceError
from training.corpora.audformat_database import HEADER, read_audformat
from training.corpora.known import KNOWN
from training.corpora.manifest import REQUIRED, read_manifest
from training.corpora.utterance import Utterance

NOBODY = frozenset({"unknown"})
"""What any table may have in place of a speaker who is not named."""
LAYOUTS = {name: corpus.layout for name, corpus in KNOWN.items() if corpus.layout}
"""Publishers' own, by the name of the corpus's folder."""


def load_corpora(
    folder: Path, names: Sequence[str], *, absent_too: bool = False
) -> list[Utterance]:
    """The utterances of the corpora `names`, each in `folder/NAME`.

    Args:
        folder: where the corpora are.
        names: folders in it, or tables NAME.csv in it or at that path.
        absent_too: files that a table names and that are not there are no error.

    Raises:
        SourceError: if a corpus is absent, its layout is not understood, or a file
            that its table names is not there.
        MissingLibraryError: if a corpus needs a package that is not installed.
    """
    result: list[Utterance] = []
    for name in names:
        found = _unnamed(name, _told_apart(_read(folder, name)))
        gone = [u.path for u in found if not u.path.is_file()]
        if gone and not absent_too:
            others = f", nor {len(gone) - 1} others" if len(gone) > 1 else ""
            raise SourceError(
                f"{name}: there is no file {gone[0]}{others}, which its table names; "
                f"`python -m training corpora {name}` lists all that is missing"
            )
        result += found
    return result


def _read(folder: Path, name: str) -> list[Utterance]:
    place = folder / name
    if place.suffix == ".csv" and not place.exists():
        place = Path(name)
    if place.suffix == ".csv" and place.is_file():
        return read_manifest(place, name)
    if not place.is_dir():
        raise SourceError(
            f"there is no corpus folder {place}; pass --corpora DIR or set "
            "SER_CORPORA to the folder that holds it"
        )
    if (place / "manifest.csv").is_file():
        found = read_manifest(place / "manifest.csv", name)
    elif (place / HEADER).is_file():
        found = read_audformat(place, name)
    elif name in LAYOUTS:
        found = LAYOUTS[name].read(name, place)
    else:
        found = []
    if not found:
        layouts = ", ".join(f"{n}: {one.example}" for n, one in LAYOUTS.items())
        raise SourceError(
            f"{place} holds no layout that is understood: a manifest.csv with columns "
            f"{', '.join(REQUIRED)}; an audformat database ({HEADER}); or a "
            f"publisher's ({layouts}); found there: {_contents(place)}"
        )
    return found


def _contents(place: Path) -> str:
    """The first few things in a folder: what tells a user which layout it has."""
    names = sorted(p.name + "/" * p.is_dir() for p in place.iterdir())
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more or "nothing"


def _unnamed(name: str, found: list[Utterance]) -> list[Utterance]:
    """Clips of speakers whom the corpus does not name are not one speaker's."""
    nobody = KNOWN[name].unnamed | NOBODY if name in KNOWN else NOBODY
    return [u.without_name() if u.speaker in nobody else u for u in found]


def _told_apart(found: list[Utterance]) -> list[Utterance]:
    """Clips whose names are those of others get the names of their folders too."""
    counts = Counter(u.name for u in found)
    root = os.path.commonpath([u.path.parent.absolute() for u in found])

    def folders_too(u: Utterance) -> str:
        return "_".join(u.path.absolute().with_suffix("").relative_to(root).parts)

    return [
        replace(u, called=folders_too(u)) if counts[u.name] > 1 else u for u in found
    ]
