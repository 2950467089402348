"""The report as lines."""

from datetime import datetime

from ser_stream.commands.output import aligned
from ser_stream.commands.report.day import NO_SPEECH, SPEECH, UNCERTAIN, Day, Run
from ser_stream.commands.report.notes import MEANING
from ser_stream.commands.report.sums import Sums
from ser_stream.protocol.text import printable

MOST_OUTAGES = 30
"""That are listed; --json has all."""
STATES = {
    SPEECH: "speech with a label",
    UNCERTAIN: "speech, uncertain",
    NO_SPEECH: "no speech",
}


def text(day: Day, found: Sums) -> str:
    lines = [f"from {when(day.start)} to {when(day.end)}", *(sources(day)), ""]
    rows = [("emotion", "time", "times", "longest")]
    for label, share in found.shares.items():
        rows.append((label, span(share.seconds), str(share.times), span(share.longest)))
    lines += aligned(rows) if found.shares else ["no emotion was told"]
    lines += ["", *aligned(list(times(found).items()))]
    if found.certain:
        lines += ["", "most certain"]
        lines += aligned(
            [
                (when(t.surest), t.label, f"{t.confidence:.2f}", span(t.end - t.start))
                for t in found.certain
            ]
        )
    lines += ["", *aligned(list(losses(day).items())), "", MEANING]
    return "\n".join(printable(line) for line in lines) + "\n"


def sources(day: Day) -> list[str]:
    """A line for each device with each model; they may have been started often."""
    groups: dict[tuple[str, str, str], list[Run]] = {}
    for run in day.runs:
        groups.setdefault((run.device, run.model, run.licence), []).append(run)
    lines = []
    for (device, model, licence), runs in groups.items():
        who = f"{device} with model {model} (licence {licence})" if model else ""
        count = f" in {len(runs)} runs" if len(runs) > 1 else ""
        start, end = min(r.start for r in runs), max(r.end for r in runs)
        who = who or "what no hello among the events tells"
        lines.append(f"heard {who}{count}, from {when(start)} to {when(end)}")
    return lines


def times(found: Sums) -> dict[str, str]:
    """How long there was speech, doubt, silence, and nothing told."""
    if found.states is None or found.untold is None:
        return {"speech": "not told: there are no predictions among the events"}
    told = {STATES[state]: span(seconds) for state, seconds in found.states.items()}
    return told | {"not told": span(found.untold)}


def losses(day: Day) -> dict[str, str]:
    """What was lost, as the events tell it."""
    rows = {"overflows": str(day.overflows)}
    for number, out in enumerate(day.outages[:MOST_OUTAGES], 1):
        end = "an end that was not told" if out.end is None else when(out.end)
        rows[f"outage {number}"] = f"{out.state}, from {when(out.start)} to {end}"
    if len(day.outages) > MOST_OUTAGES:
        rows["more outages"] = str(len(day.outages) - MOST_OUTAGES)
    rows["steps not written"] = f"{day.dropped}, for the reader was slow"
    if day.damaged:
        rows["damaged lines"] = str(day.damaged)
    if day.late:
        rows["events out of order"] = f"{day.late}, left out"
    if day.unknown:
        rows["unknown messages"] = ", ".join(f"{n} {k}" for k, n in day.unknown.items())
    return rows


def when(seconds: float) -> str:
    """A time of here, to the second."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float) -> str:
    """`4.2 s`, under a minute; then m:ss or h:mm:ss."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"
