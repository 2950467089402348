"""`docs/soak.md`, from nothing but the kept results."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.soak import figures
from benchmarks.soak.parts import PARTS, load, table

Result = dict[str, Any]

HEAD = """\
# The daemon under load, faults and time

This page is made by `make soak` from `{folder}/*.json`, one file a part, and is not
edited by hand. A part is kept as soon as it is finished: stop it when you like, the
same command goes on with the next one.

```
make soak                                                # all of it
.venv/bin/python -m benchmarks.soak hostile faults       # some parts
.venv/bin/python -m benchmarks.soak --scale 0.02 --out /tmp/trial
```

Each part starts a real `ser-stream listen` in a folder of its own, on a Unix socket and
on TCP (127.0.0.1), and looks at it from outside. The subscribers are one process that
has nothing of ser-stream in it but the protocol. Sound is the minute of speech in
`tests/data`, over and over. Chance is seeded. `make test` runs the same faults small.

"""
PROTOCOLS = """
## How it was measured

- **load.** {load}
- **microphone.** A virtual sound server's microphone is taken away and given back; see
  `benchmarks/soak/microphone.py`.
- **hostile.** So many lines of each kind, all kinds in turn, eight times: huge (16 KB
  to 1 MB without an end), binary, deeply nested, no JSON object, wrong types, half (and
  gone), written byte by byte (200 at a time), and bursts of 200 connections that write
  a bad line and vanish. Honest subscribers read beside them.
- **faults.** A subscriber beside them reads all the time; undisturbed means that it got
  every event once, in order, a prediction every 200 ms.
- **fast.** The samples go through a pipe, and the pipeline waits for subscribers: five
  read all of it, five more at a time come and go. The speed was {speed} times real
  time.
- **realtime.** The same at its own pace.
- **service**, **page.** Tests with a systemd and a browser, run once more.
- *Healthy* subscribers check that `hello` and `snapshot` come first, that the first
  prediction follows the snapshot, that each `seq` is the last one plus 1, that a
  prediction ends every 200 ms, and that all got the same bytes.
- *Slow* ones read a line a second from a buffer of 4 KB; in the end they read the rest,
  and what is missing must be what `dropped` said.
- *Line latency* is the time of receipt less `time`, the UTC of the end of the audio
  that a prediction hears: waiting for the source, computing, the socket, and the
  reading process. *Delivery* is receipt less (`time` + `latency_ms`).
- Memory is resident memory as the kernel counts it, descriptors are the entries of
  `/proc/PID/fd`, both sampled each second; MB are 10^6 bytes.
"""
LOAD = (
    "Two equal rounds against one daemon: {healthy} healthy subscribers, {deaf} that "
    "never read, {slow} that read a line a second, {fickle} that come, stay a second "
    "on average, and go, half of them with a reset in the middle of a line; "
    "{round_s:.0f} s each. Then CPU with so many healthy subscribers only."
)


def write(out: Path) -> Path:
    """Write the page beside the folder of results; its path."""
    found = {name: load(out, name) for name in PARTS}
    results = {name: result for name, result in found.items() if result}
    figures.draw(results, out)
    page = out.with_suffix(".md")
    page.write_text("".join(_text(results, out)), "utf-8")
    return page


def _text(results: dict[str, Result], out: Path) -> Iterator[str]:
    yield HEAD.format(folder=out)
    yield "| id | what | target | measured | met |\n| --- | --- | --- | --- | --- |\n"
    for row in table(results):
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n"
    yield "\n"
    yield from _figures(results, out)
    yield PROTOCOLS.format(load=_load(results), speed=_speed(results))
    yield "\n## Where and when\n\n"
    yield "| part | finished | minutes | scale | machine |\n"
    yield "| --- | --- | --- | --- | --- |\n"
    for name, result in results.items():
        yield (
            f"| {name} | {result['date']} | {result['seconds'] / 60:.1f} | "
            f"{result['scale']:g} | {result['cores']} cores of {result['cpu']}, "
            f"{result['system']}, Python {result['python']}, "
            + ", ".join(f"{k} {v}" for k, v in result["versions"].items())
            + " |\n"
        )


def _figures(results: dict[str, Result], out: Path) -> Iterator[str]:
    load = results.get("load", {})
    if "rounds" in load:
        yield "| load | p50 | p99 | p99.9 | most | lines |\n"
        yield "| --- | ---: | ---: | ---: | ---: | ---: |\n"
        for number, one in enumerate(load["rounds"], 1):
            for kind, times in one["found"]["times"].items():
                what = "line latency" if kind == "line_ms" else "delivery"
                yield (
                    f"| {what}, ms, round {number} | "
                    + " | ".join(
                        str(times[key])
                        for key in ("p50", "p99", "p99.9", "max", "lines")
                    )
                    + " |\n"
                )
        yield "\n"
    yield f"![latency and processor]({out.name}/load.png)\n\n"
    yield f"![memory over time]({out.name}/memory.png)\n"


def _load(results: dict[str, Result]) -> str:
    load = results.get("load", {})
    if "rounds" not in load:
        return "Not run."
    return LOAD.format(round_s=load["round_s"], **load["rounds"][0]["subscribers"])


def _speed(results: dict[str, Result]) -> str:
    return str(results.get("fast", {}).get("speed", "(not run)"))
