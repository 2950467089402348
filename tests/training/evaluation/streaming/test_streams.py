"""Streams with known change points: made to measure, and the same for one seed."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("torch")

from ser_stream.pipeline.values import FloatArray
from training.corpora import Utterance
from training.evaluation.streaming.streams import (
    MAX_SEGMENTS,
    PAUSE_S,
    ROOM_DB,
    Joined,
    join,
    plans,
)
from training.evaluation.streaming.voice_activity import (
    MARGIN,
    voiced_extent,
    voiced_level,
)

SECOND = 16_000


def tone(seconds: float, amplitude: float = 0.5) -> FloatArray:
    t = np.arange(round(seconds * SECOND)) / SECOND
    return (amplitude * np.sin(2 * np.pi * 300 * t)).astype(np.float32)


@pytest.fixture
def spoken(tmp_path: Path) -> list[Utterance]:
    """Two speakers, three emotions, six files each: 0.3 s silence, a tone, silence."""
    result = []
    for speaker in ("a", "b"):
        for emotion in ("angry", "neutral", "sad"):
            for i in range(6):
                path = tmp_path / f"{speaker}_{emotion}_{i}.wav"
                quiet = np.zeros(round(0.3 * SECOND), np.float32)
                soundfile.write(path, np.r_[quiet, tone(1.0), quiet], SECOND)
                result.append(
                    Utterance("made", path, speaker, "female", emotion, "1", "German")
                )
    return result


def test_segments_are_two_to_four_utterances_of_one_emotion_and_always_change(
    spoken: list[Utterance],
) -> None:
    made = plans(spoken, seed=1)
    assert {plan.speaker for plan in made} == {"a", "b"}
    for plan in made:
        assert 2 <= len(plan.segments) <= MAX_SEGMENTS
        for segment in plan.segments:
            assert 2 <= len(segment) <= 4
            assert len({u.emotion for u in segment}) == 1
            assert {u.speaker for u in segment} == {plan.speaker}
        for one, following in pairwise(plan.segments):
            assert one[0].emotion != following[0].emotion


def test_an_utterance_is_used_once_a_round(spoken: list[Utterance]) -> None:
    used = [u.name for p in plans(spoken, 1, rounds=1) for s in p.segments for u in s]
    assert len(used) == len(set(used))
    assert len(used) > len(spoken) / 2


def test_the_same_seed_makes_the_same_streams_and_another_seed_others(
    spoken: list[Utterance],
) -> None:
    assert plans(spoken, 1) == plans(spoken, 1)
    assert plans(spoken, 1) != plans(spoken, 2)
    one, again = join(plans(spoken, 1)[0]), join(plans(spoken, 1)[0])
    assert np.array_equal(one.samples, again.samples)


def test_a_speaker_of_one_emotion_has_no_stream(spoken: list[Utterance]) -> None:
    assert plans([u for u in spoken if u.emotion == "sad"], 1) == []


@pytest.fixture
def joined(spoken: list[Utterance]) -> Joined:
    return join(plans(spoken, 3)[0])


def test_a_change_is_where_the_voice_of_the_new_emotion_begins(joined: Joined) -> None:
    starts = {u.start: u.label for u in joined.utterances}
    for segment in joined.segments:
        assert starts[segment.start] == segment.label
    for one, following in pairwise(joined.segments):
        assert one.end == following.start
    assert joined.segments[-1].end == len(joined.samples)


def test_pauses_are_as_long_as_said_and_the_files_own_silence_is_gone(
    joined: Joined,
) -> None:
    for utterance in joined.utterances:
        assert utterance.end - utterance.start == SECOND + 2 * MARGIN
    pauses = [b.start - a.end for a, b in pairwise(joined.utterances)]
    assert min(pauses) >= PAUSE_S[0] * SECOND
    assert max(pauses) <= PAUSE_S[1] * SECOND


def test_the_noise_of_a_room_fills_the_pauses_far_below_the_voice(
    joined: Joined,
) -> None:
    first = joined.utterances[0]
    voice = joined.samples[first.start + MARGIN : first.end - MARGIN].std()
    # Brown noise wanders: a second of it may be some dB off its level.
    room = joined.samples[-2 * SECOND :].std()
    below = 20 * np.log10(voice / room)
    assert ROOM_DB[0] - 6 < below < ROOM_DB[1] + 6


def test_the_voice_is_found_between_silences_whatever_the_offset() -> None:
    quiet = np.zeros(SECOND // 2, np.float32)
    samples = np.r_[quiet, tone(1.0, 0.1), quiet] + np.float32(0.05)
    start, end = voiced_extent(samples)
    assert abs(start - (SECOND // 2 - MARGIN)) <= 160
    assert abs(end - (3 * SECOND // 2 + MARGIN)) <= 160
    # 0.1 over the square root of 2, less the margins' share.
    assert voiced_level(samples) == pytest.approx(0.1 / np.sqrt(2), rel=0.1)


def test_a_clip_without_sound_is_kept_whole() -> None:
    assert voiced_extent(np.zeros(1000, np.float32)) == (0, 960 + 40)
