"""The label images that a run has written for a field of view, one for each set of objects."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from openhcs_gui_services.services.images.source import ImagePlace
from openhcs_runtime.components import PROJECTED, ImageKey
from openhcs_runtime.exceptions import DamagedResultError, ImageError
from openhcs_runtime.outputs.runs import read_run
from openhcs_runtime.outputs.wells import WellRecord, read_part

__all__ = ["LabelFile", "find_label_files", "read_label_file"]

_NAME = re.compile(r"([A-Z]{1,2}\d{2})_s(\d+)_w(\d+)(?:_z(\d+))?(?:_t(\d+))?")
"""File names as ``openhcs_runtime.outputs.images.image_name`` makes them; no z or time point if it was projected."""


@dataclass(frozen=True, slots=True)
class LabelFile:
    """A label image of a run.

    Attributes:
        name: name of the set of objects: the table of objects if there is one, or else the step that made it.
        file: the TIFF file.
        key: what it shows; ``z_index`` and ``timepoint`` are 0 if it is a projection over them.
        digest: of its content, by which a file that was written again is known.
    """

    name: str
    file: Path
    key: ImageKey
    digest: str = ""


def find_label_files(run: Path, place: ImagePlace) -> tuple[LabelFile, ...]:
    """Find the label images of a field of view; for a thread, as it reads the record of the well.

    Only files that the run lists as its own are used. A well that is not finished has none.

    Args:
        run: folder of the run.
        place: the field of view; labels of a projection belong to all its planes.

    Returns:
        The label images, by set.

    Raises:
        DamagedResultError: the record of the well is damaged, or belongs to another run.
    """
    part = read_part(run, place.well)
    if part is None:
        return ()
    planned = (read_run(run).planned or {}).get(place.well)
    if planned not in (None, part.signature):
        raise DamagedResultError(f"the results of well {place.well} in {run} are of another pipeline: resume the run")
    found = []
    for file in part.files:
        name = PurePosixPath(file.name)
        key = _key_of(name)
        if name.parts[0] == "labels" and key is not None and _is_at(key, place):
            found.append(LabelFile(_set_name(part, name), run / name, key, file.digest))
    return tuple(sorted(found, key=_order))


def read_label_file(file: Path) -> NDArray[Any]:
    """Read a label image (Y, X).

    Raises:
        ImageError: it is missing or can't be read.
    """
    try:
        labels = np.asarray(tifffile.imread(file))
    except FileNotFoundError as error:
        raise ImageError(f"{file} no longer exists: resume the run to write it again", str(file)) from error
    except Exception as error:  # a damaged file makes the decoder raise almost anything
        raise ImageError(f"{file} can't be read ({error}): resume the run to write it again", str(file)) from error
    if labels.ndim != 2 or labels.dtype.kind not in "iu":
        raise ImageError(f"{file} is not one plane of labels: resume the run to write it again", str(file))
    return labels


def _order(label: LabelFile) -> tuple[str, ImageKey]:
    return label.name, label.key


def _key_of(name: PurePosixPath) -> ImageKey | None:
    found = _NAME.fullmatch(name.stem)
    if found is None or name.suffix != ".tif":
        return None
    well, site, channel, z_index, timepoint = found.groups()
    return ImageKey(well, int(site), int(channel), int(z_index or PROJECTED), int(timepoint or PROJECTED))


def _is_at(key: ImageKey, place: ImagePlace) -> bool:
    return (
        (key.well, key.site) == (place.well, place.site)
        and key.z_index in (PROJECTED, place.z_index)
        and key.timepoint in (PROJECTED, place.timepoint)
    )


def _set_name(part: WellRecord, name: PurePosixPath) -> str:
    """Return the folder of a label image, which is named after its step; or the only table of the well."""
    if len(name.parts) > 2:
        return "/".join(name.parts[1:-1])
    return part.tables[0].name if len({table.name for table in part.tables}) == 1 else "objects"
