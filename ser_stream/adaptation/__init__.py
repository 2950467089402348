"""Online adaptation: the model is fitted to its speakers without labels, and guarded.

With labels, too: what users say of their own voices is in `known_speakers`.

settings, libraries   what may be set, and what must be installed
reservoir             windows of recent speech: bounded, balanced, features only
stored_windows        these windows as bytes: in a file, on their way to the child
pack                  labelled windows of the source, and the weights, beside a bundle
child_process         one round of learning in a child process: fed, watched, ended
child/                that process: the only part of the runtime that imports torch
acceptance            whether a candidate may replace the active version
regression_watch      whether an accepted version stays as good as the one before
versions/             the stored versions, which of them is active, and the history
rounds                begins rounds, decides on their candidates, stops them
window_queue          windows on their way out of the audio thread
known_speakers        what users enrolled and taught; speaker_file: on disk
voice_file            voices that a user had kept, on disk
adapter               the thread that runs all this beside the daemon
requests              what the daemon answers to `ser-stream adapt`

The audio thread hands windows over and swaps models; live, it waits for nothing here.
Everything but `child/` needs no more than numpy and ONNX Runtime.
"""
