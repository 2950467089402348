"""The daemon under load, under faults and over hours; `docs/soak.md` is made by it.

parts                      the parts, and their stored results
load, microphone           M1, M2: all kinds of subscribers; a device that vanishes
hostile, faults            M3, M4: hostile_lines, attack; fault_limits, fault_reloads
long, service              M5: a day of audio; M6, M7: what needs systemd and a browser
brokers                    M8: an MQTT broker and a NATS server, stopped and started
fleet                      M9: workers under one NATS server, killed
listen_run                 a `ser-stream listen` on a microphone
load_generator             many subscribers in a process of their own, load_process:
listener, slow_clients     those that read and check; those that do not
recording_client           one that keeps all that it is sent
audio                      the bundled minute, over and over
usage, latency, host       what is measured, and on what
checks, progress           targets met or not; how far a part is
report, figures            the page and its pictures
"""
