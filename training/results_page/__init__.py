"""`results/`, one JSON per finished fold -> `docs/results.md`, its figures and JSON."""

from training.results_page.page import build

__all__ = ["build"]
