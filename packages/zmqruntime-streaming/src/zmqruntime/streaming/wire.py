"""The messages of producers and viewers on a viewer's data channel.

The viewer's data socket is a ROUTER, a producer's a DEALER: arrays are sent in one direction, acknowledgements come
back on the same connection. A connection begins with hello and welcome. Messages are msgpack maps as everywhere in the
protocol, one per frame; a delivery with an array has further frames, see :mod:`zmqruntime.streaming.frames`:

    [Delivery]                          shapes and ROIs
    [Delivery, ArrayHeader]             the elements are in the segment named in the delivery
    [Delivery, ArrayHeader, elements]   the elements, in several frames if they exceed the maximum message size
"""

import enum
from typing import Any

import msgspec

from zmqruntime.messages import Count, ImageAck, Message, ROIMessage, ShapesMessage

__all__ = [
    "CommandReply",
    "Content",
    "Delivery",
    "FromProducer",
    "FromViewer",
    "ImageMessage",
    "Packing",
    "PointsMessage",
    "Position",
    "SegmentProbe",
    "SegmentRef",
    "Stamp",
    "StreamBye",
    "StreamHello",
    "StreamReport",
    "StreamWelcome",
    "ViewerAction",
    "ViewerCommand",
    "ViewerPort",
]

Position = dict[str, str | int | float]
"""The place of an image in its layer, for example ``{"well": "B06", "site": 1, "z_index": 3}``."""


class ViewerPort(enum.IntEnum):
    """The default data ports of viewers."""

    NAPARI = 5555
    FIJI = 5565
    ARRAYS = 5580
    """Of :func:`zmqruntime.streaming.send` and :func:`zmqruntime.streaming.receive`."""


class Packing(enum.StrEnum):
    """How the elements of an array are encoded in frames."""

    PLAIN = "plain"
    BLOSC2 = "blosc2"
    """One Blosc2 chunk (Blosc2 chunk format, version 2)."""


class Stamp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which of the items of its stream an image is, counted from 1, and when it was sent, in seconds since the epoch.

    A receiver that misses a number knows that an item was skipped.
    """

    number: Count
    time: float


class ImageMessage(Message, frozen=True, kw_only=True, tag="image"):
    """An image for one layer of a viewer; its array follows."""

    image_id: str
    layer_name: str
    position: Position = msgspec.field(default_factory=dict)
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    stamp: Stamp | None = None


class PointsMessage(Message, frozen=True, kw_only=True, tag="points"):
    """Points for one layer; an array (points, axes) of their coordinates follows. Features have one value per point."""

    image_id: str
    layer_name: str
    position: Position = msgspec.field(default_factory=dict)
    features: dict[str, list[Any]] = msgspec.field(default_factory=dict)
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


Content = ImageMessage | PointsMessage | ShapesMessage | ROIMessage


class SegmentRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first ``nbytes`` of a shared memory segment."""

    name: str
    nbytes: Count


class SegmentProbe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A segment with this ``content``; a viewer that can read it shares memory with the producer."""

    name: str
    content: bytes


class StreamHello(Message, frozen=True, kw_only=True, tag="stream_hello"):
    """First message of a producer; its process receives acknowledgements on ``ack_port``, if it does."""

    stream_id: str
    pid: int
    process_start: float
    ack_port: int | None = None
    probe: SegmentProbe | None = None


class StreamBye(Message, frozen=True, kw_only=True, tag="stream_bye"):
    """Last message of a producer, which expects no more replies."""


class Delivery(Message, frozen=True, kw_only=True, tag="delivery"):
    """Something to show; ``ticket`` identifies it on this connection."""

    ticket: Count
    content: Content
    segment: SegmentRef | None = None
    packing: Packing = Packing.PLAIN


class ViewerAction(enum.StrEnum):
    """What a viewer can be asked to do, after everything delivered before."""

    CLEAR = "clear"
    """Remove everything, or the layer ``layer_name`` given in the arguments."""
    SCREENSHOT = "screenshot"
    """Reply with a screenshot of the window, (rows, columns, RGB or RGBA), uint8."""
    NAVIGATE = "navigate"
    """Go to the ``position`` given in the arguments."""
    SETTLE = "settle"
    """Reply once everything delivered before has been drawn."""


class ViewerCommand(Message, frozen=True, kw_only=True, tag="viewer_command"):
    """A command; ``number`` identifies it on this connection."""

    number: Count
    action: ViewerAction
    arguments: dict[str, Any] = msgspec.field(default_factory=dict)


FromProducer = StreamHello | StreamBye | Delivery | ViewerCommand


class StreamWelcome(Message, frozen=True, kw_only=True, tag="stream_welcome"):
    """The viewer accepts ``window`` deliveries at a time; each one that is done makes room for another."""

    instance_id: str
    viewer_type: str
    viewer_port: int
    window: Count
    shares_memory: bool
    packings: list[Packing]


class StreamReport(Message, frozen=True, kw_only=True, tag="stream_report"):
    """The outcome of deliveries: acknowledgements, tickets that are done, and tickets whose segments are released.

    Tickets in ``superseded`` are done as well, but were not shown because something newer had arrived. A viewer may
    wait a moment (here 50 ms) before it reports that something was received, to report its outcome in the same message.
    """

    acks: list[ImageAck] = msgspec.field(default_factory=list)
    done: list[int] = msgspec.field(default_factory=list)
    released: list[int] = msgspec.field(default_factory=list)
    superseded: list[int] = msgspec.field(default_factory=list)


class CommandReply(Message, frozen=True, kw_only=True, tag="command_reply"):
    """Reply to a command, with the ``error`` if it failed. An array may follow, as in a delivery."""

    number: Count
    error: str | None = None


FromViewer = StreamWelcome | StreamReport | CommandReply
