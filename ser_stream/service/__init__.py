"""What makes a command a service.

notify       tells systemd: ready, reloading, stopping, alive
activation   takes the sockets that systemd opened
systemd      both, read from the environment once
install      writes and enables the unit files, which are in units/
"""
