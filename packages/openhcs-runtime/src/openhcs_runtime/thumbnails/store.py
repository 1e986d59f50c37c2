"""Thumbnails on disk: a file for each well in the folder of a run, and one file for a whole plate.

Both are bundles (see ``openhcs_runtime.outputs.bundle``), which are written at once and checked when they are read. In
the file of a plate, the planes of equal shape of a channel are one array (well, Y, X), so that it is read quickly.
"""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.atomic import atomic_file
from openhcs_runtime.exceptions import DamagedResultError, OutputError
from openhcs_runtime.outputs.bundle import StoredArray, read_head, read_tree, write_bundle
from openhcs_runtime.thumbnails.well import WellThumbnail

__all__ = [
    "copy_run_thumbnail",
    "read_plate_thumbnails",
    "read_run_thumbnail",
    "run_thumbnail",
    "write_plate_thumbnails",
    "write_run_thumbnail",
]

FOLDER = "thumbnails"
_log = logging.getLogger(__name__)


class _Head(msgspec.Struct, frozen=True):
    """The wells of a file.

    Attributes:
        wells: fingerprint and problem of each well.
    """

    wells: dict[str, tuple[str, str]]


class _Block(msgspec.Struct):
    """Planes of one channel and shape: ``planes`` (well, Y, X), in the order of ``wells``."""

    channel: int
    wells: list[str]
    planes: Any


def run_thumbnail(run: Path, well: str) -> Path:
    """Return where a run writes the thumbnail of a well."""
    return run / FOLDER / f"{well}.small"


def write_run_thumbnail(run: Path, well: WellThumbnail) -> None:
    """Write the thumbnail of a well into the folder of a run.

    Raises:
        OutputError: it can't be written.
    """
    write_plate_thumbnails(run_thumbnail(run, well.well), [well])


def read_run_thumbnail(run: Path, well: str) -> WellThumbnail | None:
    """Return the thumbnail that a run has written; None if there is none, or it is damaged, which is logged."""
    return read_plate_thumbnails(run_thumbnail(run, well)).get(well)


def copy_run_thumbnail(source: Path, target: Path, well: str) -> None:
    """Copy the thumbnail of a well from one run into another; without one nothing happens, a failure is only logged."""
    try:
        data = run_thumbnail(source, well).read_bytes()
        with atomic_file(run_thumbnail(target, well), sync=False) as file:
            file.write(data)
    except FileNotFoundError:
        pass
    except (OSError, OutputError) as error:
        _log.warning("the thumbnail of well %s was not taken over: %s", well, error)


def write_plate_thumbnails(path: Path, wells: Iterable[WellThumbnail]) -> None:
    """Write the thumbnails of many wells into one file.

    Raises:
        OutputError: it can't be written.
    """
    known = list(wells)
    groups: dict[tuple[int, tuple[int, ...], str], list[WellThumbnail]] = {}
    for well in known:
        for channel, plane in well.planes.items():
            groups.setdefault((channel, plane.shape, plane.dtype.str), []).append(well)
    blocks = [
        _Block(channel, [one.well for one in group], np.stack([one.planes[channel] for one in group]))
        for (channel, _, _), group in groups.items()
    ]
    head = _Head({well.well: (well.fingerprint, well.problem) for well in known})
    write_bundle(path, head, blocks, sync=False)


def read_plate_thumbnails(path: Path) -> Mapping[str, WellThumbnail]:
    """Return the thumbnails in a file by well; empty if there is no file, or it is damaged, which is logged."""
    try:
        return _read(path)
    except DamagedResultError as error:
        _log.warning("thumbnails are made again: %s", error)
        return {}


def _read(path: Path) -> Mapping[str, WellThumbnail]:
    head: _Head | None = read_head(path, _Head)
    if head is None:
        return {}
    planes: dict[str, dict[int, NDArray[Any]]] = {well: {} for well in head.wells}
    for block in read_tree(path, list[_Block]):
        stack = _stack(path, block, head)
        for well, plane in zip(block.wells, stack, strict=True):
            planes[well][block.channel] = plane
    return {
        well: WellThumbnail(well, fingerprint, planes[well], problem)
        for well, (fingerprint, problem) in head.wells.items()
    }


def _stack(path: Path, block: _Block, head: _Head) -> NDArray[Any]:
    """Return the planes of a block; what does not fit together is damaged."""
    stack = block.planes.load() if isinstance(block.planes, StoredArray) else None
    fits = stack is not None and stack.ndim == 3 and len(stack) == len(block.wells)
    if stack is None or not fits or not head.wells.keys() >= set(block.wells):
        raise DamagedResultError(f"{path} can't be read: its planes do not fit its wells")
    return stack
