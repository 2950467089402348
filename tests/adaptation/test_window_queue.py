"""What waits for the adapter, and what it must not get any more."""

import numpy as np

from ser_stream.adaptation.window_queue import WindowQueue
from ser_stream.pipeline.values import SpeechWindow

SECOND = 16_000


def window(end_s: float, columns: int = 25) -> SpeechWindow:
    """The longest reach 2.9125 s back."""
    frames = np.zeros((8 * columns + 30, 78), np.float32)
    return SpeechWindow(frames, np.ones(5, np.float32), round(end_s * SECOND), 1)


def taken(inbox: WindowQueue) -> list[float]:
    """Seconds at which those end that wait, which are taken out."""
    found = []
    inbox.put(-1, window(1e6))  # what ends the queue
    while (item := inbox.next()) is not None and item[0] >= 0:
        found.append(item[1].end / SECOND)
    return found


def test_nothing_of_what_was_said_before_comes_after() -> None:
    inbox = WindowQueue(live=True)
    inbox.put(0, window(9.0))
    inbox.forget()
    # The stream is at 10.0 s at the earliest; all up to 12.9 s hold some of before.
    for end in (10.0, 11.0, 12.0, 12.9, 12.92, 13.9):
        inbox.put(0, window(end))
    assert taken(inbox) == [12.92, 13.9]


def test_a_short_window_is_taken_as_soon_as_it_lies_behind() -> None:
    inbox = WindowQueue(live=True)
    inbox.forget()
    for end in (10.0, 10.5, 10.7, 11.0):
        inbox.put(0, window(end, columns=1))
    assert taken(inbox) == [10.7, 11.0]


def test_a_new_stream_is_not_taken_for_an_old_one() -> None:
    inbox = WindowQueue(live=True)
    inbox.forget()
    inbox.put(0, window(5000.0))
    for end in (3.0, 4.0, 5000.5):
        inbox.put(0, window(end))
    assert taken(inbox) == [3.0, 4.0, 5000.5]
