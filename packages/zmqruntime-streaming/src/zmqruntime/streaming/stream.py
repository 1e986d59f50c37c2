"""The producer's side: sends arrays, shapes and points to a viewer, without making the pipeline wait for it."""

import atexit
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Self

import msgspec
import numpy as np
import numpy.typing as npt

from zmqruntime.address import Address
from zmqruntime.codec import encode
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.exceptions import ConfigurationError
from zmqruntime.messages import ROIMessage, Shape, ShapesMessage
from zmqruntime.streaming.backlog import Policy
from zmqruntime.streaming.checks import checked_budget, checked_port, checked_seconds, checked_shape
from zmqruntime.streaming.compression import Compression
from zmqruntime.streaming.engine import StreamEngine
from zmqruntime.streaming.exceptions import ArrayTooLargeError, StreamTimeoutError, UnsupportedArrayError
from zmqruntime.streaming.frames import MemoryOrder, check_array, decode_array, encode_array, encode_header
from zmqruntime.streaming.loans import Loans
from zmqruntime.streaming.pool import Block
from zmqruntime.streaming.wire import Content, ImageMessage, PointsMessage, Position, ViewerAction, ViewerPort

__all__ = ["ImageStream", "StreamCounts"]

_BUDGET = 512 * 1024 * 1024
_TIMEOUT = 30.0
_CLOSE_SECONDS = 2.0
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class StreamCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of a stream at one moment; ``sent`` is the sum of the five after it."""

    sent: int
    displayed: int
    failed: int
    skipped: int
    """Dropped for something newer, or for lack of room."""
    waiting: int
    in_flight: int
    """Sent to the viewer, but not yet displayed."""
    memory_bytes: int
    """Size of all blocks, in use or free; never more than the budget."""


class ImageStream:
    """Shows arrays in the viewer on ``port``, whenever one is running. Thread-safe.

    Arrays are sent through shared memory if the viewer can open it, and otherwise as frames. The newest array of each
    layer and position is kept within the memory budget and sent to a viewer that is opened later or again.

    Args:
        port: data port of the viewer.
        host: host of a TCP viewer; giving one selects TCP.
        transport_mode: IPC or TCP [default: IPC if the platform supports it and no host is given].
        config: configuration shared by viewer and producers.
        policy: what happens to images that are sent faster than the viewer shows them.
        memory_budget: memory for the copies of the stream, in bytes. A single array may use half of it.
        timeout: default timeout of calls, in seconds.
        shared_memory: whether to use shared memory.
        compression: when to compress frames.
        repeat: whether a viewer that is opened later, or again, gets the current arrays.

    Raises:
        ConfigurationError: an argument is not valid, or the viewer's key is not known.
    """

    def __init__(
        self,
        port: int = ViewerPort.NAPARI,
        *,
        host: str | None = None,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig | None = None,
        policy: Policy = Policy.LATEST,
        memory_budget: int = _BUDGET,
        timeout: float = _TIMEOUT,
        shared_memory: bool = True,
        compression: Compression = Compression.AUTO,
        repeat: bool = True,
    ) -> None:
        address = Address.of(checked_port(port, config), host, transport_mode, config)
        budget = checked_budget(memory_budget)
        if policy not in set(Policy):
            raise ConfigurationError(f"unknown policy {policy!r}; choose latest, block or all")
        self.policy = Policy(policy)
        self._timeout = checked_seconds(timeout)
        self._sender = StreamEngine(address, self.policy, budget, shared_memory, compression, repeat)
        self._loans = Loans(self._sender.give_back_later, self._sender.let_go_later)
        atexit.register(self._close_at_exit)

    # --- sending ---------------------------------------------------------------------------------------------------

    def send(
        self,
        array: npt.NDArray[Any],
        *,
        layer_name: str = "image",
        position: Position | None = None,
        metadata: Mapping[str, Any] = _NOTHING,
        image_id: str | None = None,
        copy: bool = True,
        timeout: float | None = None,
    ) -> str:
        """Show an array. It is copied once, unless it is from :meth:`allocate`.

        Args:
            array: an array of any shape, and any dtype of plain memory.
            layer_name: the layer to show it in.
            position: place in the layer; an array replaces the previous one with the same layer and position.
            metadata: further metadata for the viewer's ``display_image``: strings, numbers, lists and maps.
            image_id: its id in acknowledgements [default: a new id].
            copy: if False, you promise not to change the array afterwards, so that it doesn't have to be copied.
            timeout: in seconds [default: that of the stream]; only the policies ``block`` and ``all`` wait.

        Returns:
            The id.

        Raises:
            UnsupportedArrayError: the elements are not plain memory, or the metadata is not plain data.
            ArrayTooLargeError: the array needs more than half of the memory budget.
            StreamTimeoutError: there was no room in time.
            ClosedError: the stream was closed.
        """
        content = ImageMessage(
            image_id=image_id or self._sender.new_id(),
            layer_name=layer_name,
            position=position or {},
            metadata=dict(metadata),
        )
        self._send_array(np.asanyarray(array), content, "image", copy, self._deadline(timeout))
        return content.image_id

    def allocate(
        self, shape: Sequence[int] | int, dtype: npt.DTypeLike, timeout: float | None = None
    ) -> npt.NDArray[Any]:
        """Return an uninitialised array to be filled and sent without copying. Allocate one for each image.

        Sending makes the array read-only; reading it, and sending it again, remains right. It is copied as any other
        array if there was no room for it in the memory of the stream, or if you still have views of it, such as
        ``array[0]``, when it is sent; then it stays writable. What NumPy does not know of could still change an image
        that was sent: don't write through a pointer, a ``memoryview``, or an array of another library or of a subclass.

        Raises:
            ValueError: the shape or the dtype is not valid.
            UnsupportedArrayError: the elements would not be plain memory.
            ArrayTooLargeError: the array needs more than half of the memory budget.
            StreamTimeoutError: there was no room in time.
            ClosedError: the stream was closed.
        """
        found = np.dtype(dtype)
        sizes = checked_shape(shape)
        check_array(np.empty(0, found))
        nbytes = int(np.prod(sizes, dtype=object)) * found.itemsize
        self._check_size(nbytes)
        block = self._sender.take_block(nbytes, self._deadline(timeout)) if nbytes else None
        if block is None:
            return np.empty(sizes, found)
        return self._loans.lend(block, sizes, found, nbytes)

    def send_points(
        self,
        coordinates: npt.ArrayLike,
        *,
        layer_name: str = "points",
        position: Position | None = None,
        features: Mapping[str, Sequence[Any] | npt.NDArray[Any]] = _NOTHING,
        metadata: Mapping[str, Any] = _NOTHING,
        image_id: str | None = None,
        timeout: float | None = None,
    ) -> str:
        """Show points, an array (points, axes) in pixels, each with a value of every feature; see :meth:`send`."""
        array = np.ascontiguousarray(coordinates)
        if array.ndim != 2 or any(len(values) != len(array) for values in features.values()):
            raise UnsupportedArrayError(
                f"points must be an array (points, axes), and features have one value per point, not {array.shape} and "
                f"{ {name: len(values) for name, values in features.items()} }"
            )
        content = PointsMessage(
            image_id=image_id or self._sender.new_id(),
            layer_name=layer_name,
            position=position or {},
            features={name: np.asarray(values).tolist() for name, values in features.items()},
            metadata=dict(metadata),
        )
        self._send_array(array, content, "points", True, self._deadline(timeout))
        return content.image_id

    def send_shapes(
        self,
        shapes: Sequence[Shape],
        *,
        layer_name: str = "shapes",
        position: Position | None = None,
        metadata: Mapping[str, Any] = _NOTHING,
        image_id: str | None = None,
        timeout: float | None = None,
    ) -> str:
        """Show shapes; see :meth:`send`. The viewer gets ``position`` as part of the metadata."""
        content = ShapesMessage(
            image_id=image_id or self._sender.new_id(),
            layer_name=layer_name,
            shapes=list(shapes),
            metadata={**metadata, "position": position or {}},
        )
        self._send_plain(content, "shapes", self._deadline(timeout))
        return content.image_id

    def send_rois(self, message: ROIMessage, timeout: float | None = None) -> str:
        """Show ImageJ ROIs; they replace those with the same layer and ``metadata["position"]``."""
        self._send_plain(message, "rois", self._deadline(timeout))
        return message.image_id

    # --- the viewer ------------------------------------------------------------------------------------------------

    @property
    def is_connected(self) -> bool:
        """Whether a viewer is connected."""
        return self._sender.welcome is not None

    def wait_connected(self, timeout: float | None = None) -> bool:
        """Wait for a viewer to connect; return False if none does in time."""
        seconds = self._timeout if timeout is None else timeout
        return self._sender.wait_until(lambda: self._sender.welcome is not None, seconds)

    @property
    def shares_memory(self) -> bool:
        """Whether the connected viewer can open our shared memory."""
        welcome = self._sender.welcome
        return welcome is not None and welcome.shares_memory

    @property
    def counts(self) -> StreamCounts:
        """The current counts."""
        sender = self._sender
        with sender.changed:
            backlog = sender.backlog
            return StreamCounts(
                sent=sender.put_count,
                displayed=sender.displayed,
                failed=sender.failed,
                skipped=backlog.skipped,
                waiting=sum(not item.is_repeat for item in backlog.waiting.values()),
                in_flight=sum(not item.is_repeat for item in backlog.in_flight.values()),
                memory_bytes=sender.pool.total,
            )

    def settle(self, timeout: float | None = None) -> None:
        """Wait until everything that was sent is displayed, failed or skipped.

        Raises:
            StreamTimeoutError: items are still waiting or in flight.
        """
        seconds = self._timeout if timeout is None else timeout
        self._sender.check_open()
        if not self._sender.wait_until(lambda: self._sender.backlog.is_idle, seconds):
            counts = self.counts
            where = "the viewer is connected" if self.is_connected else "no viewer is connected"
            raise StreamTimeoutError(
                f"after {seconds:g} s, {counts.waiting} images are waiting and {counts.in_flight} in flight; {where}"
            )

    def clear(self, layer_name: str | None = None, timeout: float | None = None) -> None:
        """Remove all layers in the viewer, or one of them. Raises the errors of :meth:`screenshot`."""
        arguments = {} if layer_name is None else {"layer_name": layer_name}
        self._command(ViewerAction.CLEAR, arguments, timeout)
        with self._sender.changed:
            self._sender.backlog.clear(layer_name)

    def navigate(self, position: Position, timeout: float | None = None) -> None:
        """Make the viewer go to a position. Raises the errors of :meth:`screenshot`."""
        self._command(ViewerAction.NAVIGATE, {"position": position}, timeout)

    def screenshot(self, timeout: float | None = None) -> npt.NDArray[np.uint8]:
        """Return a screenshot of the viewer, showing everything sent so far: (rows, columns, RGB or RGBA), uint8.

        Raises:
            ViewerCommandError: there is no viewer, or it does not support this.
            StreamTimeoutError: the viewer did not reply in time.
        """
        self.settle(timeout)
        return decode_array(self._command(ViewerAction.SCREENSHOT, {}, timeout))

    # --- life ------------------------------------------------------------------------------------------------------

    def close(self, wait: float = _CLOSE_SECONDS) -> None:
        """Give a connected viewer ``wait`` seconds to show the rest, then close. Can be called more than once."""
        self._sender.wait_until(lambda: self._sender.backlog.is_idle or self._sender.welcome is None, wait)
        self._sender.close()
        atexit.unregister(self._close_at_exit)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # --- inside ----------------------------------------------------------------------------------------------------

    def _send_array(
        self, array: npt.NDArray[Any], content: ImageMessage | PointsMessage, kind: str, copy: bool, deadline: float
    ) -> None:
        sender = self._sender
        sender.check_open()
        _check_plain(content)
        key = (kind, content.layer_name, _frozen(content.position))
        element = check_array(array)
        self._check_size(array.nbytes)
        sender.wait_for_turn(deadline)
        block = self._loans.take(array)
        if block is not None:
            header, _ = encode_array(array)
        elif not copy:
            header, body = encode_array(array)
            block = sender.make_room(lambda: sender.pool.adopt(memoryview(body)), deadline)
        else:
            block = sender.take_block(array.nbytes, deadline)
            header = b"" if block is None else encode_header(element, array.shape, _copy_into(block, array))
        if block is None:
            sender.skip()
            return
        sender.put(content, key, block, array.nbytes, bytes(header), array.dtype.itemsize)

    def _send_plain(self, content: ShapesMessage | ROIMessage, kind: str, deadline: float) -> None:
        sender = self._sender
        sender.check_open()
        data = memoryview(_check_plain(content))
        key = (kind, content.layer_name, _frozen(content.metadata.get("position") or {}))
        if data.nbytes > self._sender.address.config.max_message_bytes:
            raise ArrayTooLargeError(f"{data.nbytes:,} bytes of shapes are too many for one message; send fewer")
        sender.wait_for_turn(deadline)
        block = sender.make_room(lambda: sender.pool.adopt(data), deadline)
        if block is None:
            sender.skip()
        else:
            sender.put(content, key, block, data.nbytes)

    def _check_size(self, nbytes: int) -> None:
        if nbytes > self._sender.largest:
            raise ArrayTooLargeError(
                f"an array of {nbytes:,} bytes is more than half of the stream's memory budget of "
                f"{self._sender.pool.budget:,}; create the stream with memory_budget={2 * nbytes:_}, or send parts"
            )

    def _close_at_exit(self) -> None:
        try:
            self.close()
        except KeyboardInterrupt:  # it is impatient: what was not shown will not be
            self.close(0.0)

    def _command(self, action: ViewerAction, arguments: dict[str, Any], timeout: float | None) -> Any:
        return self._sender.command(action, arguments, self._timeout if timeout is None else timeout)

    def _deadline(self, timeout: float | None) -> float:
        return time.monotonic() + (self._timeout if timeout is None else timeout)


def _copy_into(block: Block, array: npt.NDArray[Any]) -> MemoryOrder:
    """Copy an array into a block, keeping its memory order for a fast copy, and return that."""
    flags = array.flags
    order = MemoryOrder.FIRST if flags.f_contiguous and not flags.c_contiguous else MemoryOrder.LAST
    target: npt.NDArray[Any] = np.ndarray(array.shape, array.dtype, buffer=block.memory, order=order.value)
    np.copyto(target, array)
    return order


def _check_plain(content: Content) -> bytes:
    try:
        return encode(content)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UnsupportedArrayError(
            f"metadata and features must be strings, numbers, booleans, lists and maps of those: {error}"
        ) from error


def _frozen(position: object) -> bytes:
    if not position:
        return b""
    return encode(sorted(position.items()) if isinstance(position, dict) else position)
