"""What runs: threads, the device's recovery, requests, systemd.

daemon        puts everything together, and ends it
worker        the one thread that computes
mailbox       work that other threads hand to it, between two steps
announcer     its events as messages to all sinks
control       status, pause, resume, reload
pause_state   whether it was paused, over a restart
watchdog      what systemd is told
"""
