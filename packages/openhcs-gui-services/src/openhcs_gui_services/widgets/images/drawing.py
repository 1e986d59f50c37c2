"""What a canvas draws, from a picture, the looks of channels and outlines, and an overlay."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QRectF

from openhcs_gui_services.services.images.layers import ImageLayer, OutlineLayer
from openhcs_gui_services.services.images.overlay import Overlay
from openhcs_gui_services.widgets.images.looks import ChannelLooks
from openhcs_gui_services.widgets.images.outlines import OutlineLooks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from openhcs_gui_services.services.images.picture import LabelSet, Picture

__all__ = ["Drawing", "Ring", "grey_layer", "image_layers", "missing_sites", "outline_layers"]


@dataclass(frozen=True, slots=True)
class Ring:
    """A circle around an object: its centre and radius in pixels of the picture."""

    row: float
    column: float
    radius: float


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """What a canvas draws.

    Attributes:
        shape: rows and columns of the picture.
        images: channels, added up.
        outlines: labels, the last ones on top.
        um_per_pixel: edge of a pixel in micrometres; None if it is not known.
        notes: texts in rectangles of the picture, such as sites that are missing.
        ring: a ring around an object.
    """

    shape: tuple[int, int]
    images: tuple[ImageLayer, ...] = ()
    outlines: tuple[OutlineLayer, ...] = ()
    um_per_pixel: float | None = None
    notes: tuple[tuple[QRectF, str], ...] = ()
    ring: Ring | None = None


def image_layers(picture: "Picture", looks: ChannelLooks) -> tuple[ImageLayer, ...]:
    """Return the channels that are on."""
    return tuple(
        ImageLayer(plane, look.colour, *look.limits, picture.size)
        for look in looks.shown
        if look.limits is not None and (plane := picture.planes.get(look.channel.number)) is not None
    )


def grey_layer(image: "NDArray[Any]") -> ImageLayer:
    """Return an image (Y, X) in grey with an automatic contrast."""
    # Image libraries, which making the image has loaded.
    from openhcs_gui_services.services.images.contrast import auto_limits  # noqa: PLC0415
    from openhcs_gui_services.services.images.pyramid import Pyramid  # noqa: PLC0415

    pixels = Pyramid(image)
    return ImageLayer(pixels, 0xFFFFFF, *auto_limits([pixels.sample]))


def outline_layers(
    shape: tuple[int, int],
    sets: Mapping[str, "LabelSet"],
    overlay: Overlay | None,
    looks: OutlineLooks,
    picked: tuple[str, int] | None,
) -> tuple[OutlineLayer, ...]:
    """Return the outlines that are on.

    Args:
        shape: rows and columns of the picture; labels of an overlay of another shape are left out.
        sets: the labels of a run.
        overlay: labels that are drawn over them.
        looks: which sets are drawn.
        picked: set and number of the object that is drawn as picked.
    """
    chosen, label = picked or ("", 0)
    labels = {name: one.labels for name, one in sets.items()}
    if overlay is not None:
        labels |= {name: pixels for name, pixels in overlay.labels.items() if pixels.shape == shape}
    return tuple(
        OutlineLayer(pixels, looks.colour(name), label if name == chosen else 0)
        for name, pixels in labels.items()
        if looks.is_shown(name)
    )


def missing_sites(picture: "Picture") -> tuple[tuple[QRectF, str], ...]:
    """Return a text for each site of a mosaic that is missing."""
    if picture.plan is None:
        return ()
    rows, columns = picture.plan.image
    corners = picture.plan.corners
    return tuple(
        (QRectF(corners[site][1], corners[site][0], columns, rows), f"Site {site} can't be shown")
        for site in picture.lost
    )
