"""Speed, latency, memory and size, measured beside peers in one run.

<<<<<<< HEAD
`python -m benchmarks` prints a table and writes docs/benchmarks.json; `python -m
benchmarks.models` what accuracy costs, with a picture; `python -m benchmarks.archive`
what recordings cost that nobody waits for; `python -m benchmarks.streams` how many
streams a core bears.
=======
`python -m benchmarks` prints a table and writes docs/benchmarks.json. Beside it,
`python -m benchmarks.NAME`:

models           what accuracy costs, with a picture
archive          what recordings cost that nobody waits for
one_microphone   a daemon beside a version before, `--before REV`
>>>>>>> 98850313b8f30318f4caa4d0d517a7b946a01c7f
"""
