"""Paths beside the figures that tell whether all is well, for whoever restarts us."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

Check = Callable[[], str]
"""What is wrong; empty if nothing is. Called in a thread of its own."""


def with_checks(
    figures: "WSGIApplication", checks: Mapping[str, Check]
) -> "WSGIApplication":
    """An application that answers at these paths, and with figures at all others.

    Args:
        figures: answers the rest.
        checks: by path, as `/healthz`: answered by 200, or by 503 and what is wrong.
    """

    def answer(
        environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        check = checks.get(environ["PATH_INFO"])
        if check is None:
            return figures(environ, start_response)
        wrong = check()
        body = f"{wrong or 'ok'}\n".encode()
        headers = [("Content-Type", "text/plain; charset=utf-8")]
        headers += [("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
        start_response("503 Service Unavailable" if wrong else "200 OK", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    return answer
