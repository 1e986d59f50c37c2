"""Keeps track of everything that was sent: waiting, in flight, shown, or superseded. No sockets, clocks or threads.

An item can be in several places at once: shown and also kept as the current item of its key, for a viewer that opens
later; or done, but still read by the viewer from its segment. Its memory is released when it is in none of them.
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
    """What happens to images that are sent faster than the viewer shows them."""

    LATEST = "latest"
    """The newest image of each layer and position waits, older ones are skipped and counted; the caller never waits."""
    BLOCK = "block"
    """The caller waits until the viewer accepts the image."""
    ALL = "all"
    """Every image waits its turn; the caller waits once the memory budget is full."""


@dataclass(slots=True, eq=False)
class Item:
    """Something to show; it is superseded by later items with the same ``key``."""

    ticket: int
    content: Content
    key: Key
    block: Block
    nbytes: int
    header: bytes | None = None
    is_repeat: bool = False
    """Whether it was shown before and is sent again to a viewer that opened later."""
    was_sent: bool = False
    itemsize: int = 1
    places: int = 0


class Backlog:
    """The items of one stream.

    Args:
        policy: what happens to items that are sent too fast.
        on_free: called with each block that is no longer needed.
        on_skip: called with each item that is skipped.
    """

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
        """Items that the viewer may still read from their segments."""
        self.lent_bytes = 0
        self._current: OrderedDict[Key, Item] = OrderedDict()
        self._waiting_by_key: dict[Key, Item] = {}
        self._on_free = on_free
        self._on_skip = on_skip

    @property
    def is_idle(self) -> bool:
        """Whether all items are done."""
        return not self.waiting and not self.in_flight

    @property
    def next_bytes(self) -> int:
        """The size of the next item to be sent; 0 if none is waiting."""
        return next((item.nbytes for item in self.waiting.values()), 0)

    def put(self, item: Item) -> None:
        """Add an item. With ``latest`` it replaces a waiting item with the same key."""
        older = self._waiting_by_key.get(item.key)
        if self.policy is Policy.LATEST and older is not None:
            self.skip(older)
        self._wait(item)

    def skip(self, item: Item) -> None:
        """Drop a waiting item, and count it unless it was shown before."""
        del self.waiting[item.ticket]
        if self._waiting_by_key.get(item.key) is item:
            del self._waiting_by_key[item.key]
        self.skipped += not item.is_repeat
        self._on_skip(item)
        self._leave(item)

    def skip_oldest(self) -> bool:
        """Drop the item that has been waiting longest; return False if none is waiting."""
        item = next(iter(self.waiting.values()), None)
        if item is not None:
            self.skip(item)
        return item is not None

    def forget_current(self) -> bool:
        """Drop the oldest item that is only kept for a viewer that opens later; return False if there is none."""
        for key, item in self._current.items():
            if item.places == 1:
                del self._current[key]
                self._leave(item)
                return True
        return False

    def send_next(self, window: int, byte_limit: int) -> Item | None:
        """Move the next item in flight and return it; None if ``window`` items or ``byte_limit`` bytes are already."""
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
        """Note that the viewer reads the item from its segment."""
        item.places += 1
        self.lent[item.ticket] = item
        self.lent_bytes += item.nbytes

    def released(self, ticket: int) -> None:
        """Note that the viewer no longer reads the item."""
        item = self.lent.pop(ticket, None)
        if item is not None:
            self.lent_bytes -= item.nbytes
            self._leave(item)

    def done(self, ticket: int, keep: bool) -> Item | None:
        """Note that the viewer has shown the item, or could not; ``keep`` it as the current one of its key."""
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
        """Queue items in flight and current items again for the next viewer, after the connection has ended.

        With ``latest`` only the newest item of each key is queued.
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
        """Forget the current items of a layer, or of all layers, after the viewer was cleared."""
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
