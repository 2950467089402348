"""How good a model is: clips, streams, corpora it never heard, adaptation."""
