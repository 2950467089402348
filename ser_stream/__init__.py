"""ser-stream: a daemon for live speech emotion recognition."""

__version__ = "0.1.0"
