"""Where executors run what is submitted while a test has a place of its own for them: in this process, or a home."""

import contextlib
import secrets
import threading
from collections.abc import Iterator

from zmqruntime.execution.executor.inline import InlineLink, InlineStore
from zmqruntime.execution.executor.link import Link, ServerLink
from zmqruntime.execution.executor.values import Pickler

__all__ = ["Links", "executors_apart", "inline_executors"]


class Links:
    """The link of an executor, and the one that stands in for it while a test has a place of its own.

    Args:
        own: The link outside of such tests.
        name: Name of the executor.
        pickler: Sends what has no other way; None to refuse it.
    """

    def __init__(self, own: Link, name: str, pickler: Pickler | None) -> None:
        self.own = own
        self._name = name
        self._pickler = pickler
        self._there: tuple[_Place, Link] | None = None

    @property
    def now(self) -> Link:
        """The link to use at the moment."""
        place = _places.current
        if place is None or isinstance(self.own, InlineLink):
            return self.own
        there = self._there
        if there is None or there[0] is not place:
            self._there = there = place, self._make(place)
        return there[1]

    def _make(self, place: "_Place") -> Link:
        link = place.link(self.own, self._name, self._pickler)
        link.on_interrupted = self.own.on_interrupted
        link.on_submitted = self.own.on_submitted
        try:
            self.own.check_open()
        except RuntimeError:
            link.shut()
        return link


@contextlib.contextmanager
def inline_executors() -> Iterator[None]:
    """Run what any executor of this process submits within the block in place, as with ``Executor(inline=True)``.

    This includes executors that were made before the block, and those of ``@task``. Executors of the same name share
    their executions, as those of one server. Other processes are not affected.
    """
    with _places.entered(_Inline()):
        yield


@contextlib.contextmanager
def executors_apart() -> Iterator[None]:
    """Connect executors to the servers of the home that this process has within the block.

    This includes executors that are connected to those of another home already. Keys that are used in the block are
    not those of other blocks, and ``Executor.executions()`` returns what was submitted in the block by this process.
    """
    with _places.entered(_Home()):
        yield


class _Place:
    """Makes the links of executors within a block."""

    def __init__(self) -> None:
        self._links: list[Link] = []

    def link(self, own: Link, name: str, pickler: Pickler | None) -> Link:
        """Return a link for an executor, which is closed with the place."""
        link = self._make(own, name, pickler)
        self._links.append(link)
        return link

    def close(self) -> None:
        """Close all links."""
        for link in self._links:
            link.close()

    def _make(self, own: Link, name: str, pickler: Pickler | None) -> Link:
        raise NotImplementedError


class _Inline(_Place):
    def __init__(self) -> None:
        super().__init__()
        self._stores: dict[str, InlineStore] = {}

    def _make(self, own: Link, name: str, pickler: Pickler | None) -> Link:
        return InlineLink(pickler, self._stores.setdefault(name, InlineStore()))


class _Home(_Place):
    def __init__(self) -> None:
        super().__init__()
        self._scope = f"{secrets.token_hex(4)}-"

    def _make(self, own: Link, name: str, pickler: Pickler | None) -> Link:
        assert isinstance(own, ServerLink), "an inline executor keeps its link"
        return ServerLink(own.options, pickler, self._scope)


class _Places:
    """The place of this process at the moment, if it has one."""

    def __init__(self) -> None:
        self.current: _Place | None = None
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def entered(self, place: _Place) -> Iterator[None]:
        """Make it the current place in the block."""
        with self._lock:
            earlier, self.current = self.current, place
        try:
            yield
        finally:
            with self._lock:
                self.current = earlier
            place.close()


_places = _Places()
