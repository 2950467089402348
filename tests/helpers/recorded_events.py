"""What a daemon said of the bundled minute, as messages; heard once for a test run."""

import functools

from ser_stream.protocol.messages import Message
from tests.helpers.paths import MINUTE
from tests.helpers.program import messages, run


@functools.cache
def recorded() -> tuple[Message, ...]:
    """From `hello` to `bye`, without the `snapshot` that a subscriber gets."""
    done = run("listen", "--input", MINUTE, "--pace", "fast")
    assert done.returncode == 0, done.stderr
    return tuple(Message(fields) for fields in messages(done.stdout))


def until(start: str) -> tuple[Message, ...]:
    """The messages up to the first `update` of an emotion with this label."""
    said = recorded()
    for n, message in enumerate(said):
        fields = message.fields
        if fields.get("phase") == "update" and fields.get("label") == start:
            return said[: n + 1]
    raise AssertionError(f"{start} is not in the minute")
