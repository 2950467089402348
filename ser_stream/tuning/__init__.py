"""Which settings of `Smoother` suit labelled recordings best.

streams   what is searched upon: recorded predictions, and what was labelled
replay    what the smoother would have said, with thousands of settings at once
figures   how good that is: coverage, accuracy, recall, delay of a change, flips
search    the settings that meet a rule with the largest recall of time

The recogniser runs once; only the smoothing is replayed, and exactly.
"""
