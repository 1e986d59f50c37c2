"""The servers on this machine, looked for while somebody looks at the page, and a watch for each that is looked at."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence

from zmqruntime.execution.web.places import Finder, FoundPlace, Place
from zmqruntime.execution.web.topics import Topic
from zmqruntime.execution.web.watch import ServerWatch

__all__ = ["Machine", "UnknownServerError"]

_LOOK_SECONDS = 3.0
_LINGER_SECONDS = 10.0
_MOST_WATCHED = 16
_log = logging.getLogger(__name__)


class UnknownServerError(Exception):
    """No server of this name is known, or too many are looked at."""


class Machine:
    """All servers. For one event loop; does nothing while nobody looks.

    Args:
        find: looks for servers.

    Attributes:
        topic: changes with what was found.
        found: what was found last, by key; None before that.
        is_closing: whether pages end.
    """

    def __init__(self, find: Finder) -> None:
        self.topic = Topic()
        self.found: dict[str, FoundPlace] | None = None
        self.is_closing = False
        self._find = find
        self._lookers = 0
        self._looking: asyncio.Task[None] | None = None
        self._watches: dict[str, ServerWatch] = {}
        self._users: dict[str, int] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def looking(self) -> AsyncIterator[None]:
        """Look for servers every few seconds within the block."""
        self._lookers += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            self._lookers -= 1
            if not self._lookers:
                self._looking.cancel()
                self._looking = None

    @contextlib.asynccontextmanager
    async def watching(self, key: str) -> AsyncIterator[ServerWatch]:
        """Watch a server within the block, and a few seconds longer for a page that is loaded again.

        Raises:
            UnknownServerError: there is none with this key, or too many are watched.
        """
        watch = self._watches.get(key) or self._open(await self._place(key))
        self._users[key] = self._users.get(key, 0) + 1
        try:
            yield watch
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                asyncio.get_running_loop().call_later(_LINGER_SECONDS, self._end_unused, key)

    def end_pages(self) -> None:
        """Let all pages end; they come back when there is another web process."""
        self.is_closing = True
        self.topic.changed()

    async def close(self) -> None:
        """Release all connections."""
        self.end_pages()
        if self._looking is not None:
            self._looking.cancel()
        for key in list(self._watches):
            self._end(key)
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            try:
                self._put(await asyncio.to_thread(self._find))
            except OSError as error:
                _log.warning("cannot look for servers: %s", error)
            await asyncio.sleep(_LOOK_SECONDS)

    def _put(self, found: Sequence[FoundPlace]) -> None:
        known = {entry.place.key: entry for entry in found}
        if known != self.found:
            self.found = known
            self.topic.changed()

    async def _place(self, key: str) -> Place:
        """Return where a server is; one that is not known may have been started just now."""
        if self.found is None or key not in self.found:
            self._put(await asyncio.to_thread(self._find))
        assert self.found is not None
        if key not in self.found:
            raise UnknownServerError(f"there is no server {key}: look at the list of servers")
        return self.found[key].place

    def _open(self, place: Place) -> ServerWatch:
        if len(self._watches) >= _MOST_WATCHED:
            unused = next((key for key in self._watches if not self._users.get(key)), None)
            if unused is None:
                raise UnknownServerError(f"{_MOST_WATCHED} servers are looked at already: close some pages")
            self._end(unused)
        known = self._watches.get(place.key)  # opened by another page in the meantime
        if known is None:
            known = self._watches[place.key] = ServerWatch(place)
        return known

    def _end_unused(self, key: str) -> None:
        if not self._users.get(key):
            self._end(key)

    def _end(self, key: str) -> None:
        self._users.pop(key, None)
        watch = self._watches.pop(key, None)
        if watch is not None:
            task = asyncio.create_task(watch.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
