"""Speed, latency, memory and size, measured beside peers in one run.

`python -m benchmarks` prints a table and writes docs/benchmarks.json; `python -m
benchmarks.models` what accuracy costs, with a picture; `python -m benchmarks.archive`
what recordings cost that nobody waits for; `python -m benchmarks.folds_at_once` whether
folds are trained faster together.
"""
