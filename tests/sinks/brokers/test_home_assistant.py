"""The discovery payload, field by field against what Home Assistant allows."""

import json
import re
from pathlib import Path
from typing import Any

from ser_stream.protocol.messages import Message
from ser_stream.sinks.brokers.home_assistant import device_id, discovery
from ser_stream.sinks.brokers.link import REFRESH_S
from ser_stream.sinks.brokers.present import Present
from tests.helpers.socket_server import LABELS, emotion, hello, prediction

ALLOWED = json.loads(Path(__file__).with_name("home_assistant_keys.json").read_text())
TOPIC = re.compile(r"homeassistant/device/[a-zA-Z0-9_-]+/config")


def check(config: dict[str, Any], kind: str) -> None:
    """All keys that are needed are there, and none that is not known."""
    keys = ALLOWED[kind]
    assert set(keys["required"]) - set(config) == set()
    assert set(config) - set(keys["required"]) - set(keys["optional"]) == set()


def discovered(prefix: str, *sources: str | None) -> tuple[str, dict[str, Any]]:
    present = Present()
    for name in sources:
        extra = {} if name is None else {"source": name}
        present.follow(Message({**hello().fields, **extra}))
    topic, config = discovery(prefix, "homeassistant", present)
    assert config is not None
    # As it travels.
    return topic, json.loads(json.dumps(config))


def test_every_field_is_one_that_home_assistant_knows() -> None:
    topic, config = discovered("house/kitchen", None)
    assert TOPIC.fullmatch(topic)
    check(config, "device_discovery")
    check(config["device"], "device")
    check(config["origin"], "origin")
    components = config["components"]
    assert list(components) == ["emotion", "confidence", "level", "connectivity"]
    for component in components.values():
        check(component, component["platform"])
        assert component["expire_after"] > 2 * REFRESH_S
    mood = components["emotion"]
    # An enum may have neither unit nor class of state.
    assert (mood["device_class"], mood["options"]) == ("enum", [*LABELS, "none"])
    assert {"unit_of_measurement", "state_class"} & set(mood) == set()
    assert components["confidence"]["unit_of_measurement"] == "%"
    assert components["level"]["unit_of_measurement"] == "dB"
    assert components["connectivity"]["device_class"] == "connectivity"
    assert config["availability_topic"] == "house/kitchen/availability"


def test_a_state_is_always_one_that_was_announced() -> None:
    present = Present()
    present.follow(hello())
    topics = discovered("p", None)[1]["components"]
    for message in (emotion(1, "start", "sad"), prediction(2), emotion(3, "end")):
        present.follow(message)
        state = present.sources[None].state
        assert {f"p/state/{what}" for what in state} == {
            component["state_topic"] for component in topics.values()
        }
        assert state["emotion"] in topics["emotion"]["options"]
        assert state["connectivity"] in (
            topics["connectivity"]["payload_on"],
            topics["connectivity"]["payload_off"],
        )
        for number in ("confidence", "level"):
            # "None" is what Home Assistant takes for unknown.
            assert state[number] == "None" or float(state[number]) <= 100


def test_one_device_whose_ids_stay() -> None:
    first, second = discovered("house", "left", "right"), discovered("house", "left")
    assert first[1]["device"] == second[1]["device"]
    ids = [c["unique_id"] for c in first[1]["components"].values()]
    assert len(set(ids)) == len(ids) == 8
    assert {c["unique_id"] for c in second[1]["components"].values()} < set(ids)
    assert len({device_id(prefix) for prefix in ("a/b", "a_b", "a.b")}) == 3
    assert (
        first[1]["components"]["left_level"]["state_topic"] == "house/left/state/level"
    )
