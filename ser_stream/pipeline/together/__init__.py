"""Many streams, whose steps that fall due together are computed together.

streams      `feed_together`: chunks of several streams -> what each causes, in rounds
hearing      the detector of speech, over the frames of all that listen
framing      the front end, over the blocks of all
recognising  the encoder and the head, over the windows of all

What decides is each stream's own (`ser_stream.pipeline.pipeline`); only what it asks to
have computed (`ser_stream.pipeline.computation`) is put together with what others ask.
"""

from ser_stream.pipeline.together.streams import StreamsError, feed_together

__all__ = ["StreamsError", "feed_together"]
