"""The recogniser fits itself to who is in front of it, without labels, and is watched.

settings, libraries   what may be set, and what must be installed
reservoir             speech that was heard: bounded, balanced, features only
kept_windows          its windows, and how they travel as bytes
pack                  labelled windows of the source, and the weights, beside a bundle
round_runner          one round of learning in a child process: fed, watched, ended
child/                that process: the only part of the runtime that imports torch
gate                  whether what a round made may take over
entropy               how undecided scores are, for gate and watch
watch                 whether what took over goes on being as good
store                 what survives; history, state_file and versions are its parts
rounds                begins rounds, judges what comes of them, stops them
in_force              which version the daemon hears with, and how that changes
inbox                 windows on their way out of the audio thread
adapter               the thread that runs all this beside the daemon
requests              what the daemon answers when it is asked about it

The audio thread hands windows over and swaps models; live, it waits for nothing here.
Everything but `child/` needs no more than numpy and ONNX Runtime.
"""
