"""Embeddings of turns -> a bounded number of voices."""

import numpy as np
import pytest

from ser_stream.errors import ConfigError
from ser_stream.pipeline.values import SAMPLE_RATE
from ser_stream.pipeline.voices.clusters import MOST_WEIGHT, REMEMBERED_S, Sum, Voices

DAY = round(REMEMBERED_S * SAMPLE_RATE)


def voice(i: int, turn: float = 0.1) -> Sum:
    """A turn of person `i`; voices of two people have nothing in common."""
    total: Sum = np.zeros(256)
    total[i], total[100 + i] = 1.0, turn
    return total


def heard(voices: Voices, i: int, end: int, seconds: float = 3.0) -> int:
    number = voices.matching(voice(i)) or voices.new_number()
    return voices.learn(number, voice(i), 1.0, seconds, end)


def test_the_one_not_heard_for_longest_gives_way_and_no_number_comes_again() -> None:
    voices = Voices(most=3)
    assert [heard(voices, i, i + 1) for i in (0, 1, 2, 0)] == [1, 2, 3, 1]
    voices.name("2", "Anna")
    # Not 2, which has a name, nor 1, which was heard since.
    voices.learn(1, voice(0), 1.0, 3.0, 9)
    assert heard(voices, 3, 10) == 4
    assert [each.number for each in voices] == [1, 2, 4]


def test_a_full_house_takes_a_turn_that_is_not_quite_alike_for_the_nearest() -> None:
    voices = Voices(most=1)
    heard(voices, 0, 1)
    between = voice(0) + 1.5 * voice(1)  # cosine 0.55
    assert voices.matching(between) == 1
    assert voices.matching(voice(1)) is None
    voices.most = 2
    assert voices.matching(between) is None


def test_a_day_of_silence_is_forgotten_unless_kept() -> None:
    voices = Voices()
    voices.know("Eva", voice(5), 10.0)
    assert (heard(voices, 0, 100), heard(voices, 1, DAY)) == (2, 3)
    voices.forget_old(DAY + 101)
    assert [each.number for each in voices] == [1, 3]
    assert voices.matching(voice(5)) == 1


def test_voices_that_grow_alike_become_one_but_for_two_names() -> None:
    voices = Voices()
    for number in (voices.new_number(), voices.new_number()):
        voices.learn(number, voice(number), 1.0, 6.0, number)
    # What is heard of the second sounds ever more like the first.
    number = 2
    for _ in range(8):
        number = voices.learn(number, voice(1), 1.0, 2.0, 9)
    (one,) = voices
    assert (one.number, one.seconds) == (1, 6.0 + 6.0 + 2.0 * 8)
    assert number == 1

    named = Voices()
    named.know("Eva", voice(0), 10.0)
    named.know("Ada", voice(0), 10.0)
    named.learn(1, voice(0), 1.0, 9.0, 1)
    named.learn(2, voice(0), 1.0, 9.0, 2)
    assert len(list(named)) == 2


def test_a_user_names_merges_and_forgets() -> None:
    voices = Voices()
    for i in range(3):
        heard(voices, i, i)
    voices.name("1", "Anna")
    with pytest.raises(ConfigError, match="merge 1 2"):
        voices.name("2", "Anna")
    with pytest.raises(ConfigError, match=r"allowed: 1 \(Anna\), 2, 3"):
        voices.find("7")
    with pytest.raises(ConfigError, match="both are speaker 1"):
        voices.merge("1", "Anna")
    assert voices.merge("3", "Anna").name == "Anna"
    assert voices.matching(voice(0)) == 3
    voices.forget("Anna")
    assert [each.number for each in voices] == [2]


def test_a_voice_follows_who_speaks_now() -> None:
    voices = Voices()
    voices.learn(voices.new_number(), MOST_WEIGHT * voice(0), MOST_WEIGHT, 60.0, 1)
    for _ in range(200):
        voices.learn(1, voice(0) + voice(1), 1.0, 1.0, 2)
    (one,) = voices
    assert one.weight == MOST_WEIGHT
    assert abs(one.total[0] - one.total[1]) < 0.05 * one.total[0]
