"""A few clips of each kind, for a trial."""

from collections.abc import Sequence

from training.corpora.utterance import Utterance


def limited(clips: Sequence[Utterance], limit: int | None) -> list[Utterance]:
    """At most so many clips of each speaker and emotion; all without a limit."""
    taken: dict[tuple[str, str], int] = {}
    result = []
    for clip in sorted(clips, key=lambda u: u.name):
        key = clip.person, clip.emotion
        taken[key] = taken.get(key, 0) + 1
        if limit is None or taken[key] <= limit:
            result.append(clip)
    return result
