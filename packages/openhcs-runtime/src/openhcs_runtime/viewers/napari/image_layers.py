"""One napari layer of images or labels: its planes, and its style until the user changes it."""

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
from napari.layers import Image, Labels  # type: ignore[import-untyped]
from napari.utils.colormaps import AVAILABLE_COLORMAPS, CyclicLabelColormap  # type: ignore[import-untyped]

from openhcs_runtime.viewers.components import Axes, LayerKey, Place
from openhcs_runtime.viewers.metadata import Appearance, Kind, display_range
from openhcs_runtime.viewers.napari.planes import to_plane
from openhcs_runtime.viewers.napari.stack import PlaneStack

__all__ = ["StackLayer", "axis_labels"]

_GRAY = "gray"
_OUTLINES = ("#ffe119", "#42d4f4", "#ff7eb6", "#bfef45", "#ffa64d", "#e8b5ff", "#aaffc3", "#fffac8")
"""Bright colours, which are seen over dark images and over nuclei in any colour."""
_SIDE_PER_CONTOUR = 340
_WIDEST_CONTOUR = 4


class StackLayer:
    """The planes of one layer, and the napari layer that shows them.

    Args:
        key: identifies the layer.
        title: initial name of the napari layer.
        axes: the sliders.
        first: the first plane, which determines the type of the layer.
        appearance: appearance of that plane.
        scale: scale of the axes of the layer.
    """

    def __init__(
        self,
        key: LayerKey,
        title: str,
        axes: Axes,
        first: npt.NDArray[Any],
        appearance: Appearance,
        scale: tuple[float, ...],
    ) -> None:
        self.key = key
        self._axes = axes
        self._asked = appearance.contrast_limits
        self._seen: tuple[float, float] | None = None
        self._is_styled = key.kind is Kind.IMAGE and not appearance.rgb
        self._rgb = appearance.rgb
        self._colormap = _colormap(appearance)
        self._stack = PlaneStack(axes, key.shape, key.kind, to_plane(first, key.kind, rgb=self._rgb).dtype)
        common = {"name": title, "scale": scale, "axis_labels": axis_labels(axes), "multiscale": False, "cache": False}
        if key.kind is Kind.LABELS:
            self.layer = Labels(self._stack, **common)
            self.layer.editable = False  # edits would be lost when the plane is received again
            self.layer.contour = _contour(key.shape)
            self.layer.opacity = 1.0
            self.layer.colormap = CyclicLabelColormap(colors=_OUTLINES)
        elif self._rgb:
            self.layer = Image(self._stack, rgb=True, **common)
        else:
            limits = appearance.contrast_limits or display_range(first)
            colormap = self._colormap or _GRAY
            self.layer = Image(
                self._stack, rgb=False, contrast_limits=limits, colormap=colormap, blending="additive", **common
            )
            self._applied_limits = tuple(self.layer.contrast_limits)
            self._applied_colormap = self.layer.colormap.name

    @property
    def nbytes(self) -> int:
        """Memory used by the planes, in bytes."""
        return self._stack.nbytes_held

    def put(self, place: Place, array: npt.NDArray[Any], appearance: Appearance) -> bool:
        """Add or replace a plane.

        Returns:
            True if napari has to read the layer again because its dtype has changed.

        Raises:
            UnsupportedArrayError: napari can't show the array.
        """
        plane = to_plane(array, self.key.kind, rgb=self._rgb)
        if self._is_styled:
            self._ask(plane, appearance)
        return self._stack.put(place, plane)

    def drop(self, place: Place) -> None:
        """Remove a plane."""
        self._stack.drop(place)

    @property
    def places(self) -> list[Place]:
        """The places of the planes."""
        return list(self._stack.places)

    def is_at(self, steps: Sequence[int]) -> bool:
        """Return whether there is a plane at these steps of the sliders."""
        return self._stack.has_at(steps)

    def renew(self) -> None:
        """Tell napari that the sliders were extended or the dtype has changed."""
        names = len(self.layer.axis_labels)
        self.layer.data = self._stack
        if self.layer.ndim != names:
            self.layer.axis_labels = axis_labels(self._axes)

    def refresh(self) -> None:
        """Tell napari that the visible planes have changed."""
        self.layer.refresh(extent=False)

    def style(self) -> None:
        """Set the style requested by producers, unless the user has changed it."""
        if not self._is_styled:
            return
        layer = self.layer
        limits = self._asked or self._seen
        if limits is not None and not self._limits_are_users and limits != self._applied_limits:
            layer.contrast_limits = limits
            self._applied_limits = tuple(layer.contrast_limits)
        is_ours = layer.colormap.name == self._applied_colormap
        if self._colormap is not None and is_ours and self._colormap != self._applied_colormap:
            layer.colormap = self._colormap
            self._applied_colormap = layer.colormap.name

    @property
    def _limits_are_users(self) -> bool:
        return tuple(self.layer.contrast_limits) != self._applied_limits

    def _ask(self, plane: npt.NDArray[Any], appearance: Appearance) -> None:
        self._colormap = _colormap(appearance) or self._colormap
        self._asked = appearance.contrast_limits or self._asked
        if self._asked is None and not self._limits_are_users:
            low, high = display_range(plane)
            before = self._seen or (low, high)
            self._seen = (min(low, before[0]), max(high, before[1]))


def _contour(shape: tuple[int, ...]) -> int:
    """Return the width of outlines in pixels of an image, about as wide on the screen whatever its size."""
    return max(1, min(_WIDEST_CONTOUR, round(min(shape[:2]) / _SIDE_PER_CONTOUR)))


def axis_labels(axes: Axes) -> tuple[str, ...]:
    """Return the names of the sliders and of the axes of a plane."""
    return (*(name.removesuffix("_index") for name in axes.names), "y", "x")


def _colormap(appearance: Appearance) -> str | None:
    """Return the requested napari colormap; None if there was none or it does not exist."""
    asked = (appearance.colormap or "").lower()
    if asked in AVAILABLE_COLORMAPS:
        return asked
    if appearance.colour is None:
        return None
    return _GRAY if appearance.colour == 0xFFFFFF else f"#{appearance.colour:06x}"
