"""Many streams on one core: `python -m benchmarks.streams [--json FILE]`.

Each stream is the bundled minute without the pauses between its utterances, over and
over, begun at its own place and its own moment, and comes in real time: pieces of 20 ms
by the clock. One thread takes, each tick, what has come, feeds the streams together and
builds the lines of their predictions. The latency of a step runs from the arrival of
its last sample until its line is built. Then how far scores are from those of each
stream alone, and what others' programs cost, turn by turn with ours in the same process
(`benchmarks.stream_peers`).
"""

import argparse
import csv
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.soak.host import description
from ser_stream.atomic_file import replace_file
from ser_stream.model import Model
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.pipeline import Pipeline
from ser_stream.pipeline.together import feed_together
from ser_stream.pipeline.values import (
    SAMPLE_RATE,
    Chunk,
    FloatArray,
    Prediction,
    StreamEvent,
)
from ser_stream.protocol.messages import MessageBuilder
from training.corpora.utterance import read_samples

MINUTE = Path("tests/data/emodb_minute.flac")
STREAMS = (1, 10, 50, 100, 250, 300)
HEARD_S = 4.0
"""Of each stream before the clock runs, so that all windows are of full length."""
LATE_MS = 100.0
"""What 99 of 100 steps must not exceed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, nargs="+", default=STREAMS)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each number")
    parser.add_argument("--piece-ms", type=float, default=20.0, help="that arrives")
    parser.add_argument("--tick-ms", type=float, default=20.0, help="least, of a turn")
    parser.add_argument("--core", type=int, help="run on this one alone")
    parser.add_argument("--runs", type=int, default=1, help="of each number")
    parser.add_argument("--model", default="open")
    parser.add_argument("--rounds", type=int, default=5, help="with peers; 0: none")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    model, speech = Model(load_bundle(options.model)), continuous_speech()
    result: dict[str, Any] = {"machine": description(), "streams": []}
    for n in [n for n in options.streams for _ in range(options.runs)]:
        streams = [Stream(model, speech, i, n) for i in range(n)]
        figures = in_real_time(
            streams, options.seconds, options.piece_ms / 1000, options.tick_ms / 1000
        )
        result["streams"].append(figures)
        _say(f"{n} streams", figures)
    result["together_and_alone"] = beside_alone(model)
    _say("together and alone", result["together_and_alone"])
    if options.rounds:
        # Now, and not before: beside PyTorch's objects, Python's collector of garbage
        # takes a quarter of a second.
        from benchmarks import stream_peers

        result["peers"] = stream_peers.measure(
            model, speech, feed_of(model, speech), options.rounds
        )
        _say("peers", result["peers"])
    if options.json:
        replace_file(options.json, json.dumps(result, indent=1) + "\n")


def continuous_speech() -> FloatArray:
    """The utterances of the minute one after the other, (n,)."""
    samples = read_samples(MINUTE)
    with MINUTE.with_suffix(".csv").open(newline="") as file:
        spans = [
            [round(float(row[name]) * SAMPLE_RATE / 1000) for name in _SPAN]
            for row in csv.DictReader(file)
        ]
    return np.concatenate([samples[begin:end] for begin, end in spans])


_SPAN = ("start_ms", "end_ms")


class Stream:
    """One microphone, and what is said of it."""

    def __init__(self, model: Model, speech: FloatArray, number: int, of: int) -> None:
        """Number `number` of so many, whose steps fall due evenly over time."""
        self.pipeline = Pipeline(model.recognizer, model.bundle.front_end, model.config)
        self.messages = MessageBuilder()
        self.labels = model.recognizer.labels
        self.phase_s = model.config.step_s * number / of
        self._speech = speech
        self._place = round(number * len(speech) / of)
        self.at = 0

    def next(self, n: int) -> Chunk:
        """The next `n` samples."""
        begin = (self._place + self.at) % len(self._speech)
        samples = self._speech[begin : begin + n]
        if len(samples) < n:
            samples = np.concatenate([samples, self._speech[: n - len(samples)]])
        chunk = Chunk(self.at, samples)
        self.at += n
        return chunk


@dataclass(slots=True)
class Told:
    """A step of a stream."""

    stream: int
    end: int
    latency_s: float
    spoken: bool


def in_real_time(
    streams: list[Stream], seconds: float, piece_s: float, tick_s: float
) -> dict[str, Any]:
    """What so many streams cost, and how late their lines are."""
    piece, told = round(piece_s * SAMPLE_RATE), list[Told]()
    for _ in range(round(HEARD_S / piece_s)):
        feed_together([(stream.pipeline, stream.next(piece)) for stream in streams])
    for stream in streams:
        stream.at = round(HEARD_S / piece_s) * piece
    ends = [stream.at for stream in streams]
    taken = [0] * len(streams)
    begin, cpu = time.monotonic(), time.process_time()
    turn, held_up = begin, [0.0]
    while (now := time.monotonic()) < begin + seconds:
        used = time.thread_time()
        work, whose = [], []
        for i, stream in enumerate(streams):
            for _ in range(int((now - begin - stream.phase_s) / piece_s) - taken[i]):
                work.append((stream.pipeline, stream.next(piece)))
                whose.append(i)
                taken[i] += 1
        for i, events in zip(whose, feed_together(work), strict=True):
            stream = streams[i]
            for event in events:
                if isinstance(event, Prediction):
                    # The piece with the last sample came when it was complete.
                    pieces = -(-(event.end - ends[i]) // piece)
                    came = begin + stream.phase_s + pieces * piece_s
                    late_ms = 1000 * (time.monotonic() - came)
                    _ = stream.messages.prediction(event, stream.labels, late_ms).line
                    late = time.monotonic() - came
                    told.append(Told(i, event.end, late, event.scores is not None))
        # What the system gave to others while there was something to do.
        held_up.append(time.monotonic() - now - (time.thread_time() - used))
        turn = max(turn + tick_s, now)
        time.sleep(max(0.0, turn - time.monotonic()))
    cpu, wall = time.process_time() - cpu, time.monotonic() - begin
    return {
        "streams": len(streams),
        **_figures(streams, told, cpu, wall),
        "held_up_by_others_percent": round(100 * max(0.0, sum(held_up)) / wall, 1),
        "held_up_by_others_max_ms": round(1000 * max(held_up), 1),
    }


def _figures(
    streams: list[Stream], told: list[Told], cpu: float, wall: float
) -> dict[str, Any]:
    n = len(streams)
    late = np.array([1000 * one.latency_s for one in told])
    p50, p99 = np.percentile(late, (50, 99)).tolist()
    step_s = streams[0].pipeline.config.step_s
    # A step that fell due in the last moments need not have been told.
    due = n * int((wall - LATE_MS / 1000 - step_s) / step_s)
    skipped = max(0, due - len(told))
    for i in range(n):
        steps = [one.end for one in told if one.stream == i]
        hop = round(step_s * SAMPLE_RATE)
        skipped += sum((b - a) // hop - 1 for a, b in pairwise(steps))
    return {
        "holds": p99 <= LATE_MS and not skipped,
        "p50_ms": round(p50, 1),
        "p99_ms": round(p99, 1),
        "max_ms": round(float(late.max()), 1),
        "steps": len(told),
        "with_speech": round(sum(one.spoken for one in told) / len(told), 3),
        "skipped": skipped,
        "core_percent": round(100 * cpu / wall, 1),
        "core_percent_a_stream": round(100 * cpu / wall / n, 3),
        "streams_a_core": round(n * wall / cpu),
    }


def beside_alone(model: Model, n: int = 24, seconds: float = 20.0) -> dict[str, Any]:
    """Streams of the minute with its pauses, together and one by one: how they differ.

    Pieces are of odd lengths, other ones for each stream.
    """
    minute = read_samples(MINUTE)
    events: list[list[list[StreamEvent]]] = []
    for together in (True, False):
        streams = [Stream(model, minute, i, n) for i in range(n)]
        of: list[list[StreamEvent]] = [[] for _ in streams]
        while streams[0].at < seconds * SAMPLE_RATE:
            work = [
                (stream.pipeline, stream.next(997 + 37 * i))
                for i, stream in enumerate(streams)
            ]
            found = (
                feed_together(work)
                if together
                else [pipeline.feed(chunk) for pipeline, chunk in work]
            )
            for some, new in zip(of, found, strict=True):
                some += new
        events.append(of)
    pairs = [
        pair
        for ours, theirs in zip(*events, strict=True)
        for pair in zip(ours, theirs, strict=True)
    ]
    scores = [
        float(abs(a.scores - b.scores).max())
        for a, b in pairs
        if isinstance(a, Prediction)
        and isinstance(b, Prediction)
        and a.scores is not None
        and b.scores is not None
    ]
    return {
        "streams": n,
        "steps_with_speech": len(scores),
        "same_events": all(_what(a) == _what(b) for a, b in pairs),
        "most_difference_of_scores": max(scores),
    }


def _what(event: StreamEvent) -> tuple[object, ...]:
    kind = event.state if isinstance(event, Prediction) else event.type
    return kind, event.start, event.end, getattr(event, "label", None)


def feed_of(model: Model, speech: FloatArray) -> Callable[[int, float], None]:
    """Ours, as fast as it goes: seconds of audio of 250 streams, or of one."""
    kinds = {n: [Stream(model, speech, i, n) for i in range(n)] for n in (1, 250)}
    piece, piece_s = round(0.02 * SAMPLE_RATE), 0.02

    def feed(n: int, seconds: float) -> None:
        # Pieces come at their own moments, so that a tenth of the streams is due.
        for _turn in range(round(seconds / piece_s)):
            events = feed_together([(s.pipeline, s.next(piece)) for s in kinds[n]])
            for stream, some in zip(kinds[n], events, strict=True):
                for event in some:
                    if isinstance(event, Prediction):
                        _ = stream.messages.prediction(event, stream.labels, 0.0).line

    for n, streams in kinds.items():
        for i, stream in enumerate(streams):
            stream.pipeline.feed(stream.next(round(3200 * i / n)))
        feed(n, HEARD_S)
    return feed


def _say(name: str, figures: object) -> None:
    sys.stdout.write(f"{name}: {json.dumps(figures)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
