"""Who speaks: a number for each voice that is heard, nothing more.

encoder        samples -> an embedding of the voice
clusters       embeddings of turns -> voices, a bounded number of them
who_speaks     blocks of a stream -> the number of whoever speaks now

Only where it is asked for (`tell_speakers`). It has no say in what is told of emotion.
"""
