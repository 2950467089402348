"""Finds what is wrong on this computer, and says how to mend it.

finding           what a check reports
asking            runs the system's own programs
libraries         Python and what is installed in it
settings          configuration and model
microphone_test   a short recording, in a process of its own
microphone        what that recording shows
sound             sound server, ALSA, permissions
running           units of systemd, and the daemon that answers
"""
