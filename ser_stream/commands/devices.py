"""`ser-stream devices`: which microphones there are."""

from dataclasses import asdict

from ser_stream.commands.output import aligned, write, write_json
from ser_stream.sources.devices import InputDevice, list_devices


def devices(as_json: bool) -> None:
    """Write the input devices to stdout, as a table or as one JSON array.

    Raises:
        MissingLibraryError: if PortAudio is not installed.
    """
    found = list_devices()
    if as_json:
        rows = [{**asdict(device), "selector": device.selector} for device in found]
        write_json(rows, indent=2)
    elif found:
        write(_table(found))
    else:
        write("There is no input device.\n")


def _table(found: list[InputDevice]) -> str:
    rows = [("", "mic:", "name", "channels", "rate", "host")]
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
    legend = "* opened by --input mic. Others: --input mic:NAME\n"
    return "\n".join([*aligned(rows), "", legend])
