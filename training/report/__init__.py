"""`results/`, one JSON per finished fold -> `docs/results.md`, its figures and JSON."""
