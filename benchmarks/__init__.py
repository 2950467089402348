"""Speed, latency, memory and size, measured beside peers in one run.

`python -m benchmarks` prints a table and writes docs/benchmarks.json. Beside it,
`python -m benchmarks.NAME`:

models           what accuracy costs, with a picture
archive          what recordings cost that nobody waits for
one_microphone   a daemon beside a version before, `--before REV`
"""
