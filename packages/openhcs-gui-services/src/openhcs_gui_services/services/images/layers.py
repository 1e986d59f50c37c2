"""What is composed into a picture on the screen: channels, outlines, and which part is seen."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from openhcs_gui_services.services.images.pyramid import Pyramid

__all__ = ["ImageLayer", "OutlineLayer", "Region"]


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a picture on the screen.

    Attributes:
        top: row of the picture at the upper edge, in its pixels.
        left: column of the picture at the left edge.
        scale: pixels of the screen for one pixel of the picture.
        rows: height on the screen, in pixels.
        columns: width on the screen, in pixels.
    """

    top: float
    left: float
    scale: float
    rows: int
    columns: int


@dataclass(frozen=True, slots=True, eq=False)
class ImageLayer:
    """A channel to show.

    Attributes:
        pixels: its plane.
        colour: 0xRRGGBB of the brightest pixels.
        low: value shown as black.
        high: value shown in full colour.
        size: pixels of the picture for one pixel of the plane, which is larger than 1 for a reduced mosaic.
    """

    pixels: "Pyramid"
    colour: int
    low: float
    high: float
    size: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class OutlineLayer:
    """Labels to show as outlines.

    Attributes:
        labels: label image (Y, X); 0 is the background.
        colour: 0xRRGGBB.
        picked: label whose outline is drawn wide and white; 0 for none.
    """

    labels: "NDArray[Any]"
    colour: int
    picked: int = 0
