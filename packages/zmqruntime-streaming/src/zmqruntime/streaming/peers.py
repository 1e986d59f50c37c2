"""The producers known to a viewer, which cleans up after local ones that die."""

import os
import sys
from collections import OrderedDict
from collections.abc import Callable

from zmqruntime.identity import ProcessIdentity
from zmqruntime.loop import SocketLoop
from zmqruntime.streaming.wire import StreamHello

__all__ = ["Peers"]

_MAX_PEERS = 1000


class _ProcessEnd:
    """A file descriptor that is readable once a process has ended (pidfd_open(2))."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        os.close(self._descriptor)


class Peers:
    """The producers by connection; used on the loop's thread.

    Args:
        loop: the loop.
        on_end: called with the process of a producer that has ended.
    """

    def __init__(self, loop: SocketLoop, on_end: Callable[[ProcessIdentity], object]) -> None:
        self._loop = loop
        self._on_end = on_end
        self._hellos: OrderedDict[bytes, StreamHello] = OrderedDict()
        self._watches: dict[bytes, _ProcessEnd] = {}

    def add(self, peer: bytes, hello: StreamHello, *, watch: bool) -> None:
        """Add a producer; replaces its previous connection, if any."""
        for known in [name for name, other in self._hellos.items() if other.stream_id == hello.stream_id]:
            self.remove(known)
        if len(self._hellos) >= _MAX_PEERS:
            self.remove(next(iter(self._hellos)))
        self._hellos[peer] = hello
        owner = ProcessIdentity(hello.pid, hello.process_start)
        if watch and sys.platform == "linux" and owner.is_running():  # on other platforms the next start sweeps
            self._watch(peer, owner)

    def remove(self, peer: bytes) -> None:
        """Remove a producer."""
        self._hellos.pop(peer, None)
        watch = self._watches.pop(peer, None)
        if watch is not None:
            self._loop.remove(watch)
            watch.close()

    def ack_port(self, peer: bytes) -> int | None:
        """Return the port on which the producer's process listens for acknowledgements, if it does."""
        hello = self._hellos.get(peer)
        return None if hello is None else hello.ack_port

    def stream_id(self, peer: bytes) -> str:
        """Return the id of a producer, which it keeps when it connects again; empty if it has not introduced itself."""
        hello = self._hellos.get(peer)
        return "" if hello is None else hello.stream_id

    def close(self) -> None:
        """Remove all producers."""
        for peer in list(self._hellos):
            self.remove(peer)

    def _watch(self, peer: bytes, owner: ProcessIdentity) -> None:
        try:
            watch = _ProcessEnd(os.pidfd_open(owner.pid))
        except OSError:
            return

        def ended() -> None:
            self.remove(peer)
            self._on_end(owner)

        self._watches[peer] = watch
        self._loop.add_reader(watch, ended)
