"""Where things lie in the checkout."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests/data"
"""Clips, reference arrays and the scripts that made them."""
MINUTE = DATA / "emodb_minute.flac"
OPEN = ROOT / "ser_stream/bundles/open"
"""The bundle that the package carries."""
CHECKPOINT = ROOT / "training/recipe/checkpoints/open.pt"
"""What that bundle was exported from."""
TINY = DATA / "tiny.pt"
"""A checkpoint for tests that need a trained network, but not that one."""
