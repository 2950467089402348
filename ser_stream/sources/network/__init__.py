"""Audio that a client sends over a connection: wire form -> chunks.

open_request  what a client says of its audio, and what is allowed
incoming      bytes that came -> chunks, in two threads
arrivals      when bytes came, though many wait
raw_samples   bare samples; ogg_stream: Opus or Vorbis in Ogg, as it comes
page_pipe     pages of Ogg -> a pipe, as its reader takes them
twilio        the messages of a telephone call by Twilio
wyoming_form  what a voice assistant says of its samples
"""
