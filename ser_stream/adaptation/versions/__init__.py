"""What survives a restart: versions of the model, which is active, and the history."""
