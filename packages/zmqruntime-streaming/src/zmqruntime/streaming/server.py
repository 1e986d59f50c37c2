"""The viewer's side: receives arrays, shapes and points, displays them in order, and acknowledges them in stages."""

import abc
import contextlib
import logging
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import zmq

from zmqruntime.address import Address
from zmqruntime.codec import Decoder, encode
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.exceptions import MessageError
from zmqruntime.messages import AckStage, ImageAck, ROIMessage, Shape, ShapesMessage
from zmqruntime.server import ZMQServer
from zmqruntime.streaming.checks import checked_port
from zmqruntime.streaming.compression import is_available
from zmqruntime.streaming.display import DeferredAck, DisplayItem, DisplayQueue, DisplayThread
from zmqruntime.streaming.exceptions import SegmentError, ViewerCommandError
from zmqruntime.streaming.frames import encode_array
from zmqruntime.streaming.intake import can_open, read_array
from zmqruntime.streaming.mappings import Mappings
from zmqruntime.streaming.peers import Peers
from zmqruntime.streaming.segments import sweep_segments
from zmqruntime.streaming.wire import (
    CommandReply,
    Delivery,
    FromProducer,
    FromViewer,
    ImageMessage,
    Packing,
    PointsMessage,
    Position,
    StreamBye,
    StreamHello,
    StreamReport,
    StreamWelcome,
    ViewerAction,
    ViewerCommand,
)
from zmqruntime.transport import LOOPBACK, get_default_transport_mode, is_listening

__all__ = ["StreamingVisualizerServer"]

_log = logging.getLogger(__name__)

_PER_TURN = 64
_WINDOW = 16
_LOOK_SECONDS = 1.0
_RECEIVED_SECONDS = 0.05
_MAPPED_SECONDS = 1.0
_EVENTS, _READABLE = int(zmq.EVENTS), int(zmq.POLLIN)  # arithmetic with flags of pyzmq takes longer than the call

T = TypeVar("T")


class _Stage(NamedTuple):
    """A stage that an item has reached; with its ``ticket`` if it is done."""

    peer: bytes
    ack: ImageAck
    ticket: int | None = None
    is_superseded: bool = False


class StreamingVisualizerServer(ZMQServer, abc.ABC):
    """Displays what producers send to its data port. Subclasses implement at least :meth:`display_image`.

    Items are displayed on one thread, in the order of their arrival: on a thread of the server or, with
    ``has_display_thread = False`` and :meth:`wake_display`, on the thread of a window's event loop.

    Args:
        port: the data port; by convention 5555 for napari, 5565 for Fiji.
        host: address to bind TCP to; giving one selects TCP.
        transport_mode: IPC or TCP [default: IPC if the platform supports it and no host is given].
        config: configuration shared by viewer and producers.
        ack_port: port on which another process on this machine listens for acknowledgements [default:
            ``shared_ack_port`` of the configuration]. Producers always get theirs on their own connection.
        window: maximum number of deliveries of one producer that have been received but not yet displayed.
    """

    data_socket_type = zmq.ROUTER
    viewer_type: ClassVar[str] = "viewer"
    """Type of the viewer, for example ``napari``; part of acknowledgements and trackers."""
    has_display_thread: ClassVar[bool] = True

    def __init__(
        self,
        port: int,
        *,
        host: str | None = None,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig | None = None,
        ack_port: int | None = None,
        window: int = _WINDOW,
    ) -> None:
        super().__init__(checked_port(port, config), host=host, transport_mode=transport_mode, config=config)
        self.ack_port = self.config.shared_ack_port if ack_port is None else ack_port
        self.displayed = 0
        """How many images, sets of points and sets of shapes were acknowledged as displayed so far."""
        self.failed = 0
        """How many could not be displayed."""
        self._window = max(1, window)
        self._decode_stream: Decoder[FromProducer] = Decoder(FromProducer)
        self._queue = DisplayQueue()
        self._mappings = Mappings()
        self._is_tidy_due = False
        self._stages: deque[_Stage] = deque()
        self._released: deque[tuple[bytes, int]] = deque()
        self._open_items: set[DisplayItem] = set()
        self._settling: list[tuple[DisplayItem, set[DisplayItem]]] = []
        self._current: DeferredAck | None = None
        self._is_deferred = False
        self._bad = 0
        self._ack_socket: zmq.Socket[bytes] | None = None
        self._look_for_listener_at = 0.0
        self._is_report_due = self._is_timer_set = False

    # --- for subclasses: called on the display thread ---------------------------------------------------------------

    @abc.abstractmethod
    def display_image(self, image_data: npt.NDArray[Any], metadata: dict[str, Any]) -> None:
        """Show an image. An exception raised here is reported as the reason of the failure.

        Args:
            image_data: the image, read-only. It may be in memory of the producer, which is borrowed as long as there
                are references to the array: copy what you want to keep.
            metadata: metadata from the producer, with ``image_id``, ``layer_name`` and ``position``.
        """

    def display_points(
        self, points: npt.NDArray[Any], features: dict[str, list[Any]], metadata: dict[str, Any]
    ) -> None:
        """Show points (points, axes) in pixels, each with a value of every feature."""
        raise NotImplementedError(f"{type(self).__name__} does not show points")

    def display_shapes(self, shapes: list[Shape], metadata: dict[str, Any]) -> None:
        """Show shapes."""
        raise NotImplementedError(f"{type(self).__name__} does not show shapes")

    def display_rois(self, rois: list[bytes], names: list[str], metadata: dict[str, Any]) -> None:
        """Show ImageJ ROIs, each as in a ``.roi`` file."""
        raise NotImplementedError(f"{type(self).__name__} does not show ImageJ ROIs")

    def display_batch(self, items: Sequence[DisplayItem]) -> None:
        """Show all waiting items, each with :meth:`display`; a subclass may draw once for all of them."""
        for item in items:
            self.display(item)

    def clear(self, layer_name: str | None) -> None:
        """Remove a layer, or all of them."""
        raise NotImplementedError(f"{type(self).__name__} cannot be cleared")

    def navigate(self, position: Position) -> None:
        """Go to a position."""
        raise NotImplementedError(f"{type(self).__name__} cannot navigate")

    def take_screenshot(self) -> npt.NDArray[np.uint8]:
        """Return a screenshot of the window: (rows, columns, RGB or RGBA), uint8."""
        raise NotImplementedError(f"{type(self).__name__} does not take screenshots")

    def defer_ack(self) -> DeferredAck:
        """Postpone the acknowledgement of the current item beyond the return of a ``display_...`` method.

        Returns:
            The acknowledgement; call its ``displayed()`` after the item was drawn, from any thread.

        Raises:
            RuntimeError: called outside a ``display_...`` method.
        """
        if self._current is None:
            raise RuntimeError("defer_ack() can only be called inside display_image and similar methods")
        self._is_deferred = True
        return self._current

    def wake_display(self) -> None:
        """Announce waiting items, on the I/O thread; a window makes its own thread call :meth:`display_waiting`."""

    def display_waiting(self) -> None:
        """Display all waiting items; must be called on the display thread."""
        items = self._queue.take_all()
        if not items:
            return
        try:
            self.display_batch(items)
        except Exception as error:  # noqa: BLE001 - the viewer continues with the next items
            _log.exception("a batch could not be displayed")
            for item in items:
                self._end(item, f"{type(error).__name__}: {error}")

    def display(self, item: DisplayItem) -> None:
        """Display one item, or carry out one command, and report the outcome."""
        if item not in self._open_items:
            return
        ack = DeferredAck(item, self._end)
        self._current, self._is_deferred = ack, False
        try:
            self._show(item)
        except Exception as error:  # noqa: BLE001 - it is reported to the sender
            _log.warning("%s could not be displayed", type(item.content).__name__, exc_info=True)
            ack.failed(str(error) if isinstance(error, NotImplementedError) else f"{type(error).__name__}: {error}")
        else:
            if self._is_deferred:
                item.array = None
            else:
                ack.displayed()
        finally:
            self._current = None

    # --- life ------------------------------------------------------------------------------------------------------

    def on_open(self, stack: contextlib.ExitStack) -> None:
        """Remove segments left by a crash, and start displaying."""
        sweep_segments()
        self._peers = Peers(self.loop, sweep_segments)
        stack.callback(self._close_ack_socket)
        stack.callback(self._peers.close)
        stack.callback(self._mappings.clear)
        stack.callback(self._report)
        if self.has_display_thread:
            thread = DisplayThread(self._queue, self.display_waiting)
            stack.callback(thread.join)
        stack.callback(self._queue.close)

    # --- inside, on the I/O thread ----------------------------------------------------------------------------------

    def on_data_readable(self) -> None:
        """Receive messages from producers."""
        try:
            self._receive_waiting()
        finally:
            if self._queue.wake():
                self.wake_display()
        if self._stages and not self._is_timer_set:
            self._is_timer_set = True
            self.loop.call_later(_RECEIVED_SECONDS, self._report_at_last)
        if self._mappings and not self._is_tidy_due:
            self._is_tidy_due = True
            self.loop.call_later(_MAPPED_SECONDS, self._tidy)

    def _receive_waiting(self) -> None:
        for _ in range(_PER_TURN):
            try:
                peer, head, *frames = self.data_socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            try:
                self._take(peer.bytes, self._decode_stream(head.buffer), frames)
            except MessageError as error:
                self._note_bad(error)
            if not int(self.data_socket.get(_EVENTS)) & _READABLE:
                return

    def _take(self, peer: bytes, message: FromProducer, frames: Sequence[zmq.Frame]) -> None:
        match message:
            case StreamHello():
                shares = can_open(message.probe)
                self._peers.add(peer, message, watch=shares)
                self._send(peer, self._welcome(shares))
            case StreamBye():
                self._peers.remove(peer)
            case Delivery():
                self._receive(peer, message, frames)
            case ViewerCommand():
                self._put(DisplayItem(peer, message, message.number))

    def _receive(self, peer: bytes, delivery: Delivery, frames: Sequence[zmq.Frame]) -> None:
        item = DisplayItem(peer, delivery.content, delivery.ticket)
        self._open_items.add(item)
        try:
            item.array = read_array(delivery, frames, self._mappings, lambda: self._on_released(peer, delivery.ticket))
        except (MessageError, SegmentError) as error:
            if delivery.segment is not None:
                self._released.append((peer, delivery.ticket))
            self._end(item, str(error))
            return
        self._stages.append(_Stage(peer, self._ack(item, AckStage.RECEIVED, None)))
        self._put(item)

    def _put(self, item: DisplayItem) -> None:
        self._open_items.add(item)
        self._queue.put(item)

    def _welcome(self, shares: bool) -> StreamWelcome:
        return StreamWelcome(
            instance_id=self.instance_id,
            viewer_type=self.viewer_type,
            viewer_port=self.port,
            window=self._window,
            shares_memory=shares,
            packings=[Packing.PLAIN, Packing.BLOSC2] if is_available() else [Packing.PLAIN],
        )

    def _tidy(self) -> None:
        """Give up segments that are no longer used; called once per second while there are some."""
        self._mappings.drop_unused()
        self._is_tidy_due = bool(self._mappings)
        if self._is_tidy_due:
            self.loop.call_later(_MAPPED_SECONDS, self._tidy)

    def _report_at_last(self) -> None:
        """Report what was received, if nothing has been displayed in the meantime, with which it would be reported."""
        self._is_timer_set = False
        self._report()

    def _report(self) -> None:
        """Report the outcome of deliveries to each producer."""
        self._is_report_due = False
        reports: defaultdict[bytes, StreamReport] = defaultdict(StreamReport)
        for peer, ack, done, is_superseded in _drain(self._stages):
            reports[peer].acks.append(ack)
            if done is not None:
                reports[peer].done.append(done)
                self.displayed += ack.error is None
                self.failed += ack.error is not None and not is_superseded
            if done is not None and is_superseded:
                reports[peer].superseded.append(done)
            # A producer that listens there itself gets it with the report.
            if self._peers.ack_port(peer) != self.ack_port:
                self._push_ack(ack)
        for peer, ticket in _drain(self._released):
            reports[peer].released.append(ticket)
        for peer, report in reports.items():
            self._send(peer, report)
        if self._settling:
            self._answer_settled()

    def _send(self, peer: bytes, message: FromViewer, array: npt.NDArray[Any] | None = None) -> None:
        frames: list[bytes | memoryview] = [peer, encode(message)]
        self.data_socket.send_multipart(frames if array is None else [*frames, *encode_array(array)], zmq.NOBLOCK)

    def _push_ack(self, ack: ImageAck) -> None:
        if self._ack_socket is None and not self._open_ack_socket():
            return
        assert self._ack_socket is not None
        with contextlib.suppress(zmq.Again):  # the process no longer listens, or is too slow
            self._ack_socket.send(encode(ack), zmq.NOBLOCK)

    def _open_ack_socket(self) -> bool:
        """Connect to the process that listens for acknowledgements, if any; checks at most once per second."""
        now = time.monotonic()
        if now < self._look_for_listener_at:
            return False
        self._look_for_listener_at = now + _LOOK_SECONDS
        mode = get_default_transport_mode()
        if not is_listening(self.ack_port, LOOPBACK, mode, self.config):
            return False
        self._ack_socket = self.data_socket.context.socket(zmq.PUSH)
        Address.of(self.ack_port, None, mode, self.config).connect(self._ack_socket)
        return True

    def _close_ack_socket(self) -> None:
        if self._ack_socket is not None:
            self._ack_socket.close()

    def _note_bad(self, error: MessageError) -> None:
        self._bad += 1
        if self._bad.bit_count() == 1:
            _log.warning("%d unreadable messages so far, the latest: %s", self._bad, error)

    def _reply(self, item: DisplayItem, error: str | None, array: npt.NDArray[Any] | None = None) -> None:
        self._send(item.peer, CommandReply(number=item.ticket, error=error), array)

    # --- inside, on any thread --------------------------------------------------------------------------------------

    def _show(self, item: DisplayItem) -> None:
        content, array = item.content, item.array
        match content:
            case ImageMessage() if array is not None:
                self.display_image(array, _metadata_of(content))
            case PointsMessage() if array is not None:
                self.display_points(array, content.features, _metadata_of(content))
            case ShapesMessage():
                self.display_shapes(content.shapes, _metadata_of(content))
            case ROIMessage():
                self.display_rois(content.rois, content.names, _metadata_of(content))
            case ViewerCommand():
                self._carry_out(item, content)

    def _carry_out(self, item: DisplayItem, command: ViewerCommand) -> None:
        match command.action:
            case ViewerAction.CLEAR:
                self.clear(command.arguments.get("layer_name"))
            case ViewerAction.NAVIGATE:
                self.navigate(command.arguments.get("position") or {})
            case ViewerAction.SCREENSHOT:
                self.defer_ack()
                picture = self.take_screenshot()
                if picture.ndim != 3 or picture.dtype != np.uint8:
                    raise ViewerCommandError(f"a screenshot must be (rows, columns, RGB), uint8, not {picture.shape}")
                self._open_items.discard(item)
                self.loop.call_soon(lambda: self._reply(item, None, picture))
            case ViewerAction.SETTLE:
                self.defer_ack()
                self.loop.call_soon(lambda: self._settle(item))

    def _settle(self, item: DisplayItem) -> None:
        earlier = {
            one for one in self._open_items.copy() if one is not item and not isinstance(one.content, ViewerCommand)
        }
        self._settling.append((item, earlier))
        self._answer_settled()

    def _answer_settled(self) -> None:
        for entry in list(self._settling):
            item, earlier = entry
            if not earlier & self._open_items:
                self._settling.remove(entry)
                self._open_items.discard(item)
                self._reply(item, None)

    def _end(self, item: DisplayItem, error: str | None, is_superseded: bool = False) -> None:
        """Report the outcome of an item, or reply to a command."""
        if item not in self._open_items:
            return
        self._open_items.discard(item)
        if isinstance(item.content, ViewerCommand):
            self.loop.call_soon(lambda: self._reply(item, error))
            return
        stage = AckStage.DISPLAYED if error is None else AckStage.FAILED
        self._stages.append(_Stage(item.peer, self._ack(item, stage, error), item.ticket, is_superseded))
        item.array = None  # after the stage, so that its segment is released in the same report
        self._report_soon()

    def _on_released(self, peer: bytes, ticket: int) -> None:
        self._released.append((peer, ticket))
        self._report_soon()

    def _report_soon(self) -> None:
        # A pending report includes this, as it clears the flag before it collects.
        if not self._is_report_due and (self._stages or self._released):
            self._is_report_due = True
            self.loop.call_soon(self._report)

    def _ack(self, item: DisplayItem, stage: AckStage, error: str | None) -> ImageAck:
        image_id = "" if isinstance(item.content, ViewerCommand) else item.content.image_id
        return ImageAck(
            image_id=image_id,
            viewer_port=self.port,
            viewer_type=self.viewer_type,
            stage=stage,
            timestamp=time.time(),
            error=error,
        )


def _metadata_of(content: ImageMessage | PointsMessage | ShapesMessage | ROIMessage) -> dict[str, Any]:
    own = {"image_id": content.image_id, "layer_name": content.layer_name}
    if isinstance(content, ImageMessage | PointsMessage):
        return {**content.metadata, **own, "position": content.position}
    return {"position": {}, **content.metadata, **own}


def _drain(queue: deque[T]) -> list[T]:
    return [queue.popleft() for _ in range(len(queue))]
