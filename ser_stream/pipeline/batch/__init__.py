"""Whole recordings, in fewer and longer calls than a stream can wait for.

    pieces -> steps (listening -> speech, frames -> columns) -> scored

detector   Silero over a stretch of frames at once, ahead of the gate
steps      a cut of samples -> its steps, with the columns of their windows
columns    the windows of a turn -> their columns
scored     steps -> features together, then scores and emotions one by one
record     pieces of recordings -> what the live pipeline would say of them

What decides is the live pipeline's: the gate, the windows' extents, the front end, the
speaker, the smoothing. Only how much is computed in one call differs, so scores are the
same but for rounding.
"""
