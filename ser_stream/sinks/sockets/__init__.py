"""One asyncio loop, in a thread of its own, that serves subscribers on sockets."""
