r"""Folders of TIFF files, one per plane, with names described by a regular expression.

For example::

    (?P<well>[A-P]\d\d)_f(?P<site>\d+)_(?P<channel>DAPI|GFP)
"""

import os
import re
import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec import structs

from openhcs_runtime.components import Component, ImageKey, well_name, well_position
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import ImageRef, stray
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import Fit, Listing, Metadata, PlateFormat
from openhcs_runtime.plates.tiff.files import Entry, image_of, stem_of, tiff_files
from openhcs_runtime.stores.path import AnyPath, as_path, path_below

_NUMBERED = (Component.SITE, Component.CHANNEL, Component.Z_INDEX, Component.TIMEPOINT)
_GROUPS = frozenset({"well", "row", "col", *map(str, _NUMBERED)})


@dataclass(frozen=True, slots=True)
class NamePattern:
    """The regular expression that describes the file names of a plate.

    The expression uses Python syntax and has the named group ``well``, or ``row`` (letters or a number) and ``col``,
    and any of ``site``, ``channel``, ``z_index`` and ``timepoint``; components without a group are 1 for all images.

    It has to match the whole file name, with or without its extension; an expression with a slash has to match the path
    below the plate folder. Values are numbers; channels may be names, which are numbered from 1 in sorted order. A
    component whose numbers start at 0 is renumbered from 1. ``str()`` returns the expression.

    Attributes:
        text: The expression.

    Raises:
        PlateError: If it is not a valid regular expression, or groups are unknown or missing.
    """

    text: str
    _compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        shown = shlex.quote(self.text)
        try:
            compiled = re.compile(self.text)
        except re.error as error:
            raise PlateError(f"pattern {shown} is not a regular expression: {error}") from error
        groups = compiled.groupindex.keys()
        if unknown := sorted(groups - _GROUPS):
            known = ", ".join(sorted(_GROUPS))
            raise PlateError(f"pattern {shown} has the unknown group {unknown[0]!r} (known groups: {known})")
        if ("well" in groups) == ("row" in groups) or ("row" in groups) != ("col" in groups):
            raise PlateError(f"pattern {shown} has no well: add (?P<well>...), or (?P<row>...) and (?P<col>...)")
        object.__setattr__(self, "_compiled", compiled)

    def __str__(self) -> str:
        return self.text

    def values(self, path: str) -> dict[str, str] | None:
        """Return the values of the groups; None if the path does not match.

        Args:
            path: The path of a file below the plate folder, with slashes.
        """
        name = path if "/" in self.text else path.rpartition("/")[2]
        stems = dict.fromkeys([name, os.path.splitext(name)[0], stem_of(name)])
        match = next(filter(None, map(self._compiled.fullmatch, stems)), None)
        return {group: value for group, value in match.groupdict().items() if value is not None} if match else None

    @staticmethod
    def well_of(values: Mapping[str, str]) -> str:
        """Return the name of the well in the values of the groups; empty if it is not a well."""
        try:
            if "well" in values:
                return well_name(*well_position(values["well"]))
            row, column = values.get("row", ""), values.get("col", "")
            if row.isdecimal():
                return well_name(int(row) - 1, int(column) - 1)
            return well_name(*well_position(f"{row}{int(column):02d}"))
        except ValueError:
            return ""


class Pattern(PlateFormat):
    """TIFF files under a user's pattern: read like any other plate, but never recognized by itself."""

    name, title = "pattern", "TIFF files with a name pattern"

    def fits(self, folder: Folder) -> Fit:
        """Return that it does not fit: it is opened with ``pattern``."""
        return Fit.NONE

    def find(self, folder: Folder) -> Listing:
        """Raise an error, as there is no pattern."""
        raise PlateError("format pattern needs a pattern: use --pattern, or pattern= in PipelineConfig")


def find_by_pattern(folder: AnyPath, pattern: NamePattern) -> Listing:
    """List the images in ``folder`` and in all folders below it.

    Raises:
        PlateError: If no file matches.
        OSError: If the folder can't be listed.
    """
    named: list[tuple[Entry, str, dict[str, str]]] = []
    problems = []
    for entry in tiff_files(folder, deep=True):
        path = path_below(as_path(entry.path), folder) if "/" in pattern.text else entry.name
        values = pattern.values(path)
        well = pattern.well_of(values) if values else ""
        if values and well:
            named.append((entry, well, values))
        else:
            reason = "it does not match the pattern" if values is None else "the pattern does not find a valid well"
            problems.append(stray(f"{path} is not an image of the plate: {reason}"))
    channels = {values["channel"] for _, _, values in named if "channel" in values}
    number_of = _channel_numbers(channels)
    images: list[ImageRef] = []
    for entry, well, values in named:
        key = _key(well, values, number_of)
        if key is None:
            problems.append(stray(f"{entry.name} is not an image of the plate: not a number"))
        else:
            images.append(image_of(entry, key))
    if not images:
        raise PlateError(_nothing_found(folder, pattern, [problem.message for problem in problems]))
    names = {} if all(map(str.isdecimal, channels)) else {number: name for name, number in number_of.items()}
    return Listing(_from_1(images), problems, Metadata(channel_names=names))


def _channel_numbers(channels: set[str]) -> dict[str, int]:
    if all(map(str.isdecimal, channels)):
        return {channel: int(channel) for channel in channels}
    return {name: number for number, name in enumerate(sorted(channels), start=1)}


def _key(well: str, values: dict[str, str], channel_numbers: dict[str, int]) -> ImageKey | None:
    numbers: dict[Component, int] = {}
    for component in _NUMBERED:
        text = values.get(component, "1")
        if component is Component.CHANNEL and text in channel_numbers:
            numbers[component] = channel_numbers[text]
        elif text.isdecimal():
            numbers[component] = int(text)
        else:
            return None
    return ImageKey(well, *(numbers[component] for component in _NUMBERED))


def _from_1(images: list[ImageRef]) -> list[ImageRef]:
    """Renumber from 1 the components that start at 0 in the file names (0 is reserved for projections)."""
    from_0 = [min(int(image.key.value(component)) for image in images) == 0 for component in _NUMBERED]
    if not any(from_0):
        return images
    return [structs.replace(image, key=_shifted(image.key, from_0)) for image in images]


def _shifted(key: ImageKey, offsets: list[bool]) -> ImageKey:
    numbers = (int(key.value(component)) + offset for component, offset in zip(_NUMBERED, offsets, strict=True))
    return ImageKey(key.well, *numbers)


def _nothing_found(folder: AnyPath, pattern: NamePattern, strays: list[str]) -> str:
    if not strays:
        return f"no TIFF files in {folder}"
    reasons = Counter(message.rpartition(": ")[2] for message in strays)
    reason = reasons.most_common(1)[0][0]
    return f"none of the {len(strays)} TIFF files in {folder} fits the pattern {shlex.quote(pattern.text)}: {reason}"
