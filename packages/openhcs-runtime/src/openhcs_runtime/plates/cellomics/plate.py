"""Cellomics ArrayScan and CellInsight measurements: ``MFGTMP_150828100001_A01f00d0.C01``.

The names contain the plate, the well, the field from 0 (f, the site) and the channel from 0 (d, or o for overlays of
older instruments). Images are ``.C01`` or ``.DIB`` files (see ``cellomics.container``), or TIFF files exported from
them. The names of channels are in a database (``.mdb``) that is not read.
"""

import re
from collections.abc import Iterator

from openhcs_runtime.components import ImageKey, normal_well
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import PlateProblem, stray
from openhcs_runtime.plates.cellomics.container import CELLOMICS_FILES, SUFFIXES
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import Fit, Listing, PlateFormat
from openhcs_runtime.plates.table_builder import TableBuilder, table_of
from openhcs_runtime.plates.tiff.files import Entry, image_of, is_folder, scan

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
        names = _Names()
        names.images.read(folder, names.code)
        images = names.images.table()
        containers = list(_containers(folder))
        if images and containers:
            what = f"{len(containers):,} .C01 or .DIB files, such as {min(entry.name for entry in containers)}"
            names.problems.append(stray(f"{what}: left out because there are TIFF files", files=len(containers)))
        elif containers:
            images = table_of(image_of(entry, key) for entry in containers if (key := names.key(entry.name)))
        if not images:
            raise PlateError(f"no images in {folder.path} (expected .C01, .DIB or TIFF files named {_FORM})")
        return Listing(images, names.problems)


class _Names:
    """Reads the names of images, and collects what to report of others."""

    def __init__(self) -> None:
        self.images = TableBuilder()
        self.problems: list[PlateProblem] = []

    def code(self, name: str) -> tuple[int, int] | None:
        """Return the codes of well and other components in the table for a name."""
        key = self.key(name)
        return (self.images.well(key.well), self.images.place((key.site, key.channel, 1, 1))) if key else None

    def key(self, name: str) -> ImageKey | None:
        """Return what an image shows."""
        match = _NAME.fullmatch(name)
        if match is None:
            reason = f"its name is not of the form {_FORM}"
        else:
            try:
                return ImageKey(normal_well(match["well"]), int(match["site"]) + 1, int(match["channel"]) + 1)
            except ValueError as error:
                reason = str(error)
        self.problems.append(stray(f"{name} is not an image of the plate: {reason}"))
        return None


def _containers(folder: Folder) -> Iterator[Entry]:
    if not set(SUFFIXES).intersection(folder.suffixes):
        return
    for entry in scan(folder.path):
        if entry.name.lower().endswith(SUFFIXES) and not entry.name.startswith(".") and not is_folder(entry):
            yield entry
