"""What makes a command a service: systemd's notifications, sockets and unit files."""
