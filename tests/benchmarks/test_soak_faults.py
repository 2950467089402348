"""`make soak` small: faults around the daemon, and time."""

import pytest

from benchmarks.soak import faults, long
from tests.helpers.soak_checks import unmet

pytestmark = pytest.mark.alone


def test_the_daemon_goes_on_whatever_fails_around_it() -> None:
    assert unmet(faults.run(1 / 50)) == []


def test_at_fast_pace_the_pipeline_waits_and_every_event_arrives() -> None:
    result = long.fast(seconds=240)
    assert unmet(result) == []
    assert result["predictions_expected"] == 1198
    assert result["visits"]["connections"] >= 5


def test_at_real_time_nothing_is_left_over() -> None:
    result = long.realtime(seconds=4)
    assert unmet(result) == []
    assert result["found"]["healthy"]["predictions"][0] >= 15
