"""`ser-stream config show`, `path` and `check`."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ser_stream.adaptation.libraries import require_libraries
from ser_stream.commands.output import aligned, write, write_json
from ser_stream.config import KEYS, Settings, chosen_path, default_path, resolve
from ser_stream.config.for_model import (
    configured_bundle,
    configured_pack,
    pipeline_config,
)
from ser_stream.errors import ModelError
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.smoothing import SmoothingConfig
from ser_stream.pipeline.values import SAMPLE_RATE
from ser_stream.protocol.access_token import read_token
from ser_stream.protocol.address import WYOMING, parse
from ser_stream.service.notify import Notifier
from ser_stream.sinks import forms
from ser_stream.sinks.command import check_command

_LOGGER = logging.getLogger(__name__)


def show(file: Path | None, as_json: bool) -> None:
    """Print all settings and where each came from.

    Raises:
        ConfigError: if anything is wrong.
    """
    rows = _rows(resolve(file, {}))
    if as_json:
        write_json(rows, indent=2)
        return
    cells = [("key", "value", "from")]
    cells += [(row["key"], _text(row["value"]), row["from"]) for row in rows]
    write("\n".join(aligned(cells)) + "\n")


def path() -> None:
    """Print the file that is read; where there is none, the one to begin."""
    write(f"{chosen_path() or default_path()}\n")


def check(file: Path | None) -> None:
    """Check all settings as `listen` would, and what they name.

    Args:
        file: to check by itself; None for the one that is read, with the environment.

    Raises:
        ConfigError: if anything is wrong.
        ModelError: if the model cannot be used, or its adaptation pack is to be and
            cannot.
        MissingLibraryError: if adaptation needs an extra that is not installed.
    """
    settings = resolve(file, {}, environment=None if file is None else {})
    bundle = configured_bundle(settings)
    settings.located(lambda config: pipeline_config(config, bundle))
    settings.located(lambda config: check_command(config.command))
    settings.located(lambda config: read_token(config.token_file))
    if settings.config.adapt.enabled:
        require_libraries()
        configured_pack(settings.config, bundle)
    open_ones = list(_refused_as_they_are(settings))
    for line in open_ones:
        _LOGGER.warning("%s", line)
    found = "nothing else is wrong" if open_ones else "nothing is wrong"
    write(f"{settings.file or 'no file, and what is built in'}: {found}\n")


def _refused_as_they_are(settings: Settings) -> Iterator[str]:
    """Addresses that are refused unless the service gets what is not in its file."""
    config = settings.config
    with_token = {"tcp", "ws"} if read_token(config.token_file) is None else set()
    with_trust = set() if config.trust_network else set(WYOMING)
    for command, name, uris in (
        ("listen", "to", config.to),
        ("serve", "serve.listen", config.serve.listen),
    ):
        for uri in uris:
            address = parse(uri, forms())
            if address.kind not in with_token | with_trust or address.loopback:
                continue
            need = "trust_network = true, if whoever reaches it may"
            if address.kind in with_token:
                need = (
                    "a token: token_file in the file, or SER_STREAM_TOKEN in the "
                    f"environment in which `{command}` runs"
                )
            yield (
                f"{settings[name].origin}: other machines may reach {uri}, so "
                f"`{command}` refuses it without {need}"
            )


def _rows(settings: Settings) -> list[dict[str, Any]]:
    """All settings as they hold; those that follow from others are worked out."""
    config = settings.config
    derived: dict[str, Any] = {
        "pace": "realtime" if config.paced else "fast",
        "wait": config.waits(service=config.serves or _under_systemd()),
    }
    try:
        bundle = load_bundle(config.model)
    except ModelError as error:
        _LOGGER.warning("the thresholds of the model are not known: %s", error)
    else:
        settings.located(lambda config: pipeline_config(config, bundle))
        derived["step"] = bundle.step_s
        longest = bundle.geometry.window_length(bundle.max_columns)
        derived["window"] = longest / SAMPLE_RATE
        for name in SmoothingConfig.__slots__:
            derived[f"smoothing.{name}"] = getattr(bundle.thresholds, name)
    rows = []
    for name in KEYS:
        setting = settings[name]
        value = derived.get(name) if setting.value is None else setting.value
        rows.append({"key": name, "value": value, "from": setting.origin})
    return rows


def _under_systemd() -> bool:
    # Of a copy: a process that starts a daemon must keep what systemd told it.
    return Notifier.from_environment(dict(os.environ)).enabled


def _text(value: object) -> str:
    if value is None or value == () or value == "":
        return "-"
    if isinstance(value, tuple):
        return " ".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
