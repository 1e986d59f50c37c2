"""What producers and viewers say to each other on a viewer's data channel.

The viewer's data socket is a ROUTER, a producer's a DEALER: arrays go one way, acknowledgements come back on the same
connection. A connection begins with hello and welcome. Its messages are msgpack maps like all of the protocol, one to a
frame; a delivery with an array has further frames, as in :mod:`zmqruntime.streaming.frames`:

    [Delivery]                          shapes and ROIs
    [Delivery, ArrayHeader]             the elements are in the segment that the delivery names
    [Delivery, ArrayHeader, elements]   the elements, in several frames where they are longer than a message may be
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
    "StreamBye",
    "StreamHello",
    "StreamReport",
    "StreamWelcome",
    "ViewerAction",
    "ViewerCommand",
    "ViewerPort",
]

Position = dict[str, str | int | float]
"""Where in its layer an image belongs, for example ``{"well": "B06", "site": 1, "z_index": 3}``."""


class ViewerPort(enum.IntEnum):
    """The data ports that viewers have by default."""

    NAPARI = 5555
    FIJI = 5565


class Packing(enum.StrEnum):
    """How the elements of an array are written into frames."""

    PLAIN = "plain"
    BLOSC2 = "blosc2"
    """One Blosc2 chunk (Blosc2 chunk format, version 2)."""


class ImageMessage(Message, frozen=True, kw_only=True, tag="image"):
    """An image for one layer of a viewer; its array follows."""

    image_id: str
    layer_name: str
    position: Position = msgspec.field(default_factory=dict)
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


class PointsMessage(Message, frozen=True, kw_only=True, tag="points"):
    """Points for one layer; an array (points, axes) of their coordinates follows. A feature has a value a point."""

    image_id: str
    layer_name: str
    position: Position = msgspec.field(default_factory=dict)
    features: dict[str, list[Any]] = msgspec.field(default_factory=dict)
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


Content = ImageMessage | PointsMessage | ShapesMessage | ROIMessage


class SegmentRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first ``nbytes`` of a segment of shared memory."""

    name: str
    nbytes: Count


class SegmentProbe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A segment that holds ``content``: who can read that shares memory with us, whatever the hosts are called."""

    name: str
    content: bytes


class StreamHello(Message, frozen=True, kw_only=True, tag="stream_hello"):
    """A producer is there. ``ack_port`` is where its process receives acknowledgements, if it does."""

    stream_id: str
    pid: int
    process_start: float
    ack_port: int | None = None
    probe: SegmentProbe | None = None


class StreamBye(Message, frozen=True, kw_only=True, tag="stream_bye"):
    """The producer ends and expects nothing more."""


class Delivery(Message, frozen=True, kw_only=True, tag="delivery"):
    """Something to show; ``ticket`` names it on this connection."""

    ticket: Count
    content: Content
    segment: SegmentRef | None = None
    packing: Packing = Packing.PLAIN


class ViewerAction(enum.StrEnum):
    """What a viewer can be told to do, after all that was delivered before."""

    CLEAR = "clear"
    """Remove everything, or the layer that the arguments name as ``layer_name``."""
    SCREENSHOT = "screenshot"
    """Reply with a picture of the window, (rows, columns, RGB or RGBA), uint8."""
    NAVIGATE = "navigate"
    """Go to the position in the arguments."""
    SETTLE = "settle"
    """Reply once everything delivered before is drawn."""


class ViewerCommand(Message, frozen=True, kw_only=True, tag="viewer_command"):
    """Do something; ``number`` names the command on this connection."""

    number: Count
    action: ViewerAction
    arguments: dict[str, Any] = msgspec.field(default_factory=dict)


FromProducer = StreamHello | StreamBye | Delivery | ViewerCommand


class StreamWelcome(Message, frozen=True, kw_only=True, tag="stream_welcome"):
    """The viewer is ready for ``window`` deliveries at once: each one that is done makes room for another."""

    instance_id: str
    viewer_type: str
    viewer_port: int
    window: Count
    shares_memory: bool
    packings: list[Packing]


class StreamReport(Message, frozen=True, kw_only=True, tag="stream_report"):
    """What became of deliveries: how far each is, by ticket which are done, and which segments are read no more."""

    acks: list[ImageAck] = msgspec.field(default_factory=list)
    done: list[int] = msgspec.field(default_factory=list)
    released: list[int] = msgspec.field(default_factory=list)


class CommandReply(Message, frozen=True, kw_only=True, tag="command_reply"):
    """A command was carried out, or why not. An array may follow, as in a delivery."""

    number: Count
    error: str | None = None


FromViewer = StreamWelcome | StreamReport | CommandReply
