"""Messages -> the day."""

from datetime import UTC, datetime
from typing import Any

from ser_stream.commands.report.counted import Counted
from ser_stream.commands.report.day import (
    NO_SPEECH,
    SPEECH,
    UNCERTAIN,
    Day,
    Outage,
    Run,
    Stretch,
    Told,
)
from ser_stream.errors import ConfigError, SourceError

LONGEST_STEP_S = 2.0
"""Seconds; where no `hello` told the step, more is a gap."""
LONGEST_EMOTION_S = 86_400.0
"""A pause ends an emotion, and nobody speaks a day without one."""
LATEST = datetime(2100, 1, 1, tzinfo=UTC).timestamp()
LONGEST_LABEL = 64
NEAR_S = 0.002
"""Times are told to the millisecond: stretches so near each other are one."""
TIMELESS = ("snapshot", "history", "bye", "reply", "pong")
OUT = ("lost", "failed", "paused")
Fields = dict[str, Any]


class Collector:
    """Takes messages in the order of the file; the same message twice counts once."""

    def __init__(self, day: Day, source: str | None = None) -> None:
        """Begin; of events of several sources, `source` is the name of the one."""
        self._day = day
        self._source = source
        # By name, in the order in which they came.
        self._sources: dict[str, None] = {}
        self._runs: dict[str, Run] = {}
        self._counted: dict[str, Counted] = {}
        self._told: dict[tuple[str, int], Told] = {}
        self._stream = ""
        self._without_hello = True
        self._step_s = LONGEST_STEP_S
        self._end_ms: float | None = None
        self._out: Outage | None = None
        self._dropped: set[tuple[str, int, int]] = set()
        self._at: float | None = None
        """Of the last event that has a time."""
        self._any = False

    def take(self, message: Fields | None) -> None:
        """One message; None, or one that lacks what it should have, is damage."""
        if message is None:
            self._day.damaged += 1
            return
        try:
            self._take(message["type"], message)
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
            self._day.damaged += 1

    def _take(self, kind: str, m: Fields) -> None:
        if (source := m.get("source")) is not None:
            self._sources[str(source)] = None
        if self._source is not None and source != self._source:
            return
        if kind == "hello":
            self._hello(m)
        elif kind == "dropped":
            self._drop(m)
        elif kind in TIMELESS:
            pass
        elif kind in ("prediction", "emotion", "status", "adaptation"):
            at, seq = _seconds(m["time"]), int(m["seq"])
            self._any, self._at = True, at
            if not self._is_new(seq, at):
                return
            if kind == "emotion":
                self._emotion(m, at)
            if kind == "prediction":
                self._prediction(m, at)
            elif kind == "status":
                self._status(m["what"], m["state"], at)
            self._seen(at)
            # At the end: the number of a damaged one may be anything.
            self._counted[self._stream].add(seq, at)
        else:
            unknown = self._day.unknown
            unknown[kind[:40]] = unknown.get(kind[:40], 0) + 1

    def _is_new(self, seq: int, at: float) -> bool:
        """Whether an event is to be counted; begins the run that it may be of."""
        counted = self._counted.setdefault(self._stream, Counted())
        place = counted.place(seq, at)
        if place == "late":
            self._day.late += self._day.period.holds(at)
        if place == "of another run":
            self._begin(f"without hello, from {at}")
            self._counted[self._stream] = Counted()
            self._without_hello, self._step_s = True, LONGEST_STEP_S
        return place in ("next", "of another run")

    def _begin(self, stream: str) -> None:
        self._stream, self._end_ms = stream, None
        # A pause is remembered over a restart; else nobody tells its end.
        if self._out is not None and self._out.state != "paused":
            self._out = None

    def _hello(self, m: Fields) -> None:
        stream, model, audio = str(m["stream"]), m["model"], m["audio"]
        labels = [str(label) for label in model["labels"]]
        step_s, t0 = float(audio["step_ms"]) / 1000, _seconds(m["t0"])
        if not 0 < step_s <= LONGEST_STEP_S:
            raise ValueError("no length of a step")
        if stream != self._stream:
            self._begin(stream)
        self._without_hello, self._step_s = False, step_s
        run = self._runs.setdefault(stream, Run(stream, t0, t0))
        run.model, run.licence = str(model["name"]), str(model["licence"])
        run.device = str(audio["device"] or audio["source"])
        known = self._day.labels
        known += [label for label in labels if label not in known]

    def _seen(self, at: float) -> None:
        run = self._runs.setdefault(self._stream, Run(self._stream, at, at))
        run.end = max(run.end, at)
        day = self._day
        if day.period.holds(at):
            day.first = at if day.first is None else min(day.first, at)
            day.last = at if day.last is None else max(day.last, at)

    def _prediction(self, m: Fields, at: float) -> None:
        end_ms, length = float(m["end_ms"]), self._step_s
        if self._end_ms is not None:
            length = min(length, max(0.0, end_ms - self._end_ms) / 1000)
        elif self._without_hello:
            length = 0.0  # nothing tells how long the first step is
        self._end_ms = end_ms
        if (state := m["state"]) not in (SPEECH, NO_SPEECH):
            raise ValueError("no state of a step")
        if state == SPEECH and m["label"] == UNCERTAIN:
            state = UNCERTAIN
        if self._day.period.holds(at):
            self._day.steps += 1
        start, end = self._day.period.clipped(at - length, at)
        if end <= start:
            return
        self._seen(start)
        stretches = self._day.stretches
        last = stretches[-1] if stretches else None
        if last and last.state == state and abs(start - last.end) < NEAR_S:
            last.end = end
        else:
            stretches.append(Stretch(state, start, end))

    def _emotion(self, m: Fields, at: float) -> None:
        length_s = (float(m["end_ms"]) - float(m["start_ms"])) / 1000
        label, sure = m["label"], float(m["confidence"])
        if not (0 <= length_s <= LONGEST_EMOTION_S and 0 <= sure <= 1):
            raise ValueError("no length, or no probability")
        if not isinstance(label, str) or not 0 < len(label) <= LONGEST_LABEL:
            raise ValueError("no label")
        key = (self._stream, int(m["id"]))
        told = self._told.setdefault(key, Told(label, at - length_s, at, sure, at))
        told.end = at
        if sure > told.confidence:
            told.confidence, told.surest = sure, at

    def _status(self, what: str, state: str, at: float) -> None:
        if state == "overflow":
            self._day.overflows += self._day.period.holds(at)
        elif what == "audio":
            if state in OUT and self._out is None:
                self._out = Outage(state, at)
                self._day.outages.append(self._out)
            elif state == "healthy" and self._out is not None:
                self._out.end = at
                self._out = None

    def _drop(self, m: Fields) -> None:
        key = (self._stream, int(m["from_seq"]), int(m["to_seq"]))
        count = int(m["count"])
        # It has no time: it is as old as what came before it.
        if self._at is not None and not self._day.period.holds(self._at):
            return
        if key not in self._dropped:
            self._day.dropped += count
        self._dropped.add(key)

    def finish(self, name: str) -> Day:
        """The day.

        Raises:
            SourceError: if there was nothing in it.
            ConfigError: if it is of several sources, or the one was not among them.
        """
        self._check_source(name)
        self._check_any(name)
        day = self._day
        day.runs = [run for run in self._runs.values() if self._touches(run)]
        day.outages = [out for out in day.outages if self._concerns(out)]
        for told in self._told.values():
            start, end = day.period.clipped(told.start, told.end)
            if end > start:
                told.start, told.end = start, end
                day.told.append(told)
        day.told.sort(key=lambda told: told.start)
        day.stretches.sort(key=lambda stretch: stretch.start)
        day.labels += sorted({t.label for t in day.told} - set(day.labels))
        return day

    def _check_source(self, name: str) -> None:
        there = ", ".join(self._sources)
        if self._source is None and len(self._sources) > 1:
            raise ConfigError(
                f"{name} has events of several sources; choose one by --source: {there}"
            )
        if self._source is not None and self._source not in self._sources:
            raise ConfigError(
                f"{name} has no events of {self._source!r}; "
                + (f"there are: {there}" if there else "they name no source")
            )

    def _check_any(self, name: str) -> None:
        if not self._any:
            what = "standard input" if name == "-" else name
            raise SourceError(
                f"{what} has told no events yet"
                if "://" in name
                else f"{what} holds no events of a daemon; `ser-stream subscribe > "
                "events.jsonl` writes such a file"
            )
        if self._day.first is None:
            first = min(run.start for run in self._runs.values())
            last = max(run.end for run in self._runs.values())
            raise SourceError(
                f"{name} has no events between --since and --until; it has some from "
                f"{_here(first)} to {_here(last)}"
            )

    def _concerns(self, out: Outage) -> bool:
        period = self._day.period
        if out.end is None:
            return period.until is None or out.start <= period.until
        start, end = period.clipped(out.start, out.end)
        return end >= start

    def _touches(self, run: Run) -> bool:
        start, end = self._day.period.clipped(run.start, run.end)
        return end >= start


def _seconds(text: str) -> float:
    """A time of the protocol -> seconds since 1970."""
    seconds = datetime.fromisoformat(text).timestamp()
    if not 0 <= seconds < LATEST:
        raise ValueError("no time of a daemon")
    return seconds


def _here(seconds: float) -> str:
    """An ISO time of here, which --since takes."""
    return datetime.fromtimestamp(seconds).isoformat(timespec="seconds")
