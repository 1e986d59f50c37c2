"""Opera Phenix and Operetta CLS measurements as Harmony exports them: `Images/r01c01f01p01-ch1sk1fk1fl1.tiff`.

In the names: row, column, field (site), plane (z), channel; sk counts slow kinetics (time points). fk and fl count fast
kinetics and fluorescence lifetimes, of which only the first is read. Newer exports say `t1` instead of the three.
`Index.xml` or `Index.idx.xml` beside the images adds the rest (see `openhcs_runtime.plates.phenix_index`).
"""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from xml.etree.ElementTree import ParseError

from openhcs_runtime.components import ImageKey, well_name
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import ImageRef, PlateFormat, PlateProblem, ProblemKind
from openhcs_runtime.plates.listing import FolderPlate, Metadata, list_plate
from openhcs_runtime.plates.phenix_index import read_index
from openhcs_runtime.plates.tiff_files import image_of, tiff_files

_NAME = re.compile(
    r"r(\d+)c(\d+)f(\d+)p(\d+)-ch(\d+)(?:sk(?P<sk>\d+)fk(?P<fk>\d+)fl(?P<fl>\d+)|t(?P<t>\d+))\.tiff?", re.IGNORECASE
)
_INDEX_NAMES = ("Index.xml", "Index.idx.xml")
_PROBES = 20


def looks_like_phenix(folder: Path) -> bool:
    """Whether it is a measurement's folder or the `Images` folder in it."""
    images = _images_folder(folder)
    return any(_NAME.fullmatch(entry.name) for entry in islice(tiff_files(images), _PROBES))


def open_opera_phenix(folder: Path) -> FolderPlate:
    """List the images of `folder`. Raises PlateError when it holds none, OSError when it can't be listed."""
    found: dict[str, ImageRef] = {}
    problems = []
    for entry in tiff_files(_images_folder(folder)):
        key = _key(entry.name)
        if isinstance(key, PlateProblem):
            problems.append(key)
        else:
            found[entry.name] = image_of(entry, key)
    images = list(found.values())
    if not images:
        raise PlateError(f"no images in {folder} (expected TIFF files named r01c01f01p01-ch1sk1fk1fl1.tiff)")
    metadata, unread = _metadata(_images_folder(folder), found)
    images, metadata = _timepoints_from_1(images, metadata)
    return list_plate(folder, PlateFormat.OPERA_PHENIX, images, [*problems, *unread], metadata)


def _images_folder(folder: Path) -> Path:
    images = folder / "Images"
    return images if images.is_dir() else folder


def _key(name: str) -> ImageKey | PlateProblem:
    match = _NAME.fullmatch(name)
    if match is None:
        return PlateProblem(
            ProblemKind.STRAY_FILE, f"{name} is no image of the plate: it is not named like r01c01f01p01-ch1sk1fk1fl1"
        )
    if match["sk"] and (int(match["fk"]), int(match["fl"])) != (1, 1):
        return PlateProblem(
            ProblemKind.STRAY_FILE, f"{name} is left out: of fast kinetics and lifetimes only the first"
        )
    row, column, field, plane, channel = (int(match[group]) for group in range(1, 6))
    try:
        well = well_name(row - 1, column - 1)
    except ValueError as error:
        return PlateProblem(ProblemKind.STRAY_FILE, f"{name} is no image of the plate: {error}")
    return ImageKey(well, field, channel, plane, int(match["sk"] or match["t"]))


def _metadata(folder: Path, found: Mapping[str, ImageRef]) -> tuple[Metadata, list[PlateProblem]]:
    path = next((folder / name for name in _INDEX_NAMES if (folder / name).is_file()), None)
    if path is None:
        return Metadata(), []
    try:
        return read_index(path, lambda url: found[url].key if url in found else _key_of_url(url)), []
    except (ParseError, ValueError, OSError) as error:
        message = f"{path.name} can't be understood: {error}; only the file names are used"
        return Metadata(), [PlateProblem(ProblemKind.METADATA, message)]


def _key_of_url(url: str) -> ImageKey | None:
    key = _key(os.path.basename(url.replace("\\", "/")))
    return key if isinstance(key, ImageKey) else None


def _timepoints_from_1(images: list[ImageRef], metadata: Metadata) -> tuple[list[ImageRef], Metadata]:
    """Count time points from 1 where the names count from 0."""
    if all(image.key.timepoint > 0 for image in images):
        return images, metadata
    planned = {well: tuple(map(_later, keys)) for well, keys in metadata.planned.items()}
    return [replace(image, key=_later(image.key)) for image in images], replace(metadata, planned=planned)


def _later(key: ImageKey) -> ImageKey:
    return replace(key, timepoint=key.timepoint + 1)
