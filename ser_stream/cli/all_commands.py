"""All commands: importing a module of them adds them, in the order of --help."""

from importlib import import_module

for _name in (
    "listen",
    "serve",
    "send",
    "subscribe",
    "watch",
    "control",
    "speakers",
    "adapt",
    "recordings",
    "plot",
    "report",
    "config",
    "machine",
    "model",
    "service",
):
    import_module(f"ser_stream.cli.{_name}")
