"""The receiving side of ``send``: ``for array, meta in receive(port)``."""

import asyncio
import weakref
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.exceptions import ClosedError
from zmqruntime.streaming.checks import checked_port, checked_seconds
from zmqruntime.streaming.display import DisplayItem
from zmqruntime.streaming.exceptions import StreamTimeoutError
from zmqruntime.streaming.inbox import Arrival, Inbox, ReceiverCounts
from zmqruntime.streaming.metadata import Meta
from zmqruntime.streaming.server import StreamingVisualizerServer
from zmqruntime.streaming.wire import ImageMessage, ViewerPort

__all__ = ["Receiver", "receive"]

_WINDOW = 16

Received = tuple[npt.NDArray[Any], Meta]


class ArrayServer(StreamingVisualizerServer):
    """A viewer that shows nothing: everything goes into an inbox, on the I/O thread."""

    viewer_type = "receiver"
    has_display_thread = False

    def __init__(self, inbox: Inbox, port: int, **options: Any) -> None:
        super().__init__(port, **options)
        self._inbox = inbox

    def wake_display(self) -> None:
        """Move what has arrived into the inbox, which makes room for what follows."""
        self.display_waiting()

    def display_image(self, image_data: npt.NDArray[Any], metadata: dict[str, Any]) -> None:
        """Never called: images go into the inbox with all that came with them."""
        raise NotImplementedError

    def _show(self, item: DisplayItem) -> None:
        if isinstance(item.content, ImageMessage) and item.array is not None:
            stream = self._peers.stream_id(item.peer) or item.peer.hex()
            self._inbox.put(Arrival(stream, item.content, item.array, self.defer_ack()))
        else:
            super()._show(item)


class Receiver:
    """Receives the arrays that any number of senders send to ``port``: an iterator, also an asynchronous one.

    Each item is an array and its :class:`Meta`, a dict with the name of the sender and more. Arrays of one sender come
    in the order in which they were sent. Iterating ends when the receiver is closed. It is closed by ``close()``, at
    the end of a ``with`` block, or when there are no more references to it, so that a loop may simply be left.

    Args:
        port: the port to receive on.
        host: address to bind TCP to, for senders on other machines; ``"0.0.0.0"`` is all addresses of this machine.
        latest: whether to give only the newest array of each sender when your program is slower than they are
            [default: every array, in order].
        timeout: seconds to wait for the next array [default: without a limit].
        copy: whether to give arrays of your own, which you can change and keep [default: read-only arrays that borrow
            the memory of the sender as long as there are references to them].
        window: how many arrays of each sender may wait here. More of them wait in the memory of the sender.
        transport_mode: IPC or TCP [default: IPC if the platform supports it and no host is given].
        config: configuration shared by receiver and senders.

    Raises:
        PortInUseError: another receiver, viewer or program uses the port.
        ConfigurationError: the port or the timeout is not valid, or the address cannot be used.
    """

    def __init__(
        self,
        port: int = ViewerPort.ARRAYS,
        *,
        host: str | None = None,
        latest: bool = False,
        timeout: float | None = None,
        copy: bool = False,
        window: int = _WINDOW,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig | None = None,
    ) -> None:
        self.port = checked_port(port, config)
        self._timeout = None if timeout is None else checked_seconds(timeout)
        self._copy = copy
        self._inbox = Inbox(latest)
        server = ArrayServer(
            self._inbox, self.port, host=host, transport_mode=transport_mode, config=config, window=window
        )
        server.start()
        self._close = weakref.finalize(self, _close, self._inbox, server)
        self._close.atexit = False  # the server is closed at exit in any case

    def get(self, timeout: float | None = None) -> Received:
        """Return the next array and its metadata.

        Args:
            timeout: seconds to wait for it [default: the timeout of the receiver].

        Raises:
            StreamTimeoutError: nothing arrived in time. The receiver can still be used.
            ClosedError: the receiver is closed.
        """
        seconds = self._timeout if timeout is None else timeout
        while (found := self.take()) is None:
            self._check_open()
            if not self._inbox.wait(seconds):
                raise self._late(seconds)
        return found

    def take(self) -> Received | None:
        """Return the next array and its metadata if one has arrived, else None: for a window that draws by a timer."""
        found = self._inbox.take()
        return (np.array(found[0], order="K"), found[1]) if found is not None and self._copy else found

    @property
    def counts(self) -> ReceiverCounts:
        """What was received, dropped and waits, in total and by the name of the sender."""
        return self._inbox.counts()

    def close(self) -> None:
        """Release the port; arrays not taken stay with their senders. Can be called twice, and from any thread."""
        self._close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Received:
        try:
            return self.get()
        except ClosedError:
            raise StopIteration from None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Received:
        try:
            async with asyncio.timeout(self._timeout):
                while (found := self.take()) is None:
                    if self._inbox.is_closed:
                        raise StopAsyncIteration
                    await self._inbox.arrival()
        except TimeoutError:
            raise self._late(self._timeout) from None
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._inbox.is_closed:
            raise ClosedError(f"the receiver on port {self.port} is closed; create a new one")

    def _late(self, seconds: float | None) -> StreamTimeoutError:
        return StreamTimeoutError(
            f"no array arrived on port {self.port} within {seconds or 0:g} s; check that a sender is running with the "
            "same port and transport, or raise the timeout"
        )


def receive(
    port: int = ViewerPort.ARRAYS,
    *,
    host: str | None = None,
    latest: bool = False,
    timeout: float | None = None,
    copy: bool = False,
    window: int = _WINDOW,
    transport_mode: TransportMode | None = None,
    config: ZMQConfig | None = None,
) -> Receiver:
    """Return an iterator over the arrays that are sent to ``port``, each with its metadata.

    Use it as in ``for array, meta in receive(port)``. It is a :class:`Receiver`, with the same arguments and errors.
    """
    return Receiver(
        port,
        host=host,
        latest=latest,
        timeout=timeout,
        copy=copy,
        window=window,
        transport_mode=transport_mode,
        config=config,
    )


def _close(inbox: Inbox, server: ArrayServer) -> None:
    inbox.close()
    server.close()
