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
from openhcs_runtime.plates.base import PlateProblem, ProblemKind, stray
from openhcs_runtime.plates.flat_field import FlatField
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import Fit, Listing, Metadata, PlateFormat
from openhcs_runtime.plates.image_table import ImageTable
from openhcs_runtime.plates.opera_phenix.index import read_index
from openhcs_runtime.plates.opera_phenix.profiles import parse_profiles, read_profiles
from openhcs_runtime.plates.table_builder import TableBuilder
from openhcs_runtime.plates.tiff.files import scan
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


def _listing(folder: Folder) -> Listing:
    reading = _Reading()
    for place in _folders(folder):
        reading.add(place)
    images, problems = reading.table.table(), reading.problems
    if not images:
        raise PlateError(f"no images in {folder.path} (expected TIFF files named r01c01f01p01-ch1sk1fk1fl1.tiff)")
    metadata, unread = _metadata(folder.path)
    images, metadata = _timepoints_from_1(images, metadata)
    return Listing(images, [*problems, *unread], metadata)


def _folders(images: Folder) -> Iterator[Folder]:
    """Yield a folder and its well folders."""
    yield images
    yield from (images.below(name) for name in images.folders if _IMAGE_FOLDER.fullmatch(name))


class _Reading:
    """Reads the names of the images; a name that is met again in another folder is left out."""

    def __init__(self) -> None:
        self.table = TableBuilder()
        self.problems: list[PlateProblem] = []
        self._wells: dict[tuple[str, ...], int] = {}
        self._places: dict[tuple[str, ...], int] = {}
        self._folders: list[Folder] = []
        self._folder_of: dict[str, Folder] = {}

    def add(self, folder: Folder) -> None:
        """Add the images of a folder."""
        if len(self._folders) == 1 and len(folder.tiff_names):
            self._folder_of = dict.fromkeys(self._folders[0].tiff_names, self._folders[0])
        if len(folder.tiff_names):
            self._folders.append(folder)
            self.table.read(folder, self._code)

    def _code(self, name: str) -> tuple[int, int] | None:
        match = _NAME.fullmatch(name)
        if match is None:
            self.problems += [one for one in (_key(name),) if isinstance(one, PlateProblem)]
            return None
        said = match.groups()
        well, place = self._wells.get(said[:2]), self._places.get(said[2:])
        if well is None or place is None:
            key = _key(name)
            if isinstance(key, PlateProblem):
                self.problems.append(key)
                return None
            well = self._wells[said[:2]] = self.table.well(key.well)
            place = self._places[said[2:]] = self.table.place((key.site, key.channel, key.z_index, key.timepoint))
        if len(self._folders) > 1 and self._is_double(name):
            return None
        return well, place

    def _is_double(self, name: str) -> bool:
        folder = self._folders[-1]
        first = self._folder_of.setdefault(name, folder)
        if first is folder:
            return False
        key = _key(name)
        assert isinstance(key, ImageKey)
        text = f"{folder.path / name} has the same name as {first.path / name}; it is left out"
        self.problems.append(PlateProblem(ProblemKind.DUPLICATE, text, key.well, left_out=1))
        return True


def _images_folder(folder: Folder) -> Folder:
    return folder.below("Images") if "Images" in folder.folders else folder


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


def _metadata(folder: AnyPath) -> tuple[Metadata, list[PlateProblem]]:
    places = (folder, folder.parent) if folder.name == "Images" else (folder,)
    path = next((path for place in places for name in _INDEX_NAMES if (path := place / name).is_file()), None)
    if path is None:
        return Metadata(), []
    try:
        index = read_index(path, _key_of_url)
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


def _key_of_url(url: str) -> ImageKey | None:
    """Return the image for a path in an index, relative to its folder and with either kind of slash."""
    key = _key(url.replace("\\", "/").rpartition("/")[2])
    return key if isinstance(key, ImageKey) else None


def _timepoints_from_1(images: ImageTable, metadata: Metadata) -> tuple[ImageTable, Metadata]:
    """Renumber time points from 1 if they start at 0 in the names."""
    if all(timepoint > 0 for _, _, _, timepoint in images.places):
        return images, metadata
    planned = {well: tuple(map(_later, keys)) for well, keys in metadata.planned.items()}
    later = [(site, channel, z, timepoint + 1) for site, channel, z, timepoint in images.columns.places]
    return ImageTable(replace(images.columns, places=later)), replace(metadata, planned=planned)


def _later(key: ImageKey) -> ImageKey:
    return structs.replace(key, timepoint=key.timepoint + 1)
