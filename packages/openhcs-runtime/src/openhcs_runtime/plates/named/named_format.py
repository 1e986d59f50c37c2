"""The formats that are recognized by file names: what they share, whatever their names look like."""

import abc
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import ClassVar

from openhcs_runtime.components import Component
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import PlateProblem, ProblemKind, stray
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import Fit, Listing, Metadata, PlateFormat
from openhcs_runtime.plates.image_table import ImageTable
from openhcs_runtime.plates.named.naming import NUMBERED, NamedFiles, NameParts, Naming, Value, Values, numbers_of
from openhcs_runtime.plates.said_names import NameReader
from openhcs_runtime.plates.tiff.files import identity

__all__ = ["NamedFormat", "not_understood", "unique_names"]

_PROBES = 20


class NamedFormat(PlateFormat, abc.ABC):
    """A format whose file names state the components.

    Attributes:
        naming: How they do.
        plate_word: What to call the ``plate`` group of the names in messages.
    """

    naming: ClassVar[Naming]
    plate_word: ClassVar[str] = "plate"

    def fits(self, folder: Folder) -> Fit:
        """Return whether the folder, or the folders below it that the format has, contain images with such names."""
        path = next(self._matching(folder), None)
        return Fit.NONE if path is None else self.certainty(folder, path)

    def certainty(self, folder: Folder, path: str) -> Fit:
        """Return how certain it is that a folder with an image of that name is a plate of this format."""
        return Fit.CERTAIN

    def find(self, folder: Folder) -> Listing:
        """List the images, and read the metadata next to them."""
        files, strays = self._read_names(folder)
        if not len(files):
            count = f": none of its {len(strays)} TIFF files has a name of the form {self.naming.form}"
            raise PlateError(f"no images of a {self.title} plate in {folder.path}{count if strays else ''}")
        chosen, left = self.choose(files)
        if not len(chosen):
            raise PlateError(f"no images of a {self.title} plate in {folder.path}: {left[0].message}")
        numbers = numbers_of(chosen.used_places(), self.naming.from_0)
        sites, channels, planes, times = (numbers[component] for component in NUMBERED)
        images = chosen.table(str, lambda said: (sites[said[0]], channels[said[1]], planes[said[2]], times[said[3]]))
        metadata = Metadata(channel_names=self.channel_names(channels))
        metadata, unread = self.add_metadata(folder, metadata, images, numbers)
        return Listing(images, [*strays, *left, *unread], metadata)

    def choose(self, files: NamedFiles) -> tuple[NamedFiles, list[PlateProblem]]:
        """Return the files that are images of the plate, and the problems to report for others."""
        return files, []

    def channel_names(self, channels: Mapping[Value, int]) -> dict[int, str]:
        """Return the names of channels whose last group is a name."""
        names = {number: value[-1] for value, number in channels.items() if value and not value[-1].isdecimal()}
        return unique_names(names, {number: value for value, number in channels.items()})

    def add_metadata(
        self,
        folder: Folder,
        metadata: Metadata,
        images: ImageTable,
        numbers: Mapping[Component, Mapping[Value, int]],
    ) -> tuple[Metadata, list[PlateProblem]]:
        """Return the metadata with what else the names or the files next to the images say, and what is not understood.

        Raises:
            OSError: If a file can't be read.
        """
        return metadata, []

    def _matching(self, folder: Folder, prefix: str = "", depth: int = 0) -> Iterator[str]:
        for name in folder.images:
            if self._is_image(path := prefix + name):
                yield path
        if self.naming.folders and depth < self.naming.depth:
            below = (name for name in folder.folders if self.naming.folders.fullmatch(name))
            for name in islice(below, _PROBES):
                yield from self._matching(folder.below(name), f"{prefix}{name}/", depth + 1)

    def _is_image(self, path: str) -> bool:
        match = self.naming.match(path)
        try:
            return match is not None and bool(self.naming.well(match))
        except ValueError:
            return False

    def _read_names(self, folder: Folder) -> tuple[NamedFiles, list[PlateProblem]]:
        reader: NameReader[str, Values] = NameReader()
        parts, strays = NameParts(self.naming), []

        def said_by(path: str, name: str) -> tuple[str, Values] | None:
            try:
                if (said := parts.said_by(path, name)) is not None:
                    return said
                reason = f"its name is not {self.naming.form}"
            except ValueError as error:
                reason = str(error)
            strays.append(stray(f"{path}{'/' if path else ''}{name} is not an image of the plate: {reason}"))
            return None

        for place, path in _folders(folder, self.naming):
            reader.read(place, partial(said_by, path))
        self._check_one_plate(folder, parts.plates)
        return reader.said(), strays

    def _check_one_plate(self, folder: Folder, plates: Collection[str]) -> None:
        if len(plates) > 1:
            names = ", ".join(sorted(plates)[:4])
            what = f"{folder.path} has images of {len(plates)} {self.plate_word}s ({names})"
            raise PlateError(f"{what}: put each into a folder of its own")


def unique_names(names: Mapping[int, str], values: Mapping[int, Value]) -> dict[int, str]:
    """Return the names, with the rest of their value after names that occur twice."""
    counts = Counter(names.values())
    rest = {number: " ".join(text for text in values[number][:-1] if text) for number in names}
    return {number: name if counts[name] < 2 else f"{name} ({rest[number]})" for number, name in names.items()}


def not_understood(name: str, error: Exception) -> PlateProblem:
    """Return the problem to report for a metadata file that is damaged."""
    return PlateProblem(ProblemKind.METADATA, f"{name} can't be understood: {error}; only the file names are used")


def _folders(
    folder: Folder, naming: Naming, path: str = "", seen: frozenset[tuple[int, int] | str] = frozenset()
) -> Iterator[tuple[Folder, str]]:
    """Yield a folder, and the folders below it that the format has, with their paths."""
    yield folder, path
    if naming.folders is None or path.count("/") + bool(path) >= naming.depth:
        return
    hidden = filter(naming.folders.fullmatch, folder.hidden if isinstance(folder.path, Path) else ())
    hidden_folders = [name for name in hidden if os.path.isdir(f"{folder.path}/{name}")]
    for name in sorted([*filter(naming.folders.fullmatch, folder.folders), *hidden_folders]):
        below = folder.below(name)
        place = identity(below.path)
        if place not in seen:
            yield from _folders(below, naming, f"{path}/{name}" if path else name, seen | {place})
