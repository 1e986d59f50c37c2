r"""Folders of TIFF files, one per plane, with names described by a regular expression.

For example::

    (?P<well>[A-P]\d\d)_f(?P<site>\d+)_(?P<channel>DAPI|GFP)
"""

import os
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from openhcs_runtime.components import Component, well_name, well_position
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import PlateProblem, stray
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import Fit, Listing, Metadata, PlateFormat
from openhcs_runtime.plates.image_table import Numbers
from openhcs_runtime.plates.said_names import NameReader
from openhcs_runtime.plates.tiff.files import identity, stem_of
from openhcs_runtime.stores.path import AnyPath

_NUMBERED = (Component.SITE, Component.CHANNEL, Component.Z_INDEX, Component.TIMEPOINT)
_CHANNEL = _NUMBERED.index(Component.CHANNEL)
_GROUPS = frozenset({"well", "row", "col", *map(str, _NUMBERED)})

_Values: TypeAlias = tuple[str | None, str | None, str | None, str | None]
"""The text of a name for each numbered component; None without one."""


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
        match = self.match(path)
        return {group: value for group, value in match.groupdict().items() if value is not None} if match else None

    def match(self, path: str) -> re.Match[str] | None:
        """Return the match for the path of a file below the plate folder, with slashes."""
        name = path if "/" in self.text else path.rpartition("/")[2]
        matches = self._compiled.fullmatch
        if (match := matches(name)) or (match := matches(stem := os.path.splitext(name)[0])):
            return match
        short = stem_of(name)
        return matches(short) if short != stem else None

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
    names = _PatternNames(pattern)
    for place, below in _all_folders(Folder(folder), {identity(folder)}):
        names.read(place, below)
    said, problems = names.reader.said(), names.problems
    channels = {values[_CHANNEL] for values in said.used_places()} - {None}
    number_of = _channel_numbers({channel for channel in channels if channel is not None})
    numbers = {values: _numbers(values, number_of) for values in said.used_places()}
    has_numbers = said.of_places(lambda values: numbers[values] is not None)
    strays = said.names(np.flatnonzero(~has_numbers))
    problems += [stray(f"{name} is not an image of the plate: not a number") for name in strays]
    said = said.take(has_numbers)
    if not len(said):
        raise PlateError(_nothing_found(folder, pattern, [problem.message for problem in problems]))
    from_1 = _from_1({values: place for values, place in numbers.items() if place is not None})
    images = said.table(str, from_1.__getitem__)
    are_numbers = all(map(str.isdecimal, number_of))
    return Listing(
        images,
        problems,
        Metadata(channel_names={} if are_numbers else {number: name for name, number in number_of.items()}),
    )


class _PatternNames:
    """Reads file names by a pattern; a well that it has met before is not looked at again.

    Attributes:
        reader: The names that fit.
        problems: What to report of others.
    """

    def __init__(self, pattern: NamePattern) -> None:
        self.reader: NameReader[str, _Values] = NameReader()
        self.problems: list[PlateProblem] = []
        self._pattern = pattern
        self._has_folder = "/" in pattern.text
        self._wells: dict[tuple[str | None, ...], str] = {}

    def read(self, folder: Folder, below: str) -> None:
        """Read the names in a folder, whose path below the plate folder ends in a slash."""
        self.reader.read(folder, lambda name: self._said_by(below + name if self._has_folder else name))

    def _said_by(self, path: str) -> tuple[str, _Values] | None:
        match = self._pattern.match(path)
        if match is None:
            self._leave_out(path, "it does not match the pattern")
            return None
        groups = match.groupdict()
        texts = groups.get("well"), groups.get("row"), groups.get("col")
        well = self._wells.get(texts)
        if well is None:
            well = self._pattern.well_of({name: value for name, value in groups.items() if value is not None})
            self._wells[texts] = well
        if well:
            site, channel, z, timepoint = map(groups.get, _NUMBERED)
            return well, (site, channel, z, timepoint)
        self._leave_out(path, "the pattern does not find a valid well")
        return None

    def _leave_out(self, path: str, reason: str) -> None:
        self.problems.append(stray(f"{path} is not an image of the plate: {reason}"))


def _all_folders(folder: Folder, seen: set[tuple[int, int] | str], path: str = "") -> Iterator[tuple[Folder, str]]:
    """Yield a folder and all below it with their paths, each of them once even if several links point to it."""
    yield folder, path
    for name in sorted(folder.folders, key=lambda name: (os.path.islink(f"{folder.path}/{name}"), name)):
        below = folder.below(name)
        place = identity(below.path)
        if place not in seen:
            seen.add(place)
            yield from _all_folders(below, seen, f"{path}{name}/")


def _channel_numbers(channels: set[str]) -> dict[str, int]:
    if all(map(str.isdecimal, channels)):
        return {channel: int(channel) for channel in channels}
    return {name: number for number, name in enumerate(sorted(channels), start=1)}


def _numbers(values: _Values, channel_numbers: Mapping[str, int]) -> Numbers | None:
    """Return the components in the texts of a name; None if one is not a number."""
    numbers = []
    for place, value in enumerate(values):
        text = "1" if value is None else value
        if place == _CHANNEL and text in channel_numbers:
            numbers.append(channel_numbers[text])
        elif text.isdecimal():
            numbers.append(int(text))
        else:
            return None
    site, channel, z, timepoint = numbers
    return site, channel, z, timepoint


def _from_1(numbers: Mapping[_Values, Numbers]) -> dict[_Values, Numbers]:
    """Renumber from 1 the components that start at 0 in the file names (0 is reserved for projections)."""
    first = [int(min(of) == 0) for of in zip(*numbers.values(), strict=True)]
    return {
        values: (site + first[0], channel + first[1], z + first[2], timepoint + first[3])
        for values, (site, channel, z, timepoint) in numbers.items()
    }


def _nothing_found(folder: AnyPath, pattern: NamePattern, strays: list[str]) -> str:
    if not strays:
        return f"no TIFF files in {folder}"
    reasons = Counter(message.rpartition(": ")[2] for message in strays)
    reason = reasons.most_common(1)[0][0]
    return f"none of the {len(strays)} TIFF files in {folder} fits the pattern {shlex.quote(pattern.text)}: {reason}"
