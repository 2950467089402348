"""Speed, latency, memory and size, measured beside peers in one run.

`python -m benchmarks` prints a table and writes docs/benchmarks.json, by `step`,
`process` and `size`. Beside it, `python -m benchmarks.NAME`:

models           what accuracy costs, with a picture
archive          what recordings cost that nobody waits for
folds_at_once    folds trained one by one, and together
one_microphone   a daemon beside a version before, `--before REV`
fuzz             damaged recordings through the reader
monitor          the web monitor in a real browser
soak             load, faults and hours
"""
