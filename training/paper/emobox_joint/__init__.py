"""EmoBox's folds by one network for all corpora: `python -m training emobox-joint`.

folds           what each joint fold trains on and scores
clip_decision   steps of a clip -> one class of its corpus
run             a result beside those of `reproduce` for each corpus of each fold
"""

from training.paper.emobox_joint.run import run

__all__ = ["run"]
