"""What makes a command a service.

notify       tells systemd: ready, reloading, stopping, alive
activation   takes the sockets that systemd opened
systemd      both, read from the environment once
environment  what we set in it for a moment, and other programs do not get
memory       how much of it a process has
install      writes and enables the unit files, which are in units/
"""
