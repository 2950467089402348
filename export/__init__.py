"""Checkpoint -> bundle: graphs, parity proof, manifest, card."""
