"""ser-stream: a daemon that hears how people sound."""

__version__ = "0.1.0"
