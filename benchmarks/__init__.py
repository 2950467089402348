"""Speed, latency, memory and size, measured beside peers in one run.

`python -m benchmarks` prints a table and writes docs/benchmarks.json; `python -m
benchmarks.models` what accuracy costs, with a picture; `python -m benchmarks.archive`
what recordings cost that nobody waits for; `python -m benchmarks.one_microphone` a
daemon beside a version before.
"""
