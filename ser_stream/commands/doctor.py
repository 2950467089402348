"""`ser-stream doctor`: every check in turn, whatever the others said."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

from ser_stream.commands.output import write, write_json
from ser_stream.config import ListenConfig
from ser_stream.doctor import libraries, microphone, running, settings, sound
from ser_stream.doctor.finding import Finding, Level, fail
from ser_stream.doctor.microphone_test import run_test
from ser_stream.errors import ConfigError


def doctor(file: Path | None, input: str | None, seconds: float, as_json: bool) -> bool:
    """Print what is found; return whether anything failed.

    Raises:
        ConfigError: if `input` is no microphone.
    """
    if input is not None and input != "mic" and not input.startswith("mic:"):
        raise ConfigError(
            f"the input is {input!r}; what can be looked at is mic or mic:NAME"
        )
    findings = []
    with _checks_unlogged():
        for finding in _findings(file, input, seconds):
            findings.append(finding)
            if not as_json:
                write(_line(finding))
    counts = Counter(finding.level for finding in findings)
    failed = counts[Level.FAIL] > 0
    if as_json:
        rows = [asdict(finding) for finding in findings]
        write_json({"ok": not failed, "checks": rows})
    else:
        write(f"\nfailed: {counts[Level.FAIL]}, warnings: {counts[Level.WARN]}\n")
    return failed


def _findings(
    file: Path | None, input: str | None, seconds: float
) -> Iterator[Finding]:
    read, finding = settings.read(file)
    config = None if read is None else read.config
    yield from _safely("libraries", lambda: libraries.check(config))
    yield finding
    if read is not None:
        yield from _safely("model", lambda: settings.check_model(read))
    holders: list[str] = []
    yield from _safely("socket", lambda: _daemons(holders))
    yield from _safely("permissions", running.check_folder)
    yield from _safely("service", running.check_units)
    wanted = [input] if input is not None else _configured(config)
    for number, each in enumerate(wanted):
        check = partial(_check_microphone, each, seconds, holders, devices=number == 0)
        yield from _safely("microphone", check)


@contextmanager
def _checks_unlogged() -> Iterator[None]:
    """What a check finds is in its line: the modules it uses need not say it too."""
    logger = logging.getLogger("ser_stream")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _configured(config: ListenConfig | None) -> list[str]:
    """The microphones that are configured, each once."""
    if config is None:
        return ["mic"]
    found = (one.input for one in config.sources.values() if one.is_microphone)
    return list(dict.fromkeys(found))


def _daemons(holders: list[str]) -> Iterator[Finding]:
    for path in running.sockets():
        finding, device = running.check_daemon(path)
        if finding is not None:
            yield finding
        if device:
            holders.append(f"the daemon at {path}, which records from {device}")


def _check_microphone(
    wanted: str, seconds: float, holders: list[str], *, devices: bool
) -> Iterator[Finding]:
    test = run_test(wanted.removeprefix("mic").removeprefix(":"), seconds)
    if devices:
        yield from sound.check(test.devices)
    yield from microphone.check(test, wanted, holders[0] if holders else None)


def _safely(check: str, work: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """A check that breaks is a finding too, and the others go on."""
    try:
        yield from work()
    except Exception as error:  # noqa: BLE001  whatever it is, it must be told
        yield fail(
            check,
            f"this check broke: {type(error).__name__}: {error}",
            "please report it, with this line",
        )


def _line(finding: Finding) -> str:
    level = {Level.OK: "ok", Level.WARN: "warn", Level.FAIL: "FAIL"}[finding.level]
    text = f"{level:<4}  {finding.check}: {' '.join(finding.text.split())}\n"
    return text + (f"      fix: {finding.fix}\n" if finding.fix else "")
