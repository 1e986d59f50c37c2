"""The producer's side: arrays, shapes and points go to a viewer, and the pipeline does not wait for a screen."""

import atexit
import time
import uuid
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal, Self

import msgspec
import numpy as np
import numpy.typing as npt

from zmqruntime.address import Address
from zmqruntime.codec import encode
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.exceptions import ConfigurationError
from zmqruntime.messages import ROIMessage, Shape, ShapesMessage
from zmqruntime.streaming.backlog import Policy
from zmqruntime.streaming.compression import Compression
from zmqruntime.streaming.exceptions import ArrayTooLargeError, StreamTimeoutError, UnsupportedArrayError
from zmqruntime.streaming.frames import check_array, decode_array, encode_array
from zmqruntime.streaming.loans import Loans
from zmqruntime.streaming.pool import Block
from zmqruntime.streaming.sender import Sender
from zmqruntime.streaming.wire import Content, ImageMessage, PointsMessage, Position, ViewerAction, ViewerPort

__all__ = ["ImageStream", "StreamCounts"]

_BUDGET = 512 * 1024 * 1024
_TIMEOUT = 30.0
_CLOSE_SECONDS = 2.0
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class StreamCounts(msgspec.Struct, frozen=True, kw_only=True):
    """A stream at one moment: ``sent`` is the sum of the five after it."""

    sent: int
    displayed: int
    failed: int
    skipped: int
    """Given up for something newer, or for lack of room."""
    waiting: int
    in_flight: int
    """With the viewer, and not yet displayed."""
    memory_bytes: int
    """Of all blocks, in use or ready for use; never more than the budget."""


class ImageStream:
    """Shows arrays in the viewer on ``port``, whenever there is one; may be used from any thread.

    An array goes through shared memory where the viewer can open that, else as frames. What is current, the newest of
    each layer and position, is kept within the memory budget: a viewer that is opened later, or again, gets it.

    Args:
        port: the viewer's data port.
        host: where a TCP viewer is; naming one selects TCP.
        transport_mode: IPC or TCP; IPC where the platform has it and no host is named.
        config: what the viewer and its producers agree on.
        policy: what happens to images that come faster than the viewer shows them.
        memory_budget: bytes that the stream's copies may take altogether. One array may have half of that.
        timeout: seconds that a call may take at most where it names none.
        shared_memory: False never uses it.
        compression: whether frames may be compressed.

    Raises:
        ConfigurationError: the address cannot be used, the viewer's key is not known, or there is no such policy.
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
    ) -> None:
        address = Address.of(int(port), host, transport_mode, config)
        if policy not in set(Policy):
            raise ConfigurationError(f"{policy!r} is no policy of a stream (these are: {', '.join(Policy)})")
        self.policy = Policy(policy)
        self._timeout = timeout
        self._sender = Sender(address, self.policy, memory_budget, shared_memory, compression)
        self._loans = Loans(self._sender.give_back_later)
        atexit.register(self.close)

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
        """Show an array; gives its id. It is copied once, unless it is from :meth:`allocate`.

        Args:
            array: any shape, and any dtype of plain memory.
            layer_name: the layer to show it in.
            position: where in the layer; an array of the same layer and position takes the place of the one before.
            metadata: what the viewer's ``display_image`` gets besides; strings, numbers, lists and maps.
            image_id: what the acknowledgements will call it; a new id when None.
            copy: False promises that the array is never changed again, so that it need not be copied here.
            timeout: seconds; only ``block`` and ``all`` wait at all.

        Raises:
            UnsupportedArrayError: its elements are not plain memory, or the metadata is not plain data.
            ArrayTooLargeError: it has more than half of the memory budget.
            StreamTimeoutError: the viewer made no room in time.
            ClosedError: the stream was closed.
        """
        content = ImageMessage(
            image_id=image_id or uuid.uuid4().hex,
            layer_name=layer_name,
            position=position or {},
            metadata=dict(metadata),
        )
        self._send_array(np.asanyarray(array), content, "image", copy, self._deadline(timeout))
        return content.image_id

    def allocate(
        self, shape: Sequence[int] | int, dtype: npt.DTypeLike, timeout: float | None = None
    ) -> npt.NDArray[Any]:
        """An array, not initialised, to be filled and sent without any copy. Do not change it after it was sent.

        Its memory goes back when it is sent and shown, or when nothing refers to it any more. Where there is no room
        for it, it is an ordinary array. Raises as :meth:`send` does.
        """
        found = np.dtype(dtype)
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
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
        """Show points: an array (points, axes) in pixels, with a value of each feature for each. Otherwise as send."""
        array = np.ascontiguousarray(coordinates)
        if array.ndim != 2 or any(len(values) != len(array) for values in features.values()):
            raise UnsupportedArrayError(
                f"points are an array (points, axes) with as many values in each feature, not {array.shape} with "
                f"{ {name: len(values) for name, values in features.items()} }"
            )
        content = PointsMessage(
            image_id=image_id or uuid.uuid4().hex,
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
        """Show shapes; otherwise as send. ``position`` is in the metadata that the viewer gets."""
        content = ShapesMessage(
            image_id=image_id or uuid.uuid4().hex,
            layer_name=layer_name,
            shapes=list(shapes),
            metadata={**metadata, "position": position or {}},
        )
        self._send_plain(content, "shapes", self._deadline(timeout))
        return content.image_id

    def send_rois(self, message: ROIMessage, timeout: float | None = None) -> str:
        """Show ImageJ ROIs; newer ones with the same layer and ``metadata["position"]`` take their place."""
        self._send_plain(message, "rois", self._deadline(timeout))
        return message.image_id

    # --- the viewer ------------------------------------------------------------------------------------------------

    @property
    def is_connected(self) -> bool:
        """Whether a viewer is there."""
        return self._sender.welcome is not None

    def wait_connected(self, timeout: float | None = None) -> bool:
        """Wait for a viewer; False if there is none in time."""
        seconds = self._timeout if timeout is None else timeout
        return self._sender.wait_until(lambda: self._sender.welcome is not None, seconds)

    @property
    def shares_memory(self) -> bool:
        """Whether the viewer that is there can open our shared memory."""
        welcome = self._sender.welcome
        return welcome is not None and welcome.shares_memory

    @property
    def counts(self) -> StreamCounts:
        """How it stands."""
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
            StreamTimeoutError: something still waits, or there is no viewer.
        """
        seconds = self._timeout if timeout is None else timeout
        self._sender.check_open()
        if not self._sender.wait_until(lambda: self._sender.backlog.is_idle, seconds):
            counts = self.counts
            where = "with the viewer" if self.is_connected else "and no viewer is there"
            raise StreamTimeoutError(
                f"after {seconds:g} s {counts.waiting} images wait, {counts.in_flight} are on their way, {where}"
            )

    def clear(self, layer_name: str | None = None, timeout: float | None = None) -> None:
        """Let the viewer remove all layers, or one. Raises as :meth:`screenshot` does."""
        arguments = {} if layer_name is None else {"layer_name": layer_name}
        self._command(ViewerAction.CLEAR, arguments, timeout)
        with self._sender.changed:
            self._sender.backlog.clear(layer_name)

    def navigate(self, position: Position, timeout: float | None = None) -> None:
        """Let the viewer go to a position. Raises as :meth:`screenshot` does."""
        self._command(ViewerAction.NAVIGATE, {"position": position}, timeout)

    def screenshot(self, timeout: float | None = None) -> npt.NDArray[np.uint8]:
        """A picture of the viewer with all that was sent: (rows, columns, RGB or RGBA), uint8.

        Raises:
            ViewerCommandError: there is no viewer, or it cannot do that.
            StreamTimeoutError: it did not reply in time.
        """
        self.settle(timeout)
        return decode_array(self._command(ViewerAction.SCREENSHOT, {}, timeout))

    # --- life ------------------------------------------------------------------------------------------------------

    def close(self, wait: float = _CLOSE_SECONDS) -> None:
        """Give a viewer that is there ``wait`` seconds to show the rest, then release all. May be called twice."""
        self._sender.wait_until(lambda: self._sender.backlog.is_idle or self._sender.welcome is None, wait)
        self._sender.close()
        atexit.unregister(self.close)

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
        check_array(array)
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
            header = b"" if block is None else _copy_into(block, array)
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
            raise ArrayTooLargeError(f"{data.nbytes:,} bytes of shapes are more than a message may have; send fewer")
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
                f"{self._sender.pool.budget:,}; make the stream with memory_budget={2 * nbytes:_}, or send parts"
            )

    def _command(self, action: ViewerAction, arguments: dict[str, Any], timeout: float | None) -> Any:
        return self._sender.command(action, arguments, self._timeout if timeout is None else timeout)

    def _deadline(self, timeout: float | None) -> float:
        return time.monotonic() + (self._timeout if timeout is None else timeout)


def _copy_into(block: Block, array: npt.NDArray[Any]) -> bytes | memoryview:
    """Copy once, keeping the memory order so that it is a plain copy of memory where it can be; gives the header."""
    order: Literal["C", "F"] = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    target: npt.NDArray[Any] = np.ndarray(array.shape, array.dtype, buffer=block.memory[: array.nbytes], order=order)
    np.copyto(target, array)
    return encode_array(target)[0]


def _check_plain(content: Content) -> bytes:
    try:
        return encode(content)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UnsupportedArrayError(
            f"metadata and features are strings, numbers, booleans, lists and maps of those: {error}"
        ) from error


def _frozen(position: object) -> bytes:
    return encode(sorted(position.items()) if isinstance(position, dict) else position)
