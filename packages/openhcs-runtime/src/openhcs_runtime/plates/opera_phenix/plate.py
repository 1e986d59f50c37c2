"""Opera Phenix and Operetta CLS measurements as Harmony exports them: ``Images/r01c01f01p01-ch1sk1fk1fl1.tiff``.

The names contain row, column, field (site), plane (z) and channel; sk is the number in slow kinetics (time point). fk
and fl are the numbers in fast kinetics and fluorescence lifetimes, of which only the first is read. Newer exports have
``t1`` instead of these three. The images are in one folder, or in a folder per well (``r01c01``). ``Index.xml`` or
``Index.idx.xml`` next to them, or in the folder above, has the remaining metadata (see ``opera_phenix.index``). An
export for other programs has ``Index.ref.xml``, and the images in a folder ``flex``. Flat-field profiles are in the
index or in the folder ``FFC_Profile`` of the measurement (see ``opera_phenix.profiles``).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, islice
from types import MappingProxyType

from msgspec import structs

from openhcs_runtime.components import ImageKey, well_name
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import ImageRef, PlateProblem, ProblemKind, stray
from openhcs_runtime.plates.flat_field import FlatField
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import Fit, Listing, Metadata, PlateFormat
from openhcs_runtime.plates.opera_phenix.index import read_index
from openhcs_runtime.plates.opera_phenix.profiles import parse_profiles, read_profiles
from openhcs_runtime.plates.tiff.files import Entry, image_of, is_folder, scan, tiff_files
from openhcs_runtime.stores.path import AnyPath

_NAME = re.compile(
    r"r(\d+)c(\d+)f(\d+)p(\d+)-ch(\d+)(?:sk(?P<sk>\d+)fk(?P<fk>\d+)fl(?P<fl>\d+)|t(?P<t>\d+))(?:\.ome)?\.tiff?",
    re.IGNORECASE,
)
_INDEX_NAMES = ("Index.xml", "Index.idx.xml", "Index.ref.xml")
_PROFILES = "FFC_Profile"
_IMAGE_FOLDER = re.compile(r"r\d+c\d+|flex", re.IGNORECASE)
_PROBES = 20


class OperaPhenix(PlateFormat):
    """Measurements of Opera Phenix and Operetta CLS."""

    name, title = "opera_phenix", "Opera Phenix"
    signs = MappingProxyType(
        {
            "r<row>c<column>": r"(?i)(?:^|/)r\d+c\d+",
            "f<field>p<plane>": r"(?i)f\d+p\d+",
            "-ch<channel>": r"(?i)-ch\d",
            "sk<time>fk1fl1 or t<time>": r"(?i)sk\d+fk\d+fl|\dt\d+",
        }
    )

    def fits(self, folder: Folder) -> Fit:
        """Return whether it is the folder of a measurement, or its ``Images`` folder."""
        images = folder.below("Images") if "Images" in folder.folders else folder
        of_wells = (images.below(name) for name in images.folders if _IMAGE_FOLDER.fullmatch(name))
        return Fit.CERTAIN if any(map(_has_images, chain([images], islice(of_wells, _PROBES)))) else Fit.NONE

    def find(self, folder: Folder) -> Listing:
        """List the images, and read the index next to them."""
        return _listing(_images_folder(folder))


def _has_images(folder: Folder) -> bool:
    return any(map(_NAME.fullmatch, folder.images))


def _listing(folder: AnyPath) -> Listing:
    found: dict[str, ImageRef] = {}
    problems = []
    for entry in _files(folder):
        key = _key(entry.name)
        if isinstance(key, PlateProblem):
            problems.append(key)
        elif entry.name in found:
            text = f"{entry.path} has the same name as {found[entry.name].path}; it is left out"
            problems.append(PlateProblem(ProblemKind.DUPLICATE, text, key.well, left_out=1))
        else:
            found[entry.name] = image_of(entry, key)
    images = list(found.values())
    if not images:
        raise PlateError(f"no images in {folder} (expected TIFF files named r01c01f01p01-ch1sk1fk1fl1.tiff)")
    metadata, unread = _metadata(folder, found)
    images, metadata = _timepoints_from_1(images, metadata)
    return Listing(images, [*problems, *unread], metadata)


def _files(images: AnyPath) -> Iterator[Entry]:
    """Yield the TIFF files in a folder and in its well folders."""
    yield from tiff_files(images)
    wells = sorted(entry.path for entry in scan(images) if _IMAGE_FOLDER.fullmatch(entry.name) and is_folder(entry))
    for well in wells:
        yield from tiff_files(well)


def _images_folder(folder: Folder) -> AnyPath:
    return folder.below("Images").path if "Images" in folder.folders else folder.path


def _key(name: str) -> ImageKey | PlateProblem:
    match = _NAME.fullmatch(name)
    if match is None:
        return stray(f"{name} is not an image of the plate: its name is not of the form r01c01f01p01-ch1sk1fk1fl1")
    if match["sk"] and (int(match["fk"]), int(match["fl"])) != (1, 1):
        return stray(f"{name} is left out: only the first image of fast kinetics and lifetimes is read")
    row, column, field, plane, channel = (int(match[group]) for group in range(1, 6))
    try:
        well = well_name(row - 1, column - 1)
    except ValueError as error:
        return stray(f"{name} is not an image of the plate: {error}")
    return ImageKey(well, field, channel, plane, int(match["sk"] or match["t"]))


def _metadata(folder: AnyPath, found: Mapping[str, ImageRef]) -> tuple[Metadata, list[PlateProblem]]:
    places = (folder, folder.parent) if folder.name == "Images" else (folder,)
    path = next((path for place in places for name in _INDEX_NAMES if (path := place / name).is_file()), None)
    if path is None:
        return Metadata(), []
    try:
        index = read_index(path, lambda url: _key_of_url(url, found))
    except (ValueError, OSError) as error:
        message = f"{path.name} can't be understood: {error}; only the file names are used"
        return Metadata(), [PlateProblem(ProblemKind.METADATA, message)]
    profiles, problems = _flat_fields(path, index.profiles, places)
    if index.wrong_size:
        message = f"the pixel size in {path.name} is not used: {index.wrong_size}"
        problems.append(PlateProblem(ProblemKind.METADATA, message))
    return replace(index.metadata, flat_fields=profiles), problems


def _flat_fields(
    index: AnyPath, texts: Mapping[int, str], places: Iterable[AnyPath]
) -> tuple[dict[int, FlatField], list[PlateProblem]]:
    """Return the flat-field profiles of the index, otherwise those of the first file in ``FFC_Profile``."""
    files = [file for place in places if not texts for file in _profile_files(place)]
    for path in (index, *files):
        try:
            if profiles := parse_profiles(texts) if path is index else read_profiles(path):
                return profiles, []
        except (ValueError, OSError) as error:
            message = f"{path.name} can't be understood: {error}; its flat-field profiles are not used"
            return {}, [PlateProblem(ProblemKind.METADATA, message)]
    return {}, []


def _profile_files(folder: AnyPath) -> list[AnyPath]:
    place = folder / _PROFILES
    try:
        return [place / name for name in sorted(entry.name for entry in scan(place)) if name.lower().endswith(".xml")]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _key_of_url(url: str, found: Mapping[str, ImageRef]) -> ImageKey | None:
    """Return the image for a path in an index, relative to its folder and with either kind of slash."""
    name = url.replace("\\", "/").rpartition("/")[2]
    key = found[name].key if name in found else _key(name)
    return key if isinstance(key, ImageKey) else None


def _timepoints_from_1(images: list[ImageRef], metadata: Metadata) -> tuple[list[ImageRef], Metadata]:
    """Renumber time points from 1 if they start at 0 in the names."""
    if all(image.key.timepoint > 0 for image in images):
        return images, metadata
    planned = {well: tuple(map(_later, keys)) for well, keys in metadata.planned.items()}
    return [structs.replace(image, key=_later(image.key)) for image in images], replace(metadata, planned=planned)


def _later(key: ImageKey) -> ImageKey:
    return structs.replace(key, timepoint=key.timepoint + 1)
