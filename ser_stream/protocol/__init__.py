"""Protocol 1: what the daemon and its subscribers both speak.

messages                what the daemon says; protocol.schema.json has their shapes
requests                what subscribers ask
commands                what an operator may ask of the daemon
address, access_token   where to connect, and what to show there
wyoming                 what voice assistants speak instead
wall_clock              sample index -> UTC
text, live_line         lines and words as they are printed; the line that is rewritten
"""
