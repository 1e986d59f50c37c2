"""The sending side of ``receive``: ``send(array, port)``, and an object for loops."""

import atexit
import logging
import os
import socket
from collections.abc import Sequence
from typing import Any, Final, Self

import numpy.typing as npt

from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.streaming.array_input import as_array
from zmqruntime.streaming.backlog import Policy
from zmqruntime.streaming.checks import checked_name, checked_port, checked_seconds
from zmqruntime.streaming.compression import Compression
from zmqruntime.streaming.exceptions import StreamingError, StreamTimeoutError
from zmqruntime.streaming.metadata import plain_metadata
from zmqruntime.streaming.stream import ImageStream, StreamCounts
from zmqruntime.streaming.wire import ViewerPort

__all__ = ["Sender"]

_log = logging.getLogger(__name__)

_BUDGET: Final = 512 * 1024 * 1024
_TIMEOUT: Final = 30.0
_REST_SECONDS: Final = 2.0


class Sender:
    """Sends arrays to the receiver, or the viewer, on ``port``, now or whenever one is running. Thread-safe.

    Every array is delivered once and in order. While the receiver is slower, absent or restarted, arrays wait here, in
    at most ``memory_budget`` bytes; when that is full, ``send`` waits. With ``latest``, it never waits: only the newest
    array is kept for a receiver that is behind, and what was dropped is counted.

    Args:
        port: port of the receiver.
        host: host of a receiver on another machine; selects TCP.
        name: name of this sender, which the receiver sees [default: host name and process id].
        latest: whether to drop arrays for newer ones rather than wait.
        timeout: seconds that ``send`` waits for room, and ``close`` for the delivery of the rest.
        memory_budget: memory for arrays on their way, in bytes. A single array may use half of it.
        transport_mode: IPC or TCP [default: IPC if the platform supports it and no host is given].
        config: configuration shared by receiver and senders.
        shared_memory: whether to use shared memory where the receiver is on the same machine.
        compression: when to compress arrays between machines.

    Raises:
        ConfigurationError: the port, the timeout, the budget or the address is not valid, or the receiver's key is not
            known.
        ValueError: the name is not text, empty or longer than 200 characters.
    """

    def __init__(
        self,
        port: int = ViewerPort.ARRAYS,
        *,
        host: str | None = None,
        name: str | None = None,
        latest: bool = False,
        timeout: float = _TIMEOUT,
        memory_budget: int = _BUDGET,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig | None = None,
        shared_memory: bool = True,
        compression: Compression = Compression.AUTO,
    ) -> None:
        self.port = checked_port(port, config)
        self.name = f"{socket.gethostname()}-{os.getpid()}" if name is None else checked_name(name)
        self._latest = latest
        self._timeout = checked_seconds(timeout)
        self._is_closed = False
        self._pid = os.getpid()
        self._stream = ImageStream(
            self.port,
            host=host,
            transport_mode=transport_mode,
            config=config,
            policy=Policy.LATEST if latest else Policy.ALL,
            memory_budget=memory_budget,
            timeout=timeout,
            shared_memory=shared_memory,
            compression=compression,
            repeat=latest,
        )
        atexit.register(self._close_at_exit)

    def send(self, array: Any, /, **meta: Any) -> None:
        """Send an array with metadata. It is copied, so you may change it afterwards, unless it is from ``allocate``.

        Args:
            array: an array of NumPy, or of any library that has ``__dlpack__``: PyTorch, CuPy, JAX ...
            **meta: what to say about it: None, booleans, numbers, text, bytes, and lists and dicts of those.

        Raises:
            UnsupportedArrayError: it is not an array of plain memory.
            UnsupportedMetadataError: a value of the metadata would not arrive as it is.
            ArrayTooLargeError: the array needs more than half of the memory budget.
            StreamTimeoutError: there was no room for it in time. Never with ``latest``.
            ClosedError: the sender is closed, or was created before a fork.
        """
        found, plain = as_array(array), plain_metadata(meta)
        try:
            self._stream.send(found, layer_name=self.name, metadata=plain)
        except StreamTimeoutError as error:
            why = "its receiver is slow or stuck" if self.is_connected else "no receiver is running there"
            raise StreamTimeoutError(
                f"the memory for arrays on their way to port {self.port} was full for {self._timeout:g} s, as {why}; "
                "start or check it, raise the timeout or the memory_budget, or use latest=True"
            ) from error

    def allocate(self, shape: Sequence[int] | int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return an uninitialised array to be filled and sent without copying. Allocate one for each image.

        Sending makes the array read-only, and it stays right for reading and for sending it again. It is copied as any
        other array if you still have views of it, such as ``array[0]``, when it is sent. What NumPy does not know of
        could still change what was sent: don't write through a pointer, a ``memoryview``, or an array of another
        library or of a subclass.

        Raises:
            ValueError: the shape or the dtype is not valid.
            UnsupportedArrayError: the elements would not be plain memory.
            ArrayTooLargeError: the array needs more than half of the memory budget.
            StreamTimeoutError: there was no room in time.
            ClosedError: the sender is closed, or was created before a fork.
        """
        return self._stream.allocate(shape, dtype)

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._is_closed

    @property
    def is_connected(self) -> bool:
        """Whether a receiver is connected."""
        return self._stream.is_connected

    def wait_connected(self, timeout: float | None = None) -> None:
        """Wait for a receiver.

        Args:
            timeout: seconds to wait [default: the timeout of the sender].

        Raises:
            StreamTimeoutError: none is there in time.
        """
        seconds = self._timeout if timeout is None else timeout
        if not self._stream.wait_connected(seconds):
            raise StreamTimeoutError(
                f"no receiver was found on port {self.port} within {seconds:g} s; start one, for example with "
                f"receive({self.port}), or raise the timeout"
            )

    @property
    def counts(self) -> StreamCounts:
        """Counts of the arrays: ``displayed`` ones were taken by the receiving program, ``skipped`` ones dropped."""
        return self._stream.counts

    @property
    def dropped(self) -> int:
        """How many arrays were dropped for newer ones so far; 0 without ``latest``, unless the receiver drops them."""
        return self._stream.counts.skipped

    def flush(self, timeout: float | None = None) -> None:
        """Wait until the receiving program has taken everything that was sent, or dropped it for something newer.

        Raises:
            StreamTimeoutError: it has not confirmed that within ``timeout`` seconds [default: the timeout of the
                sender]. The arrays stay with this sender, and may still be delivered.
        """
        seconds = self._timeout if timeout is None else timeout
        try:
            self._stream.settle(seconds)
        except StreamTimeoutError as error:
            counts = self._stream.counts
            raise StreamTimeoutError(
                f"{counts.waiting + counts.in_flight} of {counts.sent} arrays were not confirmed by a receiver on port "
                f"{self.port} within {seconds:g} s; check that it is running and not stuck, or raise the timeout"
            ) from error

    def check_failed(self) -> None:
        """Check that the receiver could read everything that it has taken.

        Raises:
            StreamingError: it could not.
        """
        failed = self._stream.counts.failed
        if failed:
            raise StreamingError(
                f"the receiver on port {self.port} could not read {failed} arrays; the reason is in its log"
            )

    def close(self) -> None:
        """Wait until everything was delivered, then close. With ``latest``, wait for a connected receiver only.

        Can be called more than once. Does nothing in a forked child, where the sender is still that of the parent.

        Raises:
            StreamTimeoutError: the receiver did not confirm in time that it has taken some arrays. Those on their way
                to it may still arrive, the others are lost.
            StreamingError: the receiver could not read some arrays.
        """
        if self._is_closed or os.getpid() != self._pid:
            return
        if self._latest:
            self._end(_REST_SECONDS)
            return
        try:
            self.flush()
            self.check_failed()
        finally:
            self._end(0.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        if kind is None:
            self.close()
        else:
            self._end(_REST_SECONDS)

    def _end(self, wait: float) -> None:
        self._is_closed = True
        self._stream.close(wait)
        atexit.unregister(self._close_at_exit)

    def _close_at_exit(self) -> None:
        try:
            self.close()
        except StreamingError as error:
            _log.error("at the end of the program: %s", error)
        except KeyboardInterrupt:
            counts = self._stream.counts
            _log.error(
                "interrupted at the end of the program: %d of %d arrays were not confirmed by a receiver on port %d",
                counts.waiting + counts.in_flight,
                counts.sent,
                self.port,
            )
