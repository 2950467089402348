"""The picture and a table of the emotions, as one HTML file that loads nothing."""

import base64
import html

from ser_stream.commands.colours import colours
from ser_stream.commands.plot.clock import clock
from ser_stream.commands.plot.heard import Heard

# The policy holds whatever the names of file, model and labels are.
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>{name}</title>
<style>
body {{ font: 1rem/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem;
  padding: 0 1rem; color: #222; background: #fff; }}
h1 {{ font-size: 1.3rem; overflow-wrap: anywhere; }}
img {{ width: 100%; height: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .2rem .9rem; text-align: right; border-bottom: 1px solid #ddd; }}
th:first-child, td:first-child {{ text-align: left; }}
i {{ display: inline-block; width: .8em; height: .8em; margin-right: .5em; }}
</style>
</head>
<body>
<h1>{name}</h1>
<p>{start} to {end}, heard by the model {model}.</p>
<img src="data:image/png;base64,{picture}" alt="{alt}">
{table}
</body>
</html>
"""
TABLE = """<table>
<thead><tr><th>emotion</th><th>from</th><th>to</th><th>confidence</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>"""


def page(heard: Heard, picture: bytes) -> str:
    """The page.

    Args:
        heard: what is shown.
        picture: of it, a PNG.
    """
    of = colours(heard.labels)
    rows = [
        f'<tr><td><i style="background:{of[emotion.label]}"></i>'
        f"{html.escape(emotion.label)}</td><td>{clock(emotion.start_s)}</td>"
        f"<td>{clock(emotion.end_s)}</td><td>{emotion.confidence:.2f}</td></tr>"
        for emotion in heard.emotions
    ]
    told = "the table below lists the emotions" if rows else "no emotion was told"
    return PAGE.format(
        name=html.escape(heard.name),
        model=html.escape(heard.model),
        start=clock(heard.start_s),
        end=clock(heard.end_s),
        picture=base64.b64encode(picture).decode(),
        alt=html.escape(f"Waveform and scores of {heard.name} over time; {told}."),
        table=TABLE.format(rows="\n".join(rows)) if rows else "<p>No emotion.</p>",
    )
