"""Speed, latency, memory and size, measured beside peers in one run.

`python -m benchmarks` prints a table and writes docs/benchmarks.json.
"""
