"""The training loop and what every experiment needs: checkpoints, files, plots."""
