"""Label images of an OME-Zarr plate, such as another program made them: ``<image>/labels/<name>``.

They have the axes of the image, or some of them; the labels of an image without a channel axis, or with one channel,
belong to the lowest channel of its site.
"""

from collections.abc import Iterable

import msgspec

from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import ImageRef
from openhcs_runtime.plates.ome_zarr.chunk_stats import chunk_stats
from openhcs_runtime.plates.ome_zarr.metadata import ArrayLayout, read_array, read_group
from openhcs_runtime.stores.path import AnyPath, as_path

__all__ = ["label_images"]

_UNREADABLE = (OSError, msgspec.MsgspecError, UnicodeDecodeError)
_Axes = tuple[str, ...]


def label_images(images: Iterable[ImageRef], name: str) -> tuple[ImageRef, ...]:
    """Return a reference to the labels of each plane, under the key of the image that they belong to.

    Args:
        images: The images of a well.
        name: Name of the labels.

    Raises:
        PlateError: If an image lacks these labels, or if they have other axes or another size.
    """
    found: dict[tuple[int, ...], ImageRef] = {}
    known: dict[str, _Labels] = {}
    for image in sorted(images, key=lambda image: image.key):
        key = image.key
        place = key.site, key.z_index, key.timepoint
        if image.path not in known:
            known[image.path] = _open(image.path, name)
        labels = known[image.path]
        found.setdefault((*place, key.channel) if labels.has_channels else place, labels.of(image))
    return tuple(found.values())


class _Labels:
    """The array of labels of one image."""

    def __init__(self, path: AnyPath, layout: ArrayLayout, axes: _Axes, image: ArrayLayout, image_axes: _Axes) -> None:
        self._path, self._layout, self._axes = path, layout, axes
        self._image, self._image_axes = image, image_axes
        self._stat_of = chunk_stats(path)

    @property
    def has_channels(self) -> bool:
        """Whether each channel has labels of its own."""
        return "c" in self._axes and self._layout.shape[self._axes.index("c")] > 1

    def of(self, image: ImageRef) -> ImageRef:
        """Return the labels of a plane."""
        at = dict(zip(self._image_axes, self._image.place(image.index), strict=True))
        index = tuple(
            at.get(axis, 0) if length > 1 or axis in "yx" else 0
            for axis, length in zip(self._axes, self._layout.shape, strict=True)
        )
        stats = [stat for chunk in self._layout.chunk_files(index) if (stat := self._stat_of(chunk)) is not None]
        size, newest = sum(stat.st_size for stat in stats), max((stat.st_mtime_ns for stat in stats), default=0)
        return ImageRef(image.key, str(self._path), size, newest, index)


def _open(image_path: str, name: str) -> _Labels:
    array = as_path(image_path)
    group = array.parent
    what = f"labels {name!r} of {group}"
    try:
        image = read_array(array)
        image_axes = _axes(group, image)
        folder = group / "labels" / name
        described = read_group(folder).multiscales
        if not described or not described[0].datasets:
            raise PlateError(f"{what} can't be used: they have no multiscales")
        path = folder / described[0].datasets[0].path
        layout = read_array(path)
        axes = _axes(folder, layout)
    except FileNotFoundError:
        raise PlateError(f"{group} has no labels {name!r}: choose others, or leave out labels") from None
    except _UNREADABLE as error:
        raise PlateError(f"{what} can't be read: {error}") from error
    _check(what, dict(zip(axes, layout.shape, strict=True)), dict(zip(image_axes, image.shape, strict=True)))
    return _Labels(path, layout, axes, image, image_axes)


def _axes(folder: AnyPath, layout: ArrayLayout) -> _Axes:
    return tuple(axis.name.lower() for axis in read_group(folder).multiscales[0].described_axes(len(layout.shape)))


def _check(what: str, lengths: dict[str, int], image: dict[str, int]) -> None:
    """Raise PlateError unless the axes of labels fit those of the image."""
    odd = [axis for axis, length in lengths.items() if length > 1 and length != image.get(axis)]
    if odd or not {"y", "x"} <= lengths.keys():
        shapes = f"{_text(lengths)}, and the image {_text(image)}"
        raise PlateError(f"{what} do not fit the image: they have {shapes}")


def _text(lengths: dict[str, int]) -> str:
    return " x ".join(f"{axis} {length}" for axis, length in lengths.items())
