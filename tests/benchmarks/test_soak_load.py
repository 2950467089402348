"""`make soak` small: subscribers of all kinds, and hostile ones."""

import pytest

from benchmarks.soak import hostile, load
from tests.helpers.soak_checks import unmet

pytestmark = pytest.mark.alone


def test_healthy_subscribers_get_all_in_order_beside_those_that_do_not_read() -> None:
    result = load.run(1 / 50, seconds=3, stages=[500])
    assert unmet(result) == []
    first = result["rounds"][0]
    assert first["subscribers"] == {"healthy": 10, "deaf": 1, "slow": 1, "fickle": 1}
    assert first["found"]["healthy"]["events"] >= 10 * 14
    assert first["found"]["visits"]["connections"] >= 2
    assert first["found"]["slow"]["lines"] > 0


def test_hostile_lines_are_answered_and_do_not_disturb_the_honest() -> None:
    result = hostile.run(1 / 50)
    assert unmet(result) == []
    assert result["found"]["healthy"]["predictions"][0] >= 10
