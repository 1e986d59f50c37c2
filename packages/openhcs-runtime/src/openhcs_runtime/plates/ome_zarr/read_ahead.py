"""Reading of the metadata of a whole plate on the net, many files at once, before they are needed one by one."""

import msgspec

from openhcs_runtime.plates.ome_zarr.metadata import OmeMetadata, Plate, read_group
from openhcs_runtime.stores.path import StorePath, read_many

__all__ = ["read_ahead"]


def read_ahead(folder: StorePath, plate: Plate) -> None:
    """Read the metadata of all wells, images and arrays of a plate, so that they are in the cache.

    Raises:
        OSError: If the server can't be reached.
    """
    is_new = (folder / "zarr.json").is_file()
    groups, arrays = (
        (("zarr.json",), ("zarr.json",)) if is_new else (("zarr.json", ".zattrs"), ("zarr.json", ".zarray"))
    )
    wells = [folder / well.path for well in plate.wells]
    read_many(well / name for well in wells for name in groups)
    images = [well / entry.path for well in wells if (found := _group(well).well) for entry in found.images]
    read_many(image / name for image in images for name in groups)
    levels = [
        image / multiscale.datasets[0].path
        for image in images
        for multiscale in _group(image).multiscales[:1]
        if multiscale.datasets
    ]
    read_many(level / name for level in levels for name in arrays)


def _group(folder: StorePath) -> OmeMetadata:
    """Return the metadata of a group; none if they can't be used, which is reported when they are needed."""
    try:
        return read_group(folder)
    except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
        return OmeMetadata()
