"""Reads what a plate's folder holds, beside the event loop."""

import asyncio

__all__ = ["read_wells"]


async def read_wells(path: str, pattern: str | None = None) -> tuple[str, ...]:
    """The wells of the plate in a folder, in plate order; no pixel is read.

    Args:
        path: the folder.
        pattern: how its file names are to be read; see ``openhcs_runtime.plates.open_plate``.

    Raises:
        PlateError: there is no plate.
    """
    return await asyncio.to_thread(_wells, path, pattern)


def _wells(path: str, pattern: str | None) -> tuple[str, ...]:
    from openhcs_runtime.plates import open_plate  # noqa: PLC0415 - loads image libraries, which showing a window needs not

    return open_plate(path, pattern=pattern).wells
