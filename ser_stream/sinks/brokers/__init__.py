"""Messages to topics of a broker that others run: MQTT and NATS.

settings          who we are there, and what Home Assistant is told: `broker.*`
link              one broker: connect, deliver, begin again; its queue and its counts
publisher         a sink of any number of links, in one loop
outbox            what waits for a broker, within bounds
present           what holds now, of each source: what a broker retains
daemon_threads    where a library waits for the network, and nobody for the library
mqtt, nats        the two protocols; home_assistant: what MQTT discovery publishes;
                  mqtt_client, nats_server: what their libraries leave to us
access            how a broker knows us, and we know it

A prediction is worth nothing later, so none waits for a broker that is away. Emotions
and statuses do.
"""
