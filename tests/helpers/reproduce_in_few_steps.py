"""`python -m training`, with adaptation across corpora in few and small steps.

Workers that are spawned load this module again, and so do the same.
"""

import sys
from functools import partial

from training.__main__ import main
from training.paper.reproduce import systems
from training.paper.transfer_task import TransferConfig

FEW_STEPS = partial(TransferConfig, steps=8, batch_size=8)
systems.TransferConfig = FEW_STEPS  # type: ignore[assignment, attr-defined]

if __name__ == "__main__":
    sys.exit(main())
