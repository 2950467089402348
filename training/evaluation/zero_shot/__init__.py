"""How a model fares on corpora that it never heard: `python -m training unseen`.

judge     -> a bundle or a checkpoint, and what it was trained on
yardstick -> openSMILE and an SVM, trained on the same clips
run       -> metrics of each corpus, as JSON
table     -> the same, to read
"""

from training.evaluation.zero_shot.run import run
from training.evaluation.zero_shot.table import table

__all__ = ["run", "table"]
