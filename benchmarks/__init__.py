"""Speed, latency, memory and size, measured beside peers in one run.

`python -m benchmarks` prints a table and writes docs/benchmarks.json. Beside it,
`python -m benchmarks.NAME`:

models           what accuracy costs, with a picture
archive          what recordings cost that nobody waits for
streams          how many streams a core takes; stream_peers: other programs beside it
one_microphone   a daemon beside a version before, `--before REV`
serve_load       honest and hostile streams at a `serve`
speakers         what `--tell-speakers` costs
training_step    a training step: in torch's operations, and as trained here
folds_at_once    folds trained one by one, and together
fuzz             damaged recordings through the reader
monitor          the web monitor: what it costs, and its pictures
soak             the daemon under load, under faults and over hours

Of the first: process (the whole program at real-time pace), step (CPU of one step),
size (of a base installation). child_process: a load beside what is measured.
"""
