"""Read the plate in a folder and its results on disk, outside the event loop."""

import asyncio
from pathlib import Path

from openhcs_gui_services.services.plates.on_disk import PlateDisk, ResultsOnDisk, read_disk
from openhcs_gui_services.services.plates.plate_facts import folders_to_add, open_facts
from openhcs_gui_services.services.plates.values import PlateFacts
from openhcs_runtime.outputs.runs import results_root
from openhcs_runtime.stores.path import as_path

__all__ = ["find_plate_folders", "read_facts", "read_plate_disk", "read_results", "read_wells", "results_folder"]


async def read_results(path: str, results_dir: str | None = None) -> ResultsOnDisk | None:
    """Return the results of a plate on disk; arguments and errors as of :func:`read_plate_disk`."""
    return (await read_plate_disk(path, results_dir)).found


async def read_plate_disk(path: str, results_dir: str | None = None) -> PlateDisk:
    """Return what a plate has on disk: its newest complete run, else its newest run with finished wells.

    Args:
        path: the folder of the plate.
        results_dir: the folder of its runs [default: ``<plate>_results`` next to the plate].

    Raises:
        OutputError: that folder cannot be listed.
        PlateError: the path is a URL that can't be read.
    """
    return await asyncio.to_thread(read_disk, results_folder(path, results_dir))


def results_folder(path: str, results_dir: str | None = None) -> Path:
    """Return the folder of the runs of a plate; arguments as of :func:`read_results`.

    Raises:
        PlateError: the path is a URL that can't be read.
    """
    return Path(results_dir) if results_dir else results_root(as_path(path))


async def read_facts(
    path: str, pattern: str | None = None, plate_format: str | None = None, pages: str | None = None
) -> PlateFacts:
    """Return what the folder of a plate tells, without reading pixels.

    Args:
        path: the folder, or its URL.
        pattern: regular expression for its file names; see ``openhcs_runtime.plates.open_plate``.
        plate_format: name of its format, if it is not to be detected.
        pages: what the pages of its TIFF files are that don't describe them.

    Raises:
        PlateError: the folder is not a plate.
    """
    return await asyncio.to_thread(open_facts, path, pattern, plate_format, pages)


async def read_wells(
    path: str, pattern: str | None = None, plate_format: str | None = None, pages: str | None = None
) -> tuple[str, ...]:
    """Return the wells of the plate in a folder, in plate order; arguments and errors as of :func:`read_facts`."""
    return (await read_facts(path, pattern, plate_format, pages)).wells


async def find_plate_folders(path: str) -> tuple[str, ...]:
    """Return the plates at or below a folder; the folder itself if there are none."""
    return await asyncio.to_thread(folders_to_add, path)
