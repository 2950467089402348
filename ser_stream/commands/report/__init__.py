"""`ser-stream report`: a day of a daemon's events, as one page or a few lines.

period   since when, and until when
lines    a file of events, torn or not -> messages
daemon   a daemon that runs -> the events that it still holds
day      what was told, by wall-clock time
collect  messages -> the day
counted  which events of a run were counted
sums     the day -> time in each emotion, hours, what was most certain
text     these as lines
page     these as one HTML file
svg      its pictures
notes    what the numbers do not mean
"""

import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

from ser_stream.atomic_file import replace_file
from ser_stream.commands.out_file import require_folder_of
from ser_stream.commands.output import write, write_json
from ser_stream.commands.report.collect import Collector
from ser_stream.commands.report.daemon import held_by
from ser_stream.commands.report.day import Day
from ser_stream.commands.report.lines import messages, opened
from ser_stream.commands.report.page import page
from ser_stream.commands.report.period import Period, moment
from ser_stream.commands.report.sums import as_json, sums
from ser_stream.commands.report.text import text
from ser_stream.commands.subscribe import read_token
from ser_stream.errors import ConfigError, SinkError

_LOGGER = logging.getLogger(__name__)


def report(
    events: str,
    *,
    since: str | None = None,
    until: str | None = None,
    out: Path | None = None,
    json: bool = False,
    token_file: Path | None = None,
    source: str | None = None,
) -> None:
    """Tell what a file of events holds, or a daemon.

    Args:
        events: JSON lines as `subscribe` writes them, perhaps gzipped; `-` for stdin;
            or the address of a daemon, which holds an hour.
        since: only what is later: `8h`, `2d` or an ISO time; None for all.
        until: only what is earlier, likewise.
        out: an HTML file to write; None for lines on standard output.
        json: one JSON object instead of lines.
        token_file: holds the token of a daemon at tcp:// or ws://.
        source: the name of the one to tell of, where the events are of several.

    Raises:
        ConfigError: if a time is none, or it is not clear whose events are meant.
        SourceError: if the file cannot be read, or has no events of that time.
        SinkError: if the page cannot be written.
    """
    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--out {out} ends in no .html; the report is a page")
    if out is not None:
        require_folder_of(out)
    now = datetime.now(UTC)
    first, last = moment("--since", since, now), moment("--until", until, now)
    period = Period(first, last)
    if first is not None and last is not None and last <= first:
        raise ConfigError(
            f"--since {since} is not before --until {until}, so nothing lies between"
        )
    day = _read(events, period, token_file, source)
    if day.late:
        _LOGGER.warning(
            "%d events are left out, as they came after later ones of their run; join "
            "files in the order in which they were written: zcat $(ls -v events-*.gz)",
            day.late,
        )
    found = sums(day)
    if out is not None:
        try:
            replace_file(out, page(day, found))
        except OSError as error:
            raise SinkError(
                f"{out} cannot be written: {error.strerror or error}"
            ) from None
        sys.stderr.write(f"written: {out}\n")
    if json:
        write_json(as_json(day, found))
    elif out is None:
        write(text(day, found))


def _read(
    events: str, period: Period, token_file: Path | None, source: str | None
) -> Day:
    collector = Collector(Day(period), source)
    if "://" in events:
        token = read_token(token_file) if token_file else None
        for held in held_by(events, token, source):
            collector.take({**held})
        return collector.finish(events)
    with opened(events) as lines:
        for message in messages(lines):
            collector.take(message)
    return collector.finish(events)
