"""Loads and makes the thumbnails of the plate that is shown, in one thread of low priority."""

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from openhcs_gui_services.services.images.source import PlateSource
from openhcs_gui_services.services.thumbnails.cache import ThumbnailCache
from openhcs_runtime.exceptions import OutputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from openhcs_gui_services.services.thumbnails.plate import PlateThumbnails

__all__ = ["ThumbnailBatch", "ThumbnailLoader"]

Value = TypeVar("Value")
_log = logging.getLogger(__name__)
_CHUNK = 48
"""Pictures that are handed over at once, so that the window draws a frame between two chunks."""
_SECONDS = 0.25
_LOW_PRIORITY = 15


@dataclass(frozen=True, slots=True, eq=False)
class ThumbnailBatch:
    """Pictures that are new or look different now.

    Attributes:
        pictures: the pictures (Y, X, 3) in red, green and blue, by well.
        channels: names of all channels of the plate, by number.
        known: number of wells whose thumbnails are there.
        wells: number of wells of the plate.
        lacking: what wells lack, as in "no image of DAPI", for those that lack a channel.
    """

    pictures: "Mapping[str, NDArray[np.uint8]]"
    channels: Mapping[int, str]
    known: int
    wells: int
    lacking: Mapping[str, str] = field(default_factory=dict)


class ThumbnailLoader:
    """The thumbnails of one plate at a time, for a window on one event loop.

    Args:
        cache: where they are kept.
    """

    def __init__(self, cache: ThumbnailCache) -> None:
        self._cache = cache
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="thumbnails", initializer=_lower_priority)
        self._plate: PlateThumbnails | None = None
        self._stop = threading.Event()

    async def load(
        self, source: PlateSource, run: Path | None, channel: int, *, reread: bool = True
    ) -> AsyncGenerator[ThumbnailBatch, None]:
        """Yield the pictures of a plate: first those that are known, then the others as they are made.

        The work for an earlier call stops after the image that is being read, as it does for this one when the
        iterator is closed; what was made is kept.

        Args:
            source: the plate.
            run: folder of a run of the plate; None if there is none.
            channel: number of the channel to show; 0 for all channels in their colours.
            reread: whether to look again for images that have changed, if the plate is the same as before.

        Raises:
            PlateError: the folder is away or is not a plate.
        """
        self._stop.set()
        stop = self._stop = threading.Event()
        plate = await self._opened(source, run, reread=reread)
        try:
            new, is_complete = plate.known, False
            while not is_complete:
                if await self._call(plate.settle_contrast):
                    new = plate.known
                for start in range(0, max(1, len(new)), _CHUNK):
                    yield await self._call(_batch, plate, new[start : start + _CHUNK], channel)
                new = await self._call(_make_some, plate, stop)
                is_complete = not new
        finally:
            stop.set()
            with contextlib.suppress(RuntimeError):  # the pool is closed
                self._pool.submit(_save, plate)

    def stop(self) -> None:
        """Stop making thumbnails after the image that is being read."""
        self._stop.set()

    async def close(self) -> None:
        """Stop at once, keep what was made, and end the thread. May be called twice."""
        self._stop.set()
        await asyncio.to_thread(self._pool.shutdown)
        self._plate = None

    async def _opened(self, source: PlateSource, run: Path | None, *, reread: bool) -> "PlateThumbnails":
        known = self._plate
        if known is None or reread or known.source != source:
            self._plate = known = None  # so that only one plate is in memory
            self._plate = known = await self._call(_open, source, run, self._cache)
        known.run = run
        return known

    async def _call(self, call: Callable[..., Value], *arguments: object) -> Value:
        return await asyncio.get_running_loop().run_in_executor(self._pool, call, *arguments)


def _open(source: PlateSource, run: Path | None, cache: ThumbnailCache) -> "PlateThumbnails":
    from openhcs_gui_services.services.thumbnails.plate import PlateThumbnails  # noqa: PLC0415  loads image libraries

    return PlateThumbnails(source, run, cache)


def _batch(plate: "PlateThumbnails", wells: tuple[str, ...], channel: int) -> ThumbnailBatch:
    names = {one.number: one.name for one in plate.channels}
    return ThumbnailBatch(plate.pictures(wells, channel), names, len(plate.known), plate.wells, plate.lacking(wells))


def _make_some(plate: "PlateThumbnails", stop: threading.Event) -> tuple[str, ...]:
    made = plate.make_some(_SECONDS, stop)
    if plate.should_save:
        _save(plate)
    return made


def _save(plate: "PlateThumbnails") -> None:
    try:
        plate.save()
    except OutputError as error:
        _log.warning("thumbnails are not kept: %s", error)


def _lower_priority() -> None:
    """Let everything else go first; on Linux, priorities are those of threads."""
    if hasattr(os, "setpriority") and os.uname().sysname == "Linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOW_PRIORITY)
