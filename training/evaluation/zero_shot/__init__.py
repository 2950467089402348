"""A model on corpora that are not in its training: `python -m training zero-shot`.

scored_model         a bundle or a checkpoint, and what it was trained on
opensmile_baseline   openSMILE and an SVM, trained on the same clips
run                  metrics of each corpus, as JSON
table                the same, to read
"""

from training.evaluation.zero_shot.run import run
from training.evaluation.zero_shot.table import table

__all__ = ["run", "table"]
