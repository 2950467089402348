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
streams          how many streams a core takes; stream_peers: other programs beside it
one_microphone   a daemon beside a version before, `--before REV`
monitor/         the web monitor in a real browser
soak/            faults, load and hours
fuzz             damaged recordings

Of the table: process, step and size.
"""
