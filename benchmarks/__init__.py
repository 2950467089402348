"""Speed, latency, memory and size, measured beside peers in one run.

`python -m benchmarks` prints a table and writes docs/benchmarks.json. Its parts:

step             what a step costs; process: a whole `listen`; size: an installation

Beside it, `python -m benchmarks.NAME`:

models           what accuracy costs, with a picture
archive          what recordings cost that nobody waits for
streams          how many streams a core bears, and those of peers (stream_peers)
one_microphone   a daemon beside a version before, `--before REV`
serve_load       honest and hostile streams at a `serve`
monitor          what the page in the browser costs
soak             faults and load at full size
fuzz             damaged recordings, at random
"""
