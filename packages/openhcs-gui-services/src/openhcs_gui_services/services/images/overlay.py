"""What is drawn over a shown image that does not come from the folder of a run, such as the result of a trial."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Overlay"]


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """Labels to draw as outlines over the shown field of view, and an image that can be shown instead of it.

    Attributes:
        title: what it is, in a few words.
        labels: label images (Y, X) by the name of their set, of the same shape as the field of view.
        image: an image (Y, X), such as the output of a step; None if there is none.
        image_title: what that image is, in a few words.
    """

    title: str
    labels: Mapping[str, "NDArray[np.integer[Any]]"] = field(default_factory=dict)
    image: "NDArray[Any] | None" = None
    image_title: str = ""
