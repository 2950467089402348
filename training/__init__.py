"""Training and evaluation of CPAC: corpora, splits, the loop, calibration.

Run from a checkout with the extra `train`: `python -m training --help`.
"""
