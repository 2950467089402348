"""The report as one HTML file, which loads nothing and runs nothing."""

from collections.abc import Iterable, Sequence
from html import escape

from ser_stream.commands.colours import colours
from ser_stream.commands.report import svg
from ser_stream.commands.report.day import Day
from ser_stream.commands.report.notes import notes
from ser_stream.commands.report.sums import Sums
from ser_stream.commands.report.text import losses, sources, span, times, when
from ser_stream.protocol.text import printable

# The policy holds whatever the names of devices, models and labels are.
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #222; --paper: #fff; --line: #ccc;
  --quiet: #e4e4e4; --speech: #a8a8a8; --doubt: #cfcfcf; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #e6e6e6; --paper: #161616;
  --line: #555; --quiet: #2c2c2c; --speech: #777; --doubt: #555; }} }}
@media print {{ :root {{ --ink: #000; --paper: #fff; --line: #999; --quiet: #e4e4e4;
  --speech: #a8a8a8; --doubt: #cfcfcf; }} section {{ break-inside: avoid; }}
  * {{ print-color-adjust: exact; }} }}
body {{ font: 1rem/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 66rem;
  padding: 0 1rem; color: var(--ink); background: var(--paper); }}
h1 {{ font-size: 1.5rem; }} h2 {{ font-size: 1.15rem; margin-top: 2rem; }}
svg {{ width: 100%; height: auto; font: 12px system-ui, sans-serif; }}
svg.rows {{ min-width: 44rem; }}
svg text {{ fill: var(--ink); }} svg text.name {{ text-anchor: middle; }}
svg text.name[fill=white] {{ fill: #fff; }} svg text.name[fill=black] {{ fill: #000; }}
svg.bar {{ width: clamp(3rem, 14vw, 10rem); height: .75rem; }}
.untold {{ fill: none; stroke: var(--line); stroke-dasharray: 3 3; }}
.no_speech {{ fill: var(--quiet); }} .uncertain {{ fill: var(--doubt); }}
.speech {{ fill: var(--speech); }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .25rem clamp(.5rem, 1.5vw, .9rem) .25rem 0; text-align: left;
  vertical-align: top;
  border-bottom: 1px solid var(--line); }}
.number {{ text-align: right; white-space: nowrap; }}
.when {{ white-space: nowrap; }}
p, h1 {{ overflow-wrap: anywhere; }}
div.scroll {{ overflow-x: auto; }}
i {{ display: inline-block; width: .9em; height: .9em; margin: 0 .4em 0 0;
  border: 1px solid var(--line); }}
.key span {{ margin-right: 1.2em; white-space: nowrap; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{sources}
<section><h2>Time in each emotion</h2>
{emotions}
<p>An emotion is told steadily, and so late; a pause of up to a second or two is part of
it.</p></section>
<section><h2>What was heard</h2>
{times}</section>
<section><h2>Timeline</h2>
<p class="key">{key}</p>
<p>Each row is {row} long.</p>
<div class="scroll">{timeline}</div></section>
<section><h2>By hour</h2>
{hours}</section>
<section><h2>Most certain</h2>
{certain}</section>
<section><h2>Losses</h2>
{losses}</section>
<section><h2>What the numbers do not mean</h2>
{notes}</section>
</main>
</body>
</html>
"""
STATES = (
    ("speech", "speech without a steady emotion"),
    ("doubt", "speech, uncertain"),
    ("quiet", "no speech"),
)

NUMBER = ' class="number"'


def page(day: Day, found: Sums) -> str:
    of = colours(day.labels)
    fields = {
        "title": f"Emotions from {when(day.start)} to {when(day.end)}",
        "sources": _paragraphs(sources(day)),
        "emotions": _emotions(found, of),
        "times": _pairs("what", "time", times(found)),
        "key": _key(of),
        "row": svg.row_words(day),
        "timeline": svg.timeline(day),
        "hours": _hours(day, found),
        "certain": _certain(found),
        "losses": _pairs("what", "how many, or when", losses(day)),
        "notes": _paragraphs(notes(run.model for run in day.runs)),
    }
    return PAGE.format(**fields)


def _emotions(found: Sums, of: dict[str, str]) -> str:
    most = max((share.seconds for share in found.shares.values()), default=0.0)
    rows = [
        [
            _text(label),
            f"<td>{svg.bar(share.seconds / most if most else 0.0, of[label])}</td>",
            _number(span(share.seconds)),
            _number(str(share.times)),
            _number(span(share.longest) if share.times else "-"),
        ]
        for label, share in found.shares.items()
    ]
    return _table(("emotion", "", "time", "times", "longest"), rows)


def _hours(day: Day, found: Sums) -> str:
    labels = [label for label in day.labels if found.shares[label].times]
    head = ["hour from", *labels]
    if day.steps:
        head += ["speech", "uncertain", "no speech"]
    rows = []
    for hour in found.hours:
        row = [_when(when(hour.start)[:16])]
        row += [_number(_span(hour.emotions.get(label))) for label in labels]
        if day.steps:
            states = ("speech", "uncertain", "no_speech")
            row += [_number(_span(hour.states.get(state))) for state in states]
        rows.append(row)
    return _table(head, rows)


def _span(seconds: float | None) -> str:
    return "-" if seconds is None else span(seconds)


def _certain(found: Sums) -> str:
    rows = [
        [
            _when(when(told.surest)),
            _text(told.label),
            _number(f"{told.confidence:.2f}"),
            _number(span(told.end - told.start)),
        ]
        for told in found.certain
    ]
    return _table(("when", "emotion", "confidence", "lasted"), rows)


def _key(of: dict[str, str]) -> str:
    named = [(f"background:{colour}", label) for label, colour in of.items()]
    named += [(f"background:var(--{name})", said) for name, said in STATES]
    named.append(("border-style:dashed", "nothing was told"))
    return " ".join(
        f'<span><i style="{style}"></i>{escape(printable(said))}</span>'
        for style, said in named
    )


def _pairs(name: str, value: str, rows: dict[str, str]) -> str:
    return _table((name, value), [[_text(a), _text(b)] for a, b in rows.items()])


def _table(head: Iterable[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "<p>Nothing was told.</p>"
    titles = "".join(
        f'<th scope="col"{NUMBER if NUMBER in cell else ""}>{escape(printable(x))}</th>'
        for x, cell in zip(head, rows[0], strict=True)
    )
    body = "\n".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{titles}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def _paragraphs(texts: Iterable[str]) -> str:
    return "\n".join(f"<p>{escape(printable(text))}</p>" for text in texts)


def _text(text: str) -> str:
    return f"<td>{escape(printable(text))}</td>"


def _when(text: str) -> str:
    return f'<td class="when">{escape(text)}</td>'


def _number(text: str) -> str:
    return f"<td{NUMBER}>{escape(text)}</td>"
