"""Sockets that systemd opened are taken over, and nothing else is."""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence

import pytest

CHILD = """
import os, sys
from ser_stream.errors import SinkError
from ser_stream.service.activation import inherited_sockets
if {own}:
    os.environ["LISTEN_PID"] = str(os.getpid())
try:
    for each in inherited_sockets():
        print(each.getsockname()[1], os.get_inheritable(each.fileno()))
        if {answer}:
            connection, _ = each.accept()
            connection.sendall(b"hello")
            connection.close()
        each.close()
except SinkError as error:
    print(error)
print([name for name in os.environ if name.startswith("LISTEN_")])
"""


def start(
    descriptors: Sequence[int], *, own: bool = True, answer: bool = False
) -> "subprocess.Popen[str]":
    """A process with these descriptors from 3 on, as systemd starts one."""

    def arrange() -> None:
        # Out of each other's way first.
        high = [os.dup2(each, 100 + n) for n, each in enumerate(descriptors)]
        for number, each in enumerate(high):
            os.dup2(each, 3 + number)

    return subprocess.Popen(
        [sys.executable, "-c", CHILD.format(own=own, answer=answer)],
        env={
            **os.environ,
            "LISTEN_FDS": str(len(descriptors)),
            "LISTEN_PID": "1",
            "LISTEN_FDNAMES": "ser-stream.socket",
        },
        stdout=subprocess.PIPE,
        text=True,
        close_fds=False,
        preexec_fn=arrange,
    )


def said(process: "subprocess.Popen[str]") -> list[str]:
    with process:
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return output.splitlines()


def test_a_listening_socket_is_taken_over_and_children_do_not_get_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with start([listener.fileno()], answer=True) as process:
            with socket.create_connection(("127.0.0.1", port), timeout=120) as client:
                assert client.makefile("rb").read() == b"hello"
            assert said(process) == [f"{port} False", "[]"]


def test_several_sockets_come_in_their_order() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as first,
        socket.create_server(("127.0.0.1", 0)) as second,
    ):
        ports = [each.getsockname()[1] for each in (second, first)]
        process = start([second.fileno(), first.fileno()])
        assert said(process) == [f"{port} False" for port in ports] + ["[]"]


def test_sockets_meant_for_another_process_are_left_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert said(start([listener.fileno()], own=False)) == ["[]"]


def test_what_does_not_listen_is_refused_with_what_the_unit_needs() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        assert said(start([datagrams.fileno()])) == [
            "descriptor 3, handed over by systemd, is no listening stream socket; the "
            ".socket unit needs ListenStream= and Accept=no",
            "[]",
        ]


def test_what_is_no_socket_is_refused() -> None:
    with open(os.devnull, "rb") as file:  # noqa: PTH123
        (error, _) = said(start([file.fileno()]))
    assert error.startswith("descriptor 3, which systemd should have handed over")


@pytest.mark.parametrize("count", ["", "x", "-1", "0"])
def test_a_count_that_is_none_means_no_sockets(count: str) -> None:
    from ser_stream.service.activation import inherited_sockets

    environment = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": count, "HOME": "/"}
    assert inherited_sockets(environment) == []
    assert environment == {"HOME": "/"}
