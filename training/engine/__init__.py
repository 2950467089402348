"""The training loop and what every experiment needs.

fit            the one loop: any task, epoch by epoch, resumable after a kill
checkpoint     weights, the configuration that rebuilds them, and the epoch
curves         figures of each epoch: CSV and PNG
git_revision   which state of the code made a result
plotting       colours and sizes of all figures
"""
