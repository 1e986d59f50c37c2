"""Read the wells of a plate's folder and its runs on disk, outside the event loop."""

import asyncio
from pathlib import Path

from openhcs_runtime.outputs.runs import RunSummary, list_runs, newest_of, results_root

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
    """
    root = Path(results_dir) if results_dir else results_root(Path(path))
    return await asyncio.to_thread(_newest, root)


def _newest(root: Path) -> RunSummary | None:
    return newest_of(list_runs(root)) if root.is_dir() else None


async def read_wells(path: str, pattern: str | None = None) -> tuple[str, ...]:
    """Return the wells of the plate in a folder, in plate order, without reading pixels.

    Args:
        path: the folder.
        pattern: regular expression for its file names; see ``openhcs_runtime.plates.open_plate``.

    Raises:
        PlateError: the folder is not a plate.
    """
    return await asyncio.to_thread(_wells, path, pattern)


def _wells(path: str, pattern: str | None) -> tuple[str, ...]:
    from openhcs_runtime.plates import open_plate  # noqa: PLC0415 - loads image libraries that a window doesn't need

    return open_plate(path, pattern=pattern).wells
