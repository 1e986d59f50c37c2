"""Where each thing that was sent is: waiting, on its way, shown, or superseded. No socket, no clock, no thread.

One item is in several places at once: shown and, for a viewer that opens later, kept as the current one of its key;
done but still read by the viewer from its segment. Its memory is given back when it is in none.
"""

import enum
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from zmqruntime.streaming.pool import Block
from zmqruntime.streaming.wire import Content

__all__ = ["Backlog", "Item", "Policy"]

Key = tuple[object, ...]


class Policy(enum.StrEnum):
    """What happens to images that come faster than the viewer shows them."""

    LATEST = "latest"
    """The newest of each layer and position waits, older ones are skipped and counted; the caller never waits."""
    BLOCK = "block"
    """The caller waits until the viewer takes the image."""
    ALL = "all"
    """Every image waits its turn; the caller waits once the memory budget is full."""


@dataclass(slots=True, eq=False)
class Item:
    """Something to show. ``key`` says what supersedes it."""

    ticket: int
    content: Content
    key: Key
    block: Block
    nbytes: int
    header: bytes | None = None
    is_repeat: bool = False
    """Whether it was shown before and is sent for a viewer that opened later."""
    was_sent: bool = False
    itemsize: int = 1
    places: int = 0


class Backlog:
    """The items of one stream; ``on_free`` gets each block that is needed no more, ``on_skip`` what is given up."""

    def __init__(
        self,
        policy: Policy,
        on_free: Callable[[Block], None],
        on_skip: Callable[[Item], None] = lambda item: None,
    ) -> None:
        self.policy = policy
        self.skipped = 0
        self.waiting: OrderedDict[int, Item] = OrderedDict()
        self.in_flight: dict[int, Item] = {}
        self.in_flight_bytes = 0
        self.lent: dict[int, Item] = {}
        """What the viewer may still read from its segment."""
        self.lent_bytes = 0
        self._current: OrderedDict[Key, Item] = OrderedDict()
        self._waiting_by_key: dict[Key, Item] = {}
        self._on_free = on_free
        self._on_skip = on_skip

    @property
    def is_idle(self) -> bool:
        """Whether all that was put is done."""
        return not self.waiting and not self.in_flight

    @property
    def next_bytes(self) -> int:
        """The size of what is next to be sent, 0 if nothing waits."""
        return next((item.nbytes for item in self.waiting.values()), 0)

    def put(self, item: Item) -> None:
        """A new item waits. With ``latest`` it takes the place of the one that waits with its key."""
        older = self._waiting_by_key.get(item.key)
        if self.policy is Policy.LATEST and older is not None:
            self.skip(older)
        self._wait(item)

    def skip(self, item: Item) -> None:
        """Give up an item that waits, and count it unless it was shown before."""
        del self.waiting[item.ticket]
        if self._waiting_by_key.get(item.key) is item:
            del self._waiting_by_key[item.key]
        self.skipped += not item.is_repeat
        self._on_skip(item)
        self._leave(item)

    def skip_oldest(self) -> bool:
        """Give up the item that waits longest; False if none waits."""
        item = next(iter(self.waiting.values()), None)
        if item is not None:
            self.skip(item)
        return item is not None

    def forget_current(self) -> bool:
        """Give up the oldest item that is only kept for a viewer that opens later; False if there is none."""
        for key, item in self._current.items():
            if item.places == 1:
                del self._current[key]
                self._leave(item)
                return True
        return False

    def send_next(self, window: int, byte_limit: int) -> Item | None:
        """The next item, now on its way; None while there are ``window`` of them, or ``byte_limit`` bytes."""
        item = next(iter(self.waiting.values()), None)
        if item is None or len(self.in_flight) >= window:
            return None
        if self.in_flight and self.in_flight_bytes + item.nbytes > byte_limit:
            return None
        del self.waiting[item.ticket]
        if self._waiting_by_key.get(item.key) is item:
            del self._waiting_by_key[item.key]
        self.in_flight[item.ticket] = item
        self.in_flight_bytes += item.nbytes
        return item

    def lend(self, item: Item) -> None:
        """The viewer reads the item from its segment."""
        item.places += 1
        self.lent[item.ticket] = item
        self.lent_bytes += item.nbytes

    def released(self, ticket: int) -> None:
        """The viewer reads it no more."""
        item = self.lent.pop(ticket, None)
        if item is not None:
            self.lent_bytes -= item.nbytes
            self._leave(item)

    def done(self, ticket: int, keep: bool) -> Item | None:
        """The viewer showed it, or could not; ``keep`` it as what is current."""
        item = self.in_flight.pop(ticket, None)
        if item is None:
            return None
        self.in_flight_bytes -= item.nbytes
        older = self._current.get(item.key)
        if keep and (older is None or older.ticket <= item.ticket):
            item.is_repeat = True
            item.places += 1
            self._current[item.key] = item
            self._current.move_to_end(item.key)
            if older is not None:
                self._leave(older)
        self._leave(item)
        return item

    def lost(self) -> None:
        """The connection ended: what was on its way waits again, and what is current for the next viewer.

        With ``latest`` only what is the newest of its key does.
        """
        for ticket in list(self.lent):
            self.released(ticket)
        again = [*self.in_flight.values(), *self._current.values()]
        later = list(self.waiting.values())
        self.in_flight, self._current, self.in_flight_bytes = {}, OrderedDict(), 0
        self.waiting.clear()
        self._waiting_by_key.clear()
        for item in sorted({id(item): item for item in [*again, *later]}.values(), key=lambda item: item.ticket):
            item.places = 0
            self.put(item)

    def clear(self, layer_name: str | None) -> None:
        """Forget what is current of a layer, or of all, since the viewer was told to."""
        for key, item in list(self._current.items()):
            if layer_name in (None, item.content.layer_name):
                del self._current[key]
                self._leave(item)

    def _wait(self, item: Item) -> None:
        item.places += 1
        self.waiting[item.ticket] = item
        self._waiting_by_key[item.key] = item

    def _leave(self, item: Item) -> None:
        item.places -= 1
        if item.places == 0:
            self._on_free(item.block)
