"""The child process that adapts: the only part of the runtime that needs torch.

Nothing here is imported by the daemon; it is run, as `python -m`.
"""
