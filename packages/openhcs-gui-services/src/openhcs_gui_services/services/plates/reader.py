"""Read the wells of a plate's folder and its runs on disk, outside the event loop."""

import asyncio
from pathlib import Path

from openhcs_runtime.outputs.runs import RunSummary, list_runs, newest_of, results_root
from openhcs_runtime.stores.path import as_path

__all__ = ["read_results", "read_wells"]


async def read_results(path: str, results_dir: str | None = None) -> RunSummary | None:
    """Return the results of a plate on disk: its newest complete run, else its newest run with finished wells.

    Args:
        path: the folder of the plate.
        results_dir: the folder of its runs [default: ``<plate>_results`` next to the plate].

    Returns:
        The run, or None if there are no results.

    Raises:
        OutputError: that folder cannot be listed.
        PlateError: the path is a URL that can't be read.
    """
    root = Path(results_dir) if results_dir else results_root(as_path(path))
    return await asyncio.to_thread(_newest, root)


def _newest(root: Path) -> RunSummary | None:
    return newest_of(list_runs(root)) if root.is_dir() else None


async def read_wells(
    path: str, pattern: str | None = None, plate_format: str | None = None, pages: str | None = None
) -> tuple[str, ...]:
    """Return the wells of the plate in a folder, in plate order, without reading pixels.

    Args:
        path: the folder, or its URL.
        pattern: regular expression for its file names; see ``openhcs_runtime.plates.open_plate``.
        plate_format: name of its format, if it is not to be detected.
        pages: what the pages of its TIFF files are that don't describe them.

    Raises:
        PlateError: the folder is not a plate.
    """
    return await asyncio.to_thread(_wells, path, pattern, plate_format, pages)


def _wells(path: str, pattern: str | None, plate_format: str | None, pages: str | None) -> tuple[str, ...]:
    from openhcs_runtime.plates import open_plate  # noqa: PLC0415 - loads image libraries that a window doesn't need

    return open_plate(path, pattern=pattern, format=plate_format, pages=pages).wells
