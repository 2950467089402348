"""`ser-stream devices`: which microphones there are."""

import json
from dataclasses import asdict

from ser_stream.commands.output import write
from ser_stream.sources.devices import InputDevice, list_devices

_HEADINGS = ("", "mic:", "name", "channels", "rate", "host")


def devices(as_json: bool) -> None:
    """Write the input devices to stdout, as a table or as one JSON array.

    Raises:
        MissingLibraryError: if PortAudio is not installed.
    """
    found = list_devices()
    if as_json:
        rows = [{**asdict(device), "selector": device.selector} for device in found]
        write(json.dumps(rows, ensure_ascii=False, indent=2) + "\n")
    elif found:
        write(_table(found))
    else:
        write("There is no input device.\n")


def _table(found: list[InputDevice]) -> str:
    rows = [_HEADINGS]
    rows += [
        (
            "*" if device.default else "",
            device.selector,
            device.name,
            str(device.channels),
            f"{device.default_rate} Hz",
            device.host_api + (", monitor" if device.monitor else ""),
        )
        for device in found
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    text = "".join(line.rstrip() + "\n" for line in lines)
    return text + "\n* opened by --input mic. Others: --input mic:NAME\n"
