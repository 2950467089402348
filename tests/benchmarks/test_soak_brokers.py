"""`make soak` small: brokers that are stopped and started."""

import pytest

from benchmarks.soak import brokers
from tests.helpers.brokers import needs_mosquitto, needs_nats
from tests.helpers.soak_checks import unmet
from tests.helpers.virtual_microphone import require

pytestmark = [pytest.mark.alone, needs_mosquitto, needs_nats]


def test_brokers_come_and_go_and_nothing_else_notices() -> None:
    require()
    result = brokers.run(2 / brokers.ROUNDS)
    assert unmet(result) == []
    assert {one["signal"] for one in result["rounds"]} == {"SIGTERM", "SIGKILL"}
