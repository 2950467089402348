"""Work that is handed to another thread: done once, or refused, and never later."""

import threading

import pytest

from ser_stream.daemon import mailbox as module
from ser_stream.daemon.mailbox import Mailbox
from ser_stream.errors import ConfigError, SerStreamError


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


def test_what_is_submitted_is_done_in_order_when_the_owner_comes_to_it(
    mailbox: Mailbox,
) -> None:
    done: list[int] = []
    futures = [mailbox.submit(lambda n=n: done.append(n)) for n in range(3)]  # type: ignore[misc]
    assert done == []
    mailbox.do_all()
    assert done == [0, 1, 2]
    assert all(future.done() for future in futures)


def test_it_fails_where_it_was_asked_for_and_the_next_is_done(mailbox: Mailbox) -> None:
    def wrong() -> None:
        raise ConfigError("no")

    first, second = mailbox.submit(wrong), mailbox.submit(lambda: 7)
    mailbox.do_all()
    with pytest.raises(ConfigError, match="no"):
        first.result(0)
    assert second.result(0) == 7


def test_who_calls_waits_for_the_other_thread(mailbox: Mailbox) -> None:
    answers: list[int] = []
    caller = threading.Thread(
        target=lambda: answers.append(mailbox.call(threading.get_ident))
    )
    caller.start()
    while caller.is_alive():
        mailbox.do_all()
        caller.join(0.001)
    assert answers == [threading.get_ident()]


def test_what_is_not_come_to_in_time_is_not_done_later_either(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CALL_WAIT", 0.01)
    done: list[int] = []
    with pytest.raises(SerStreamError, match="has not come to it within"):
        mailbox.call(lambda: done.append(1))
    mailbox.do_all()
    assert done == []


def test_at_the_end_the_rest_is_done_and_what_comes_later_is_refused(
    mailbox: Mailbox,
) -> None:
    before = mailbox.submit(lambda: mailbox.submit(lambda: 1))
    mailbox.close()
    for late in (before.result(0), mailbox.submit(lambda: 1)):
        with pytest.raises(SerStreamError, match="the daemon is ending"):
            late.result(0)
