"""Audio to one of many `ser-stream serve`, by a NATS server that chooses which.

A worker that falls silent is given up after a second, and the stream is opened anew: at
another, which tells by a `status` how much audio nobody heard.
"""

import asyncio
import contextlib
import threading
import time
from itertools import count
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from ser_stream.client.errors import AccessError, UnreachableError
from ser_stream.client.lines import as_message, decode, encode
from ser_stream.client.messages import Message
from ser_stream.client.opening import Opening, ended
from ser_stream.client.sending import SentStream
from ser_stream.client.subscription import raise_refusal
from ser_stream.errors import ConfigError, MissingLibraryError, SerStreamError
from ser_stream.protocol.address import bracketed

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

PORT = 4222
SILENCE_S = 1.0
"""Seconds without a sign of life after which a worker is given up."""
RETRY_S = 0.2
"""Between two questions for a worker, while none answers."""
HEAD_START_S = 1.0
"""Seconds by which audio may be written before it was spoken: nobody holds us back."""
PIECE = 128 * 1024
"""Bytes of audio in one message; NATS takes a megabyte."""
SAMPLE_SIZES = {"s16": 2, "s24": 3, "s32": 4, "f32": 4, "alaw": 1, "mulaw": 1}
"""Bytes of a sample, by the encodings that are sent by NATS."""


class NatsStream(SentStream):
    """As `SentStream`, but its worker may change; then `hello` comes again."""

    def __init__(self, opening: Opening) -> None:
        """Open a stream at a worker of these.

        Raises:
            ConfigError: if the encoding is one whose length nobody knows.
            AccessError: if the server refuses the token, or us without one.
            UnreachableError: if there is no server, or no worker with room.
            MissingLibraryError: if nats-py is not installed.
        """
        if opening.encoding not in SAMPLE_SIZES:
            raise ConfigError(
                f"encoding is {opening.encoding}; by NATS allowed are "
                f"{', '.join(SAMPLE_SIZES)}"
            )
        try:
            from nats.aio.client import Client
        except ImportError as error:
            raise MissingLibraryError(
                f"nats:// needs nats-py ({error}); pip install 'ser-stream[nats]'"
            ) from error
        self._opening = opening
        self._address = address = opening.address
        fields = opening.fields
        self._frame = fields["channels"] * SAMPLE_SIZES[opening.encoding]
        """Bytes of one sample of all channels."""
        self._per_s = fields["rate"] * self._frame
        self._begun_frame = b""
        """Of one whose rest the next `write` has."""
        self._make = Client
        self._prefix = address.path.replace("/", ".")
        self._messages: SimpleQueue[Message | SerStreamError | None] = SimpleQueue()
        self._failure: SerStreamError | None = None
        self._ended = self._over = False
        self._begun: float | None = None
        self._written_s = 0.0
        # The loop's thread alone has these.
        self._audio = self.worker = ""
        self._heard = 0.0
        self._inbox = ""
        self._numbers = count(1)
        self._placed = asyncio.Event()
        self._done = asyncio.Event()
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        self._ready.wait()
        failure: SerStreamError | None = self._failure
        if failure is not None:
            self.close()
            raise failure

    # Of whoever has it.

    def write(self, samples: Any) -> None:
        """Send samples, as that of `SentStream`; waits while far ahead of the clock.

        Raises:
            UnreachableError: if no worker has room any more.
            ConfigError: if it was ended.
        """
        if self._ended:
            raise ended()
        now = time.monotonic()
        if self._begun is None:
            self._begun = now
        data = self._begun_frame + self._opening.sample_bytes(samples)
        # Whole frames: a piece may be lost, and what follows must not become noise.
        whole = len(data) // self._frame * self._frame
        data, self._begun_frame = data[:whole], data[whole:]
        # Half a second at most, so that nothing comes in floods.
        step = max(1, min(PIECE, self._per_s // 2) // self._frame) * self._frame
        for start in range(0, len(data), step):
            if self._failure is not None:
                raise self._failure
            piece = data[start : start + step]
            self._written_s += len(piece) / self._per_s
            try:
                self._loop.call_soon_threadsafe(self._send, piece)
            except RuntimeError:  # Another thread has closed it.
                raise ended() from None
            ahead = self._written_s - (time.monotonic() - self._begun)
            if ahead > HEAD_START_S:
                time.sleep(ahead - HEAD_START_S)

    def end(self) -> None:
        """No more audio comes; `events` goes on to the last."""
        if not self._ended:
            self._ended = True
            self._loop.call_soon_threadsafe(self._send, b"")

    def close(self) -> None:
        """Leave, whatever is still to be told."""
        if self._over:
            return
        self._over = self._ended = True
        self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join()
        self._loop.close()

    # Of the loop's thread.

    def _cancel(self) -> None:
        self._done.set()
        if self._task is not None:
            self._task.cancel()

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._task = self._loop.create_task(self._run())
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)
        # What the library has left.
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._messages.put(None)
        self._ready.set()

    def _fail(self, error: SerStreamError) -> None:
        self._failure = error
        self._messages.put(error)
        self._cancel()

    async def _run(self) -> None:
        client = self._make()
        place = f"{bracketed(self._address.host)}:{self._address.port or PORT}"
        connected = False

        async def failed(error: Exception) -> None:
            if not connected:
                # Else the library itself would try again, for long.
                raise error

        try:
            await client.connect(
                f"{self._address.kind}://{place}",
                token=self._opening.token,
                connect_timeout=max(1, round(self._opening.timeout)),
                reconnect_time_wait=1,
                max_reconnect_attempts=-1,
                ping_interval=2,
                max_outstanding_pings=2,
                error_cb=failed,
            )
        except Exception as error:  # noqa: BLE001  the library raises what it likes
            await _close(client)
            reason = (str(error) or type(error).__name__).removeprefix("nats: ")
            if "authorization" in reason.lower():
                whom = (
                    "a client without a token"
                    if self._opening.token is None
                    else "the token"
                )
                text = f"{self._address} refuses {whom}; SER_STREAM_TOKEN may hold it"
                self._fail(AccessError(text, "wrong_token"))
                return
            self._fail(UnreachableError(f"{self._address} is not reached: {reason}"))
            return
        connected = True
        try:
            self._inboxes = client.new_inbox()
            await client.subscribe(f"{self._inboxes}.*", cb=self._take)
            await self._place(client, 0.0)
            # Besides being cancelled: what is waited for may come at that moment.
            while not self._done.is_set():
                await asyncio.sleep(SILENCE_S / 10)
                silent = self._loop.time() - self._heard
                if (silent > SILENCE_S or not self._placed.is_set()) and not self._over:
                    await self._place(client, silent)
        finally:
            await _close(client)

    async def _place(self, client: "Client", lost_s: float) -> None:
        """Find a worker; `lost_s` was lost so far."""
        self._placed.clear()
        self._client = client
        since = self._loop.time() - lost_s
        give_up = self._loop.time() + self._opening.timeout
        while not (self._placed.is_set() or self._done.is_set()):
            # A new one each time: what an earlier worker still says is not for us.
            inbox = self._inbox = f"{self._inboxes}.{next(self._numbers)}"
            opening = dict(self._opening.fields)
            if lost_s:
                opening["lost_s"] = round(self._loop.time() - since, 3)
            with contextlib.suppress(Exception):
                await client.publish(
                    f"{self._prefix}.open", encode(opening).rstrip(), reply=inbox
                )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._placed.wait(), 2 * RETRY_S)
            if self._placed.is_set():
                break
            if self._loop.time() > give_up:
                text = f"{self._address}: no worker has room, or none is there"
                self._fail(UnreachableError(text))
            await asyncio.sleep(RETRY_S)
        if self._ended:
            self._send(b"")

    async def _take(self, message: "Msg") -> None:
        if message.subject != self._inbox:
            return
        if not message.data:
            return  # the server says that nobody answers to that subject
        try:
            self._follow(message)
        except SerStreamError as error:
            # Of another version, or no worker of ours: the library would say nothing.
            self._fail(error)

    def _follow(self, message: "Msg") -> None:
        self._heard = self._loop.time()
        fields = decode(message.data)
        if fields["type"] == "placed":
            self._audio, self.worker = fields["audio"], fields["worker"]
            self._placed.set()
        elif fields["type"] == "reply" and not fields["ok"]:
            if fields["error"]["code"] == "too_many":
                # It was the last place of that worker; another may have one.
                self._inbox = ""
                return
            raise_refusal(fields, self._address, fields.get("id"))
        elif (
            fields["type"] == "bye"
            and fields["reason"] in ("shutdown", "failed")
            and not self._ended
        ):
            # The worker goes, the stream does not.
            self._placed.clear()
        else:
            self._tell(as_message(fields))

    def _tell(self, message: Message | None) -> None:
        if message is None:
            return
        if message["type"] == "hello" and not self._ready.is_set():
            self.hello = message
            self._ready.set()
        self._messages.put(message)
        if message["type"] == "bye" and self._failure is None:
            self._failure = UnreachableError(
                f"{self._address} ended the stream: {message['reason']}"
            )
            self._cancel()

    def _send(self, data: bytes) -> None:
        if self._placed.is_set():
            self._loop.create_task(self._publish(self._audio, data))
        # Else it is lost; how much, the next worker is told.

    async def _publish(self, subject: str, data: bytes) -> None:
        with contextlib.suppress(Exception):
            await self._client.publish(subject, data)


async def _close(client: "Client") -> None:
    # It may complain of the very connection that was lost.
    with contextlib.suppress(Exception):
        await asyncio.wait_for(client.close(), 1)
