"""What runs under `ser-stream serve`: many clients' audio in, events to each of them.

serving         puts everything together, and ends it
server          the sockets; senders: who may send, and how many
sender          one client: what it says, and what it is told
byte_transport  a client by Unix socket or TCP; audio_websocket: by WebSocket;
                twilio_websocket: a telephone call;
                wyoming_transport: a voice assistant
nats_input      clients by a NATS server, which shares them out among workers
client_stream   one client's audio on its way to messages
compute_loop    the one thread that computes all streams
occupation      how much of its time it does so
tally           what has happened since the start
server_state    how the server is, for figures, `status` and systemd
reloading       what SIGHUP does
"""
