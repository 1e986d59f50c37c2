"""Cellomics ArrayScan and CellInsight measurements: ``MFGTMP_150828100001_A01f00d0.C01``.

The names contain the plate, the well, the field from 0 (f, the site) and the channel from 0 (d, or o for overlays of
older instruments). Images are ``.C01`` or ``.DIB`` files (see ``cellomics.container``), or TIFF files exported from
them. The names of channels are in a database (``.mdb``) that is not read.
"""

import re
from collections.abc import Iterator

from openhcs_runtime.components import ImageKey, well_name, well_position
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import ImageRef, PlateProblem, stray
from openhcs_runtime.plates.cellomics.container import CELLOMICS_FILES, SUFFIXES
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import Fit, Listing, PlateFormat
from openhcs_runtime.plates.tiff.files import Entry, image_of, is_folder, scan, tiff_files

_NAME = re.compile(
    r"(?:.*_)?(?P<well>[A-P]\d{2})f(?P<site>\d{2,3})[do](?P<channel>\d{1,2})\.(?:c01|dib|tiff?)",
    re.IGNORECASE | re.DOTALL,
)
_FORM = "<plate>_A01f00d0"


class Cellomics(PlateFormat):
    """Measurements of ArrayScan and CellInsight."""

    name, title = "cellomics", "Cellomics ArrayScan or CellInsight"
    files = CELLOMICS_FILES

    def fits(self, folder: Folder) -> Fit:
        """Return whether a folder has images named by one of these instruments."""
        names = [*folder.images, *(name for suffix in SUFFIXES for name in folder.named(suffix))]
        return Fit.CERTAIN if any(map(_NAME.fullmatch, names)) else Fit.NONE

    def find(self, folder: Folder) -> Listing:
        """List the images; if there are TIFF files of the plate, the containers are left out."""
        problems: list[PlateProblem] = []
        images = [image for entry in tiff_files(folder.path) if (image := _image(entry, problems))]
        containers = list(_containers(folder))
        if images and containers:
            what = f"{len(containers):,} .C01 or .DIB files, such as {min(entry.name for entry in containers)}"
            problems.append(stray(f"{what}: left out because there are TIFF files", files=len(containers)))
        elif containers:
            images = [image for entry in containers if (image := _image(entry, problems))]
        if not images:
            raise PlateError(f"no images in {folder.path} (expected .C01, .DIB or TIFF files named {_FORM})")
        return Listing(images, problems)


def _containers(folder: Folder) -> Iterator[Entry]:
    for entry in scan(folder.path):
        if entry.name.lower().endswith(SUFFIXES) and not entry.name.startswith(".") and not is_folder(entry):
            yield entry


def _image(entry: Entry, problems: list[PlateProblem]) -> ImageRef | None:
    match = _NAME.fullmatch(entry.name)
    if match is None:
        problems.append(stray(f"{entry.name} is not an image of the plate: its name is not of the form {_FORM}"))
        return None
    try:
        well = well_name(*well_position(match["well"]))
    except ValueError as error:
        problems.append(stray(f"{entry.name} is not an image of the plate: {error}"))
        return None
    return image_of(entry, ImageKey(well, int(match["site"]) + 1, int(match["channel"]) + 1))
