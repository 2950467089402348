"""What Home Assistant is told of us: one device, four entities for each source.

Its MQTT discovery of whole devices, of version 2024.11 and later:
https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
"""

import hashlib
import re
import socket
from typing import Any

from ser_stream import __version__
from ser_stream.sinks.brokers.present import NONE, OFF, ON, Present, Source, level

EXPIRE_AFTER_S = 90
"""Seconds without news after which an entity is unavailable; we tell it more often."""
Config = dict[str, Any]


def device_id(prefix: str) -> str:
    """Of the device of a prefix, the same after every restart and on every machine."""
    plain = re.sub(r"[^a-zA-Z0-9_-]", "_", prefix)
    if plain != prefix:
        plain += "_" + hashlib.sha256(prefix.encode()).hexdigest()[:6]
    return f"ser_stream_{plain}"


def discovery(
    prefix: str, discovery_prefix: str, present: Present
) -> tuple[str, Config | None]:
    """The topic, and what is retained there; None before any source has begun."""
    device = device_id(prefix)
    topic = f"{discovery_prefix}/device/{device}/config"
    components: Config = {}
    for name, source in present.sources.items():
        components |= _entities(device, prefix, name, source)
    if not components:
        return topic, None
    return topic, {
        "device": {
            "identifiers": [device],
            "name": f"Speech emotion {prefix}",
            "manufacturer": "ser-stream",
            "model": f"ser-stream on {socket.gethostname()}",
            "sw_version": __version__,
        },
        "origin": {"name": "ser-stream", "sw_version": __version__},
        "availability_topic": f"{prefix}/availability",
        "payload_available": "online",
        "payload_not_available": "offline",
        "qos": 1,
        "components": components,
    }


def _entities(device: str, prefix: str, name: str | None, source: Source) -> Config:
    """Four entities; none before `hello` has told the labels."""
    if source.hello is None:
        return {}
    labels = source.hello.fields["model"]["labels"]
    entities: Config = {
        "emotion": {
            "platform": "sensor",
            "name": "Emotion",
            "device_class": "enum",
            "options": [*labels, NONE],
            "icon": "mdi:emoticon-outline",
        },
        "confidence": {
            "platform": "sensor",
            "name": "Confidence",
            "unit_of_measurement": "%",
            "state_class": "measurement",
            "suggested_display_precision": 0,
            "icon": "mdi:gauge",
        },
        "level": {
            "platform": "sensor",
            "name": "Level",
            "unit_of_measurement": "dB",
            "state_class": "measurement",
            "suggested_display_precision": 1,
            "icon": "mdi:microphone",
        },
        "connectivity": {
            "platform": "binary_sensor",
            "name": "Microphone",
            "device_class": "connectivity",
            "payload_on": ON,
            "payload_off": OFF,
            "entity_category": "diagnostic",
        },
    }
    place = prefix if name is None else f"{prefix}/{level(name)}"
    key = "" if name is None else re.sub(r"[^a-zA-Z0-9_-]", "_", name) + "_"
    return {
        f"{key}{what}": entity
        | {
            "name": entity["name"] if name is None else f"{name} {entity['name']}",
            "unique_id": f"{device}_{key}{what}",
            "state_topic": f"{place}/state/{what}",
            "expire_after": EXPIRE_AFTER_S,
        }
        for what, entity in entities.items()
    }
