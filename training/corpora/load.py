"""A folder of corpora -> utterances, whichever layout each corpus has."""

from collections.abc import Sequence
from pathlib import Path

from ser_stream.errors import SourceError
from training.corpora.emodb import read_emodb
from training.corpora.manifest import read_manifest
from training.corpora.ravdess import read_ravdess
from training.corpora.utterance import Utterance

PUBLISHED_LAYOUTS = {"emodb": read_emodb, "ravdess": read_ravdess}


def load_corpora(folder: Path, names: Sequence[str]) -> list[Utterance]:
    """The utterances of the corpora `names`, each in `folder/NAME`.

    Raises:
        SourceError: if a corpus is absent or its layout is not understood.
    """
    result: list[Utterance] = []
    for name in names:
        place = folder / name
        if not place.is_dir():
            raise SourceError(
                f"there is no corpus folder {place}; pass --corpora DIR or set "
                "SER_CORPORA to the folder that holds it"
            )
        if (place / "manifest.csv").is_file():
            found = read_manifest(place, name)
        elif name in PUBLISHED_LAYOUTS:
            found = PUBLISHED_LAYOUTS[name](place)
        else:
            found = []
        if not found:
            layouts = ", ".join(PUBLISHED_LAYOUTS)
            raise SourceError(
                f"{place} holds neither a manifest.csv nor the publisher's layout of "
                f"a known corpus ({layouts})"
            )
        result += found
    return result
