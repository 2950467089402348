"""A small HTTP server: a thread a request, quiet, patient with nobody."""

import socket
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from ser_stream.protocol.address import Address

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

REQUEST_TIMEOUT = 5.0
"""Seconds for a request to come in; slower ones are dropped."""


def open_server(place: Address, application: "WSGIApplication") -> WSGIServer:
    """Bind and listen.

    Raises:
        OSError: if that cannot be done.
    """
    server = _Server6 if ":" in place.host else _Server
    return make_server(place.host, place.port, application, server, _Quiet)


class _Quiet(WSGIRequestHandler):
    """Logs no requests, and waits for none for ever."""

    timeout = REQUEST_TIMEOUT

    def log_message(self, format: str, *values: Any) -> None:
        """Nothing."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left is no news."""


class _Server6(_Server):
    address_family = socket.AF_INET6
