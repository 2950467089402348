"""`python -m training corpora`: the checks of corpora as text or JSON."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ser_stream.errors import SourceError
from training.corpora.check import Check, check
from training.corpora.known import PAPER
from training.corpora.load import load_corpora
from training.corpora.utterance import UNNAMED


def report(
    folder: Path, names: Sequence[str], say: Callable[[str], None], *, as_json: bool
) -> int:
    """Check corpora, the paper's four by default; 0 if nothing is amiss, else 1.

    A corpus that cannot be read does not keep the others from being checked.

    Raises:
        SourceError: at the end, if corpora were absent or of another layout.
        MissingLibraryError: if a corpus needs a package that is not installed.
    """
    checks: list[Check] = []
    failures: list[str] = []
    for name in names or list(PAPER):
        try:
            utterances = load_corpora(folder, [name], absent_too=True)
        except SourceError as error:
            failures.append(str(error))
            continue
        checks.append(check(name, utterances))
        if not as_json:
            say("\n".join(lines(checks[-1])))
    if as_json:
        say(json.dumps({c.corpus: content(c) for c in checks}, indent=1))
    if failures:
        raise SourceError("; ".join(failures))
    return 0 if all(c.agrees for c in checks) else 1


def lines(found: Check) -> list[str]:
    """A table of counts, then a line for each thing that is amiss."""
    published = found.published
    emotions = published.emotions if published else {}
    named = len(found.speakers.keys() - {UNNAMED})
    head = f"{found.corpus}: {_size(found.clips, named, UNNAMED in found.speakers)}"
    word = "published"
    if published:
        word = "in use" if published.part_of else word
        n = published.n_speakers
        head += f"; {word}: {_size(published.clips, n, not n)}"
    if published and published.part_of:
        head += f", of {published.part_of}"
    result = [head, f"  {'emotion':10} {'found':>9} {word:>9}"]
    for name in sorted({*found.emotions, *emotions}):
        expected = emotions.get(name, 0) if published else "-"
        result.append(f"  {name:10} {found.emotions.get(name, 0):9} {expected:>9}")
    result += [f"  differs: {text}" for text in found.differences]
    result += [f"  missing: {clip}" for clip in found.missing]
    result += [f"  doubled: {' = '.join(group)}" for group in found.doubled]
    result += [
        f"  doubled in the release itself: {' = '.join(group)}"
        for group in found.known_doubled
    ]
    result += [f"  unreadable: {path}: {why}" for path, why in found.unreadable.items()]
    if found.agrees:
        result.append("  nothing amiss")
    return result


def _size(clips: int, named: int, unnamed: bool) -> str:
    """`1440 clips, 24 speakers`; `900 clips, unnamed speakers`."""
    who = [f"{named} speakers"] * (named > 0) + ["unnamed speakers"] * unnamed
    return f"{clips} clips, {' and '.join(who) or 'no speakers'}"


def content(found: Check) -> dict[str, Any]:
    """The check for a machine: a JSON object."""
    published = found.published
    return {
        **{k: v for k, v in asdict(found).items() if k not in ("corpus", "published")},
        "clips": found.clips,
        "published": published
        and {
            "clips": published.clips,
            "emotions": published.emotions,
            "speakers": published.speakers,
            "n_speakers": published.n_speakers,
            "part_of": published.part_of,
        },
        "agrees": found.agrees,
    }
