"""Of a daemon that hears several sources, a state for each; one of them is shown."""

from collections.abc import Callable

from ser_stream.client import Message
from ser_stream.commands.watch.state import WatchState


class Sources:
    """Takes the messages of all; the first source is shown until another is."""

    def __init__(self, clock: Callable[[], str]) -> None:
        self._clock = clock
        self._states = {"": WatchState(clock=clock)}
        self._greeted: set[str] = set()
        self.shown = ""
        """Its name; empty for the only one."""

    @property
    def state(self) -> WatchState:
        """Of the one that is shown."""
        return self._states[self.shown]

    @property
    def place(self) -> tuple[int, int]:
        """Which of how many is shown, from 1."""
        names = list(self._states)
        return names.index(self.shown) + 1, len(names)

    def next(self) -> None:
        """Show the next; after the last, the first."""
        names = list(self._states)
        self.shown = names[(names.index(self.shown) + 1) % len(names)]

    def begin(self) -> None:
        """A daemon answered; it may hear others than the one before."""
        self._greeted.clear()

    def lost(self, why: str) -> None:
        """There is no connection."""
        for state in self._states.values():
            state.lost(why)

    def take(self, message: Message) -> None:
        """Give a message to the state that it is for."""
        if message["type"] == "bye":
            self.state.take(message)
            return
        name = message.get("source", "")
        if message["type"] == "hello":
            self._greeted.add(name)
            self._states.setdefault(name, WatchState(clock=self._clock))
        elif message["type"] != "snapshot":
            # By now it has greeted us for each.
            self._forget_others()
        if name in self._states:
            self._states[name].take(message)
        if self.state.hello is None and name in self._states:
            # Nothing was ever heard of what is shown.
            if name:
                del self._states[self.shown]
            self.shown = name

    def _forget_others(self) -> None:
        if self._greeted != self._states.keys() and self._greeted:
            kept = {n: s for n, s in self._states.items() if n in self._greeted}
            self._states = kept
            if self.shown not in kept:
                self.shown = next(iter(kept))
