#!/usr/bin/env python3
"""Prints each emotion as it begins, and what happens to the microphone.

Usage: subscribe.py [URI]
"""

import sys

from ser_stream.client import connect


def main() -> None:
    """Print until it is interrupted."""
    uri = sys.argv[1] if len(sys.argv) > 1 else None
    with connect(uri, only=["emotion", "status"]) as stream:
        for message in stream:
            if message["type"] == "hello":
                text = f"the model knows {', '.join(message['model']['labels'])}"
            elif message["type"] == "emotion" and message["phase"] == "start":
                text = f"{message['time']} {message['label']} {message['confidence']}"
            elif message["type"] == "status":
                text = f"{message['time']} {message['what']} {message['state']}"
            else:
                continue
            print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
