"""Messages between viewers and the producers of images; ``zmqruntime.streaming`` adds the rest."""

import enum
from typing import Any

import msgspec

from zmqruntime.base_messages import Message

__all__ = ["AckStage", "ImageAck", "ROIMessage", "Shape", "ShapeKind", "ShapesMessage"]


class AckStage(enum.StrEnum):
    """Stage that an image has reached in its viewer."""

    RECEIVED = "received"
    DISPLAYED = "displayed"
    FAILED = "failed"


class ImageAck(Message, frozen=True, kw_only=True, tag="image_ack"):
    """A viewer's acknowledgement of an image."""

    image_id: str
    viewer_port: int
    viewer_type: str
    stage: AckStage
    timestamp: float
    error: str | None = None


class ShapeKind(enum.StrEnum):
    """Kind of figure that the coordinates of a shape describe."""

    POLYGON = "polygon"
    POLYLINE = "polyline"
    ELLIPSE = "ellipse"
    RECTANGLE = "rectangle"
    LINE = "line"
    POINTS = "points"


class Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One shape: ``coordinates`` are its vertices, each (y, x) or (z, y, x), in pixels.

    For an ellipse and a rectangle they are the four corners of the bounding box, for a line its two ends.
    """

    kind: ShapeKind
    coordinates: list[list[float]]
    properties: dict[str, str | int | float | bool] = msgspec.field(default_factory=dict)


class ShapesMessage(Message, frozen=True, kw_only=True, tag="shapes"):
    """Shapes for one layer of a viewer; as for an image, ``metadata`` says where they belong."""

    image_id: str
    layer_name: str
    shapes: list[Shape]
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


class ROIMessage(Message, frozen=True, kw_only=True, tag="rois"):
    """ROIs for an ImageJ viewer, each encoded as in a ``.roi`` file and with a name."""

    image_id: str
    layer_name: str
    rois: list[bytes]
    names: list[str]
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
