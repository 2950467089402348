"""The view on the terminal, by textual: keys, sizes, what is asked of the daemon."""

import asyncio
import copy
import signal
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.widget import Widget

from ser_stream.client import control
from ser_stream.commands.watch.follow import Found, Lost, follow
from ser_stream.commands.watch.screen import Extras, screen
from ser_stream.commands.watch.sources import Sources
from ser_stream.commands.watch.state import WatchState
from ser_stream.errors import SerStreamError
from ser_stream.protocol.address import Address
from ser_stream.protocol.text import printable

REDRAW_S = 0.1
FIGURES_S = 5.0
"""Seconds between two looks at the daemon's own figures."""
NOTICE_S = 6.0
"""Seconds that the answer to a key is shown."""


class Picture(Widget):
    """All of the terminal."""

    DEFAULT_CSS = "Picture { width: 100%; height: 100%; }"

    def __init__(self) -> None:
        super().__init__()
        self.state = WatchState()
        self.extras = Extras()

    def render(self) -> Text:
        width, height = self.size
        lines = screen(self.state, width, height, self.extras)
        return Text("\n", no_wrap=True, end="").join(lines)


class WatchApp(App[None]):
    """Runs until a key, a signal, or an error that another try would not mend."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("p", "pause", "pause or resume"),
        ("f", "freeze", "freeze"),
        ("space", "freeze", "freeze"),
        ("s", "next_source", "next source"),
        ("q", "quit", "quit"),
        ("ctrl+c", "quit", "quit"),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, uri: str | None, token: str | None) -> None:
        super().__init__()
        self.error: SerStreamError | None = None
        """Why it ended, where that is not for a key or a signal."""
        self._sources = Sources(_utc_now)
        self._uri, self._token = uri, token
        self._address: Address | None = None
        self._picture = Picture()
        self._frozen: WatchState | None = None
        self._notice, self._notices = "", 0
        self._changed = True

    @property
    def state(self) -> WatchState:
        """Of the source that is shown."""
        return self._sources.state

    def compose(self) -> ComposeResult:
        yield self._picture

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Outside of the main thread, as in tests, there are none.
            with suppress(RuntimeError, ValueError):
                loop.add_signal_handler(number, self.exit)
        self.run_worker(self._follow(), exit_on_error=False)
        self.run_worker(self._look_at_figures(), exit_on_error=False)
        self.set_interval(REDRAW_S, self.show)

    def show(self) -> None:
        """Draw what has changed."""
        if not self._changed:
            return
        self._changed = False
        self._picture.state = self._frozen or self.state
        self._picture.extras = Extras(
            self._frozen is not None, self._notice, self._sources.place
        )
        self._picture.refresh()

    async def _follow(self) -> None:
        try:
            async for said in follow(self._uri, self._token):
                if isinstance(said, Found):
                    self._address = said.address
                    self._sources.begin()
                elif isinstance(said, Lost):
                    self._sources.lost(said.why)
                else:
                    self._sources.take(said)
                self._changed = True
        except SerStreamError as error:
            self.error = error
            self.exit()

    async def _look_at_figures(self) -> None:
        while True:
            if self._has_control() and self.state.link == "connected":
                state = self.state
                with suppress(SerStreamError):
                    state.figures = await self._ask("status")
                    self._changed = True
            await asyncio.sleep(FIGURES_S if self.state.figures else REDRAW_S)

    def _has_control(self) -> bool:
        return self._address is not None and self._address.kind == "unix"

    async def _ask(self, do: str) -> dict[str, Any]:
        assert self._address is not None
        where, source = str(self._address), self._sources.shown or None
        return await asyncio.to_thread(lambda: control(do, where, source=source))

    def action_freeze(self) -> None:
        """Keep the picture as it is; what comes meanwhile is shown afterwards."""
        self._frozen = None if self._frozen else copy.deepcopy(self.state)
        self._changed = True

    def action_next_source(self) -> None:
        """Show the next of several sources."""
        self._sources.next()
        self._frozen = None
        self._changed = True

    def action_pause(self) -> None:
        do = "resume" if self.state.paused else "pause"
        if self._address is None or self.state.link != "connected":
            self._say(f"no daemon is there to {do}")
        elif not self._has_control():
            self._say(f"{do} is taken on a Unix socket alone, not {self._address}")
        else:
            self.run_worker(self._control(do), exit_on_error=False)

    async def _control(self, do: str) -> None:
        self._say(f"{do} …")
        try:
            await self._ask(do)
        except SerStreamError as error:
            self._say(f"{do} refused: {error}")
        else:
            self._say(f"{do}d: the microphone is {_done(do)}")

    def _say(self, text: str) -> None:
        self._notice, self._changed = printable(text), True
        self._notices += 1
        mine = self._notices
        self.set_timer(NOTICE_S, lambda: self._unsay(mine))

    def _unsay(self, mine: int) -> None:
        if mine == self._notices:
            self._notice, self._changed = "", True


def _utc_now() -> str:
    return datetime.now(UTC).isoformat()


def _done(do: str) -> str:
    return "released" if do == "pause" else "taken again"
