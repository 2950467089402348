"""The means of a speaker's other clips that a window of training is given."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from training.recipe.speaker_memory import SHRINK_CLIPS, SpeakerMemory

SPEAKERS = [list(range(12))] * 12 + [[12]]
TARGETS = np.array([0] * 6 + [1] * 6 + [0])


def memory_of(*known: int) -> SpeakerMemory:
    memory = SpeakerMemory(SPEAKERS, TARGETS, 2)
    for row in known:
        memory.store(np.array([row]), torch.tensor([[float(row), 1.0]]))
    return memory


def test_a_speaker_not_heard_yet_has_the_mean_of_all(rng: np.random.Generator) -> None:
    centre = torch.tensor([3.0, 4.0])
    # Nothing is known but the clip itself, and the other has no other clip.
    for row in (5, 12):
        for _ in range(20):
            means = memory_of(row).means(np.array([row]), centre, rng)
            assert torch.equal(means[0], centre)


def test_a_mean_is_of_other_clips_and_shrunk(rng: np.random.Generator) -> None:
    memory, centre = memory_of(2, 5), torch.zeros(2)
    drawn = {float(memory.means(np.array([5]), centre, rng)[0, 0]) for _ in range(60)}
    # None, or clip 2 with the weight of one in six.
    assert sorted(drawn) == pytest.approx([0.0, 2.0 / (1 + SHRINK_CLIPS)])


def test_some_means_are_of_one_class_above_all(rng: np.random.Generator) -> None:
    memory = memory_of(*range(12))
    counts = []
    for _ in range(300):
        rows = memory._draw(0, memory.known.numpy(), rng)
        assert 0 not in rows
        assert len(set(rows)) == len(rows)
        if len(rows) >= 5:
            counts.append(np.mean(TARGETS[rows]))
    assert min(counts) < 0.25
    assert max(counts) > 0.75


def test_what_is_known_goes_with_the_weights() -> None:
    first, again = memory_of(3), memory_of()
    again.load_state_dict(first.state_dict())
    assert again.known.tolist() == first.known.tolist()
    assert torch.equal(again.features, first.features)
