"""Where things lie in the checkout."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests/data"
"""Clips, reference arrays and the scripts that made them."""
MINUTE = DATA / "emodb_minute.flac"
OPEN = ROOT / "ser_stream/bundles/open"
"""The packaged bundle that is the default."""
PACKAGED = ("accurate", "open", "research")
"""The bundles that the package carries."""
CHECKPOINTS = ROOT / "training/recipe/checkpoints"
"""What they were exported from."""
CHECKPOINT = CHECKPOINTS / "open.pt"
TINY = DATA / "tiny.pt"
"""A checkpoint for tests that need a trained network, but not that one."""
