"""Which settings of `Smoother` suit labelled recordings best.

streams.py   what is searched upon: recorded predictions, and what was labelled
replay.py    what the smoother would have said, with thousands of settings at once
figures.py   how good that is: coverage, accuracy, delay of a change, flips
search.py    the settings that meet a rule with the least delay

The recogniser runs once; only the smoothing is replayed, and exactly.
"""
