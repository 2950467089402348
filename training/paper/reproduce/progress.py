"""How a running cell tells how far it is."""

from collections.abc import Callable

Tell = Callable[[float], None]
"""Called with the share of the cell that is done, 0 to 1."""
