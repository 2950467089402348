"""`results/`, one JSON per finished fold -> `docs/results.md`, its figures and JSON."""

from training.report.page import build

__all__ = ["build"]
