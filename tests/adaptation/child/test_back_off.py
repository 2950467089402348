"""A step that costs too much is shortened."""

import copy

import pytest
import torch

from ser_stream.adaptation.child.back_off import SHARES, backed_off, between
from ser_stream.nn.cpac import Cpac, CpacConfig


@pytest.fixture(scope="module")
def networks() -> tuple[Cpac, Cpac]:
    torch.manual_seed(0)
    current = Cpac(CpacConfig.listening(5)).eval()
    after = copy.deepcopy(current)
    with torch.no_grad():
        for tensor in after.state_dict().values():
            if tensor.is_floating_point():
                tensor += 1.0
    return current, after


def moved(network: Cpac, current: Cpac) -> float:
    """How far on the way it is; the same in weights and statistics."""
    here, there = current.state_dict(), network.state_dict()
    ways = {
        round(float((there[name] - here[name]).mean()), 4)
        for name in here
        if here[name].is_floating_point()
    }
    assert len(ways) == 1
    return ways.pop()


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_weights_and_statistics_go_the_same_share_of_the_way(
    networks: tuple[Cpac, Cpac], share: float
) -> None:
    current, after = networks
    kept = copy.deepcopy(current.state_dict())
    assert moved(between(current, after, share), current) == share
    assert all(torch.equal(kept[k], v) for k, v in current.state_dict().items())


def test_the_longest_step_that_keeps_the_recall_is_taken(
    networks: tuple[Cpac, Cpac],
) -> None:
    current, after = networks
    recalls = {1.0: 0.70, 0.5: 0.80, 0.25: 0.90}

    def recall(network: Cpac) -> float:
        return recalls[moved(network, current)]

    network, share = backed_off(current, after, recall, least=0.78)
    assert (share, moved(network, current)) == (0.5, 0.5)


def test_where_none_keeps_it_acceptance_gets_the_best(
    networks: tuple[Cpac, Cpac],
) -> None:
    current, after = networks
    recalls = dict(zip(SHARES, (0.5, 0.7, 0.6), strict=True))
    found = backed_off(
        current, after, lambda network: recalls[moved(network, current)], least=0.9
    )
    assert (found[1], moved(found[0], current)) == (0.5, 0.5)
