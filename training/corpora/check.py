"""Is a corpus whole: what is missing, doubled or unreadable in it?"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.corpora.corpus import Counts
from training.corpora.emobox import emobox_fold_of
from training.corpora.known import KNOWN
from training.corpora.utterance import UNNAMED, Utterance, decode, fault_of


@dataclass(frozen=True, slots=True)
class Check:
    """What was found of a corpus. Clips are named by `Utterance.clip`."""

    corpus: str
    emotions: dict[str, int]
    speakers: dict[str, int]
    """`unnamed` is of all whom the corpus does not name."""
    published: Counts | None
    """None for a corpus that the project does not know."""
    differences: tuple[str, ...]
    """Emotions and speakers with other counts than published, in words."""
    missing: tuple[str, ...]
    """Clips of the release, or files of the table, that are not there."""
    doubled: tuple[tuple[str, ...], ...]
    """Clips with the same samples, save those known of the release."""
    known_doubled: tuple[tuple[str, ...], ...]
    unreadable: dict[str, str]
    """Path -> why: files that hold no usable audio."""

    @property
    def clips(self) -> int:
        return sum(self.emotions.values())

    @property
    def agrees(self) -> bool:
        """Nothing is missing, doubled, unreadable or more than a whole release."""
        return not (self.differences or self.missing or self.doubled or self.unreadable)


def check(
    corpus: str, utterances: Sequence[Utterance], *, progress: bool = True
) -> Check:
    """Decode every file of one corpus, and compare with what was published.

    Args:
        corpus: its name.
        utterances: all of it, also those whose files are absent.
        progress: show a bar on standard error, if that is a terminal.
    """
    from tqdm import tqdm

    here = [u for u in utterances if u.path.is_file()]
    hidden = None if progress else True
    groups, unreadable = _listen(tqdm(here, corpus, unit="clip", disable=hidden))
    published = KNOWN[corpus].counts if corpus in KNOWN else None
    known = published.doubled if published else frozenset()
    emotions = dict(sorted(Counter(u.emotion for u in here).items()))
    speakers = dict(
        sorted(Counter(u.speaker if u.named else UNNAMED for u in here).items())
    )
    differences: list[str] = []
    if published:
        # Of a corpus in use in part, there may be more of the release here.
        more = bool(published.part_of)
        if published.speakers:
            differences += _differences("speaker", speakers, published.speakers, more)
        differences += _differences("emotion", emotions, published.emotions, more)
        n = len(speakers.keys() - {UNNAMED})
        if n < published.n_unlisted:
            differences.append(f"{n} of {published.n_unlisted} speakers")
    doubled = [g for g in groups if frozenset(g) not in known]
    return Check(
        corpus,
        emotions,
        speakers,
        published,
        tuple(differences),
        tuple(sorted(_missing(corpus, utterances, here))),
        tuple(doubled),
        tuple(g for g in groups if g not in doubled),
        unreadable,
    )


def _listen(
    utterances: Iterable[Utterance],
) -> tuple[list[tuple[str, ...]], dict[str, str]]:
    """Groups of clips with the same samples; files without usable ones, and why."""
    clips_of: dict[tuple[int, bytes], list[str]] = defaultdict(list)
    unreadable: dict[str, str] = {}
    for utterance in utterances:
        try:
            digest = _digest(utterance.path)
        except (OSError, ValueError) as error:
            reason = str(error).removeprefix(f"{utterance.path}: ")
            unreadable[str(utterance.path)] = reason
        else:
            clips_of[digest].append(utterance.clip)
    return [tuple(sorted(c)) for c in clips_of.values() if len(c) > 1], unreadable


def _digest(path: Path) -> tuple[int, bytes]:
    """The rate and a hash of the samples: the same in every lossless format.

    Raises:
        OSError: if the file cannot be read as audio.
        ValueError: if its samples are none.
    """
    samples, rate = decode(path)
    if fault := fault_of(samples):
        raise ValueError(fault)
    if not samples.any():
        raise ValueError("it is silent: every sample is 0")
    return rate, hashlib.blake2b(samples.tobytes(), digest_size=16).digest()


def _differences(
    kind: str, found: Mapping[str, int], published: Mapping[str, int], more: bool
) -> Iterable[str]:
    """One line for each of a kind whose count is not the published one.

    With `more`, a larger count is none.
    """
    for name in sorted({*found, *published}):
        here, expected = found.get(name, 0), published.get(name, 0)
        if not here:
            yield f"{kind} {name} is missing: 0 of {expected} clips"
        elif here < expected:
            yield f"{kind} {name}: {here} of {expected} clips"
        elif here > expected and not more:
            yield f"{kind} {name}: {here} clips, published are {expected}"


def _missing(
    corpus: str, utterances: Sequence[Utterance], here: Sequence[Utterance]
) -> set[str]:
    """Names of clips of the table and of the release whose files are not there."""
    absent = {u.clip for u in utterances} - {u.clip for u in here}
    released = set(emobox_fold_of(corpus))
    # A distribution with names of its own can be counted, but not compared by name.
    known = any(u.clip in released for u in here)
    return absent | (released - {u.clip for u in here} if known else set())
