"""`ser-stream serve` under load: honest streams in real time, and hostile ones.

run       the measurement, and what is checked
honest    clients that send speech as it is spoken; how late each step is told
hostile   clients that do everything else
child     either of them in a process of its own
"""
