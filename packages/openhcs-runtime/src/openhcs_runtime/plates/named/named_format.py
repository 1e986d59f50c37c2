"""The formats that are recognized by file names: what they share, whatever their names look like."""

import abc
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import ClassVar

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import PlateProblem, ProblemKind, stray
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import Fit, Listing, Metadata, PlateFormat
from openhcs_runtime.plates.named.naming import NamedFile, Naming, Value, keys_of
from openhcs_runtime.plates.tiff.files import Entry, identity, image_of, is_folder, is_tiff, scan

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
        if not files:
            count = f": none of its {len(strays)} TIFF files has a name of the form {self.naming.form}"
            raise PlateError(f"no images of a {self.title} plate in {folder.path}{count if strays else ''}")
        self._check_one_plate(folder, files)
        chosen, left = self.choose(files)
        keys, numbers = keys_of(chosen, self.naming.from_0)
        metadata = Metadata(channel_names=self.channel_names(numbers[Component.CHANNEL]))
        metadata, unread = self.add_metadata(folder, metadata, list(zip(chosen, keys, strict=True)), numbers)
        images = [image_of(file.entry, key) for file, key in zip(chosen, keys, strict=True)]
        return Listing(images, [*strays, *left, *unread], metadata)

    def choose(self, files: Sequence[NamedFile]) -> tuple[Sequence[NamedFile], list[PlateProblem]]:
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
        images: Sequence[tuple[NamedFile, ImageKey]],
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

    def _read_names(self, folder: Folder) -> tuple[list[NamedFile], list[PlateProblem]]:
        found, strays = [], []
        for entry, path in _entries(str(folder.path), self.naming):
            match = self.naming.match(path)
            if match is None:
                strays.append(stray(f"{path} is not an image of the plate: its name is not {self.naming.form}"))
                continue
            try:
                found.append(NamedFile.of(entry, self.naming.well(match), match))
            except ValueError as error:
                strays.append(stray(f"{path} is not an image of the plate: {error}"))
        return found, strays

    def _check_one_plate(self, folder: Folder, files: Sequence[NamedFile]) -> None:
        plates = Counter(file.groups.get("plate", "") for file in files)
        if len(plates) > 1:
            names = ", ".join(sorted(map(str, plates))[:4])
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


def _entries(
    folder: str, naming: Naming, prefix: str = "", depth: int = 0, seen: frozenset[tuple[int, int] | str] = frozenset()
) -> Iterator[tuple[Entry, str]]:
    """Yield the TIFF files in a folder and in the folders below it that the format has, with their paths."""
    below = []
    for entry in scan(folder):
        if is_tiff(entry):
            yield entry, prefix + entry.name
        elif naming.folders and depth < naming.depth and naming.folders.fullmatch(entry.name) and is_folder(entry):
            below.append(entry)
    for entry in sorted(below, key=lambda entry: entry.name):
        place = identity(entry.path)
        if place not in seen:
            yield from _entries(entry.path, naming, f"{prefix}{entry.name}/", depth + 1, seen | {place})
