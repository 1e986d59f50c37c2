"""Reads planes of any plate in threads, the newest request first, and keeps a bounded number of bytes of them."""

import functools
import importlib
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from openhcs_gui_services.services.images.cache import ByteCache
from openhcs_gui_services.services.images.queue import NewestFirst
from openhcs_gui_services.services.images.source import ImagePlace, PlateSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from openhcs_gui_services.services.images.opened import OpenPlate
    from openhcs_gui_services.services.images.pyramid import Pyramid
    from openhcs_runtime.plates import ImageRef

__all__ = ["CACHE_BYTES", "PlateImages"]

CACHE_BYTES = 512 * 1024**2
_PLATES = 4
"""Opened plates that are kept; the list of images of one of 1,536 wells takes some ten megabytes."""
_THREADS = 2
Value = TypeVar("Value")


class PlateImages:
    """The images of plates, for widgets on one event loop; nothing is read on the thread of that loop.

    Args:
        limit_bytes: the most bytes of planes to keep.
    """

    def __init__(self, limit_bytes: int = CACHE_BYTES) -> None:
        self._queue = NewestFirst(_THREADS)
        self._plates: ByteCache[PlateSource, OpenPlate] = ByteCache(_PLATES)
        self._planes: ByteCache[Hashable, Pyramid] = ByteCache(limit_bytes)

    @property
    def nbytes(self) -> int:
        """The bytes of planes that are kept."""
        return self._planes.nbytes

    @property
    def opened(self) -> int:
        """The number of opened plates that are kept."""
        return len(self._plates)

    @property
    def waiting(self) -> int:
        """The number of requests that have not been started."""
        return self._queue.waiting

    async def plate(self, source: PlateSource) -> "OpenPlate":
        """Open a plate, or return it as it was opened before.

        Raises:
            PlateError: the folder is away or is not a plate.
        """
        known = self._plates.get(source)
        if known is None:
            known = await self._queue.run(source, functools.partial(_open, source))
            self._plates.put(source, known, 1)
        return known

    async def plane(self, source: PlateSource, place: ImagePlace, channel: int) -> "NDArray[Any]":
        """Return the plane (Y, X) of a channel, in the dtype that it is stored in; it must not be changed.

        Raises:
            PlateError: the folder is away or is not a plate.
            ImageError: the image is missing or can't be read; the message names the file.
        """
        return (await self.pyramid(source, place, channel)).plane

    async def pyramid(
        self, source: PlateSource, place: ImagePlace, channel: int, level: int = 0, *, later: bool = False
    ) -> "Pyramid":
        """Return the plane of a channel at several resolutions; see :meth:`plane`.

        Args:
            source: the plate.
            place: the field of view.
            channel: number of the channel.
            level: reduce the plane by ``2**level``; only the smaller plane is kept.
            later: serve all other requests first.
        """
        plate = await self.plate(source)
        image = plate.image(place, channel)
        read = functools.partial(_read_plane, plate.plate.format, image, level)
        return await self._pyramid((source, image, level), read, later=later)

    async def shape(self, plate: "OpenPlate", image: "ImageRef") -> tuple[int, int]:
        """Return rows and columns of an image, from its header.

        Raises:
            ImageError: it can't be read.
        """
        return await self._queue.run(("shape", image), functools.partial(_read_shape, plate.plate.format, image))

    async def labels(self, file: Path, digest: str = "") -> "NDArray[Any]":
        """Return the label image (Y, X) in a TIFF file that a run has written.

        Args:
            file: the file.
            digest: of its content; a file with another digest is read again.

        Raises:
            ImageError: it can't be read.
        """
        return (await self._pyramid((file, digest), functools.partial(_read_labels, file))).plane

    async def call(self, key: Hashable, call: Callable[[], Value], *, later: bool = False) -> Value:
        """Return the result of any call, made in one of the threads; equal keys share one call.

        Args:
            key: identifies the call.
            call: the call.
            later: serve all other requests first.
        """
        return await self._queue.run(key, call, later=later)

    def read_ahead(self, plate: "OpenPlate", places: Iterable[ImagePlace], channels: Iterable[int]) -> None:
        """Read these images when nothing else is wanted; those asked for before are forgotten."""
        self._queue.forget_ahead()
        numbers = tuple(channels)
        for place in places:
            for channel in numbers:
                self._read_ahead(plate, place, channel)

    def forget(self, source: PlateSource) -> None:
        """Forget an opened plate, so that its folder is read again; planes of changed files are read again too."""
        self._plates.drop(source)

    async def close(self) -> None:
        """Drop all requests, wait for what is being read, and end the threads. May be called twice."""
        await self._queue.close()
        self._planes.clear()
        self._plates.clear()

    def _read_ahead(self, plate: "OpenPlate", place: ImagePlace, channel: int) -> None:
        images = plate.plate.images.get(place.well, ())
        found = next((one for one in images if _is_at(one, place, channel)), None)
        key = (plate.source, found, 0)
        if found is not None and key not in self._planes:
            read = functools.partial(_read_plane, plate.plate.format, found)
            self._queue.ahead(key, read, functools.partial(self._keep, key))

    async def _pyramid(self, key: Hashable, read: "Callable[[], Pyramid]", *, later: bool = False) -> "Pyramid":
        known = self._planes.get(key)
        if known is None:
            known = await self._queue.run(key, read, later=later)
            self._keep(key, known)
        return known

    def _keep(self, key: Hashable, pyramid: "Pyramid") -> None:
        if key not in self._planes:
            self._planes.put(key, pyramid, pyramid.nbytes)


def _is_at(image: "ImageRef", place: ImagePlace, channel: int) -> bool:
    key = image.key
    here = (key.well, key.site, key.channel, key.z_index, key.timepoint)
    return here == (place.well, place.site, channel, place.z_index, place.timepoint)


def _open(source: PlateSource) -> "OpenPlate":
    # Loads image libraries; those that the views need later as well, so that they don't load them on Qt's thread.
    importlib.import_module("openhcs_gui_services.services.images.compose")
    importlib.import_module("openhcs_gui_services.services.images.objects")
    importlib.import_module("openhcs_gui_services.services.images.picture")
    from openhcs_gui_services.services.images.opened import open_source  # noqa: PLC0415

    return open_source(source)


def _read_plane(plate_format: str, image: "ImageRef", level: int = 0) -> "Pyramid":
    from openhcs_gui_services.services.images.pyramid import Pyramid  # noqa: PLC0415  loads image libraries
    from openhcs_runtime.plates import read_image  # noqa: PLC0415  as above

    whole = Pyramid(read_image(plate_format, image))
    return Pyramid(whole.level(level).copy()) if level else whole


def _read_shape(plate_format: str, image: "ImageRef") -> tuple[int, int]:
    from openhcs_runtime.plates.read import read_header  # noqa: PLC0415  loads image libraries

    return read_header(plate_format, image).shape


def _read_labels(file: Path) -> "Pyramid":
    from openhcs_gui_services.services.images.labels import read_label_file  # noqa: PLC0415  loads image libraries
    from openhcs_gui_services.services.images.pyramid import Pyramid  # noqa: PLC0415  as above

    return Pyramid(read_label_file(file))
