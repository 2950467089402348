"""The torch side shared by training and adaptation: needs the extra `train` or `adapt`.

Nothing of the runtime imports this package but the adaptation worker.
"""
