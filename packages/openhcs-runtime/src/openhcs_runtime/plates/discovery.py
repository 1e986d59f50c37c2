"""Detection of the plate in a folder, and the explanation if there is none."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import PlateProblem, ProblemKind
from openhcs_runtime.plates.folder_plate import FolderPlate
from openhcs_runtime.plates.imagexpress.plate import looks_like_imagexpress, open_imagexpress
from openhcs_runtime.plates.ome_zarr.plate import looks_like_ome_zarr, open_ome_zarr
from openhcs_runtime.plates.opera_phenix.plate import looks_like_phenix, open_opera_phenix

_DEEPEST = 2
_MOST_FOLDERS = 500
_NAMED = 4

_FORMATS: tuple[tuple[Callable[[Path], bool], Callable[[Path], FolderPlate]], ...] = (
    (looks_like_ome_zarr, open_ome_zarr),
    (looks_like_phenix, open_opera_phenix),
    (looks_like_imagexpress, open_imagexpress),
)
"""The functions that recognize and open each format, in the order in which they are tried."""

_FOREIGN = {
    ".mlf": "a Yokogawa CellVoyager (CV7000, CV8000)",
    ".wpi": "a Yokogawa CellVoyager (CV7000, CV8000)",
    ".xdce": "a GE or Cytiva IN Cell Analyzer",
    ".flex": "an Opera or Operetta before Harmony",
    ".nd2": "Nikon NIS-Elements",
    ".czi": "Zeiss ZEN",
    ".lif": "Leica LAS X",
    ".c01": "a Cellomics ArrayScan",
    ".scanr": "an Olympus ScanR",
    ".aivia": "Aivia",
}


def open_found(folder: Path) -> FolderPlate:
    """Open the plate in a folder, or the only plate up to two levels below it.

    Raises:
        PlateError: If there is no plate, or more than one.
        OSError: If the folder can't be listed.
    """
    for looks_like, opened in _FORMATS:
        if looks_like(folder):
            return opened(folder)
    below = _plates_below(folder)
    if len(below) == 1:
        opened = next(opened for looks_like, opened in _FORMATS if looks_like(below[0]))
        plate = opened(below[0])
        note = PlateProblem(ProblemKind.NOTE, f"the images are in {below[0]}")
        return replace(plate, path=folder, problems=(note, *plate.problems))
    if below:
        names = ", ".join(str(path.relative_to(folder)) for path in below[:_NAMED])
        more = f" and {len(below) - _NAMED} more" if len(below) > _NAMED else ""
        raise PlateError(f"{folder} holds several folders that look like a plate: name one of {names}{more}")
    raise PlateError(_nothing_found(folder))


def _plates_below(folder: Path) -> list[Path]:
    """Return the folders on the nearest level below that look like plates, without results of runs."""
    level, looked_at = [folder], 0
    for _ in range(_DEEPEST):
        level = [below for path in level for below in _folders(path)]
        found = []
        for path in level[: _MOST_FOLDERS - looked_at]:
            if any(looks_like(path) for looks_like, _ in _FORMATS):
                found.append(path)
        looked_at += len(level)
        if found or looked_at >= _MOST_FOLDERS:
            return found
    return []


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        return []
    return [folder / name for name in names if not name.endswith("_results")]


def _nothing_found(folder: Path) -> str:
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    endings = {os.path.splitext(name)[1].lower() for name in names}
    maker = next((maker for ending, maker in _FOREIGN.items() if ending in endings), "")
    tiffs = sum(name.lower().endswith((".tif", ".tiff")) for name in names)
    if maker:
        with_pattern = "; its TIFF files can be read with --pattern, or pattern= in PipelineConfig" if tiffs else ""
        return f"{folder} looks like a measurement of {maker}, a format that can't be read{with_pattern}"
    if tiffs:
        return (
            f"no plate images in {folder}: none of its {tiffs} TIFF files has a name of the form "
            "<prefix>_<well>_s<site>_w<channel>.tif (for other names use --pattern, or pattern= in PipelineConfig)"
        )
    return f"no images in {folder}: give the folder of an ImageXpress, Opera Phenix or OME-Zarr plate, or of TIFF files"
