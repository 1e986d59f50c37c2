"""Regions of interest as ImageJ ROI sets, one file per image."""

from collections.abc import Sequence
from pathlib import Path

from openhcs_runtime.atomic import atomic_file
from openhcs_runtime.rois.imagej import zip_bytes
from openhcs_runtime.rois.shapes import Roi


def write_rois(path: Path, rois: Sequence[Roi]) -> None:
    """Write the regions of one image as a ``.zip`` file, which is not synced to disk.

    Raises:
        OutputError: the file cannot be written.
        RoiError: a region cannot be stored in the ImageJ format.
    """
    data = zip_bytes(rois)
    with atomic_file(path, sync=False) as file:
        file.write(data)
