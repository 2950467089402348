"""What survives a restart: versions of the model, which is active, and the history.

store        the folder of one model, held by one daemon; safe to kill at any instant
state        the active version and the history of rounds, as values
state_file   that state as `state.json`
bundles      the adapted versions on disk
active       which version the pipeline runs, and how that changes
"""
