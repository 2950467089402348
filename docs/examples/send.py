#!/usr/bin/env python3
"""Sends a recording as if it were spoken now, and prints each emotion as it begins.

Usage: send.py FILE URI
"""

import sys
import threading
import time

import soundfile

from ser_stream.client import SentStream, send

PIECE_S = 0.1


def speak(stream: SentStream, path: str) -> None:
    """Send a file in pieces, in real time."""
    with soundfile.SoundFile(path) as file:
        for piece in file.blocks(round(file.samplerate * PIECE_S), dtype="int16"):
            stream.write(piece)
            time.sleep(PIECE_S)
    stream.end()


def main() -> None:
    """Print until the last event."""
    path, uri = sys.argv[1:]
    about = soundfile.info(path)
    with send(uri, rate=about.samplerate, channels=about.channels) as stream:
        threading.Thread(target=speak, args=(stream, path), daemon=True).start()
        for event in stream.events():
            if event["type"] == "emotion" and event["phase"] == "start":
                text = f"{event['time']} {event['label']} {event['confidence']}"
                print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
