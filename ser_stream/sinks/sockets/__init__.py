"""One asyncio loop, in a thread of its own, that serves subscribers on sockets.

loop_thread          that thread
server               addresses, connections and messages, put together
listeners            sockets that accept connections: unix_socket, tcp_socket, websocket
transport            one connection: stream_transport (unix, TCP), websocket_transport,
                     wyoming_transport
socket_options       buffers and time-outs of a connection
subscriber           what one connection asks, and what it is sent
subscribers          all of them: limits, counts, the newest message to each
web_files            the page's files, and how a browser may use them
drop_queue           lines that wait for one subscriber, and the count of dropped ones
backpressure         how long audio may wait for subscribers: not at all when live
history, replay      the last hour of events; sent to one that asks
snapshot             the present state of the stream, for a subscriber that joins
control_request      a request that another thread answers

web/ is what `http://HOST:PORT/` shows, a page in the browser.
"""
