"""How the file names of a format state wells, sites, channels, planes and time points, as data."""

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import TypeAlias

from openhcs_runtime.components import Component, well_name, well_position
from openhcs_runtime.plates.said_names import SaidNames
from openhcs_runtime.plates.tiff.files import stem_of

__all__ = ["NUMBERED", "NameParts", "NamedFiles", "Naming", "Value", "Values", "numbers_of"]

NUMBERED = (Component.SITE, Component.CHANNEL, Component.Z_INDEX, Component.TIMEPOINT)

Value: TypeAlias = tuple[str, ...]
"""What a name says of a component: the text of each of its groups, "" for a group that is absent."""
Values: TypeAlias = tuple[Value, Value, Value, Value]
"""What a name says of site, channel, z_index and timepoint; () if nothing."""
NamedFiles: TypeAlias = SaidNames[str, Values]
"""The image files whose names could be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """The file names of a format.

    Attributes:
        form: The form of the names, for messages.
        names: Regular expressions for names without their ending; the first that matches counts. One with a slash has
            to match the path below the plate folder, others are for files in the plate folder itself. Groups: ``well``,
            or ``row`` (letters or a number) and ``column``; ``plate``, if a folder can have images of several plates;
            and for each component its name, or several with a number from 1 after its name, such as ``site_1`` for y
            and ``site_2`` for x. Values of a single number are that number; others are numbered from 1 in their sorted
            order.
        folders: The names of folders below the plate folder that have images, too.
        depth: How many levels of such folders there can be.
        from_0: Components whose numbers start at 0.
        first_row: The number of row A and of column 1, for rows and columns that are numbers.
    """

    form: str
    names: tuple[re.Pattern[str], ...]
    folders: re.Pattern[str] | None = None
    depth: int = 1
    from_0: frozenset[Component] = frozenset()
    first_row: int = 1

    def match(self, path: str) -> re.Match[str] | None:
        """Return the match for a path below the plate folder, with slashes."""
        folder, _, name = path.rpartition("/")
        stem = stem_of(name)
        text = f"{folder}/{stem}" if folder else stem
        for pattern in self.names:
            if (not folder or "/" in pattern.pattern) and (match := pattern.fullmatch(text)):
                return match
        return None

    def well(self, match: re.Match[str]) -> str:
        """Return the name of the well.

        Raises:
            ValueError: If it is not a well.
        """
        if "well" in match.re.groupindex:
            return self.well_of(match["well"])
        row, column = match["row"], int(match["column"])
        if row.isdecimal():
            return well_name(int(row) - self.first_row, column - self.first_row)
        return well_name(*well_position(f"{row}{column:02d}"))

    @staticmethod
    @functools.lru_cache(maxsize=4096)
    def well_of(text: str) -> str:
        """Return the usual name of a well.

        Raises:
            ValueError: If it is not a well.
        """
        return well_name(*well_position(text))


class NameParts:
    """Takes the names of files in folders of one level apart; what it has met before is not looked at again."""

    def __init__(self, naming: Naming) -> None:
        self._naming = naming
        self._patterns = [_Groups(pattern) for pattern in naming.names]
        self.plates: set[str] = set()

    def said_by(self, folder: str, name: str) -> tuple[str, Values] | None:
        """Return the well and what a name says of the other components; None if it is not of the form.

        Args:
            folder: The path of its folder below the plate folder; empty for that itself.
            name: The name of a TIFF file.

        Raises:
            ValueError: If its well is not one.
        """
        stem = stem_of(name)
        text = f"{folder}/{stem}" if folder else stem
        for groups in self._patterns:
            if (not folder or groups.has_folder) and (match := groups.fullmatch(text)):
                texts = match.groups("")
                well = groups.wells.get(groups.well(texts))
                if well is None:
                    well = groups.wells[groups.well(texts)] = self._naming.well(match)
                values = groups.values.get(groups.others(texts))
                if values is None:
                    values = groups.values[groups.others(texts)] = groups.sorted(match)
                    self.plates.add(match.groupdict("").get("plate", ""))
                return well, values
        return None


class _Groups:
    """The groups of a regular expression, and what their texts that have been met stand for."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.fullmatch = pattern.fullmatch
        self.has_folder = "/" in pattern.pattern
        index = pattern.groupindex
        of_well = [index[name] - 1 for name in ("well", "row", "column") if name in index]
        others = [place - 1 for place in index.values() if place - 1 not in of_well]
        self.well = itemgetter(*of_well)
        self.others = itemgetter(*others) if others else lambda texts: ()
        self.wells: dict[str | tuple[str, ...], str] = {}
        self.values: dict[str | tuple[str, ...], Values] = {}
        self._names = [
            sorted(name for name in index if re.fullmatch(rf"{component}(_\d)?", name)) for component in NUMBERED
        ]

    def sorted(self, match: re.Match[str]) -> Values:
        """Sort the groups of a match by component."""
        site, channel, z, timepoint = (tuple(match[name] or "" for name in names) for names in self._names)
        return site, channel, z, timepoint


def numbers_of(said: Iterable[Values], from_0: frozenset[Component]) -> dict[Component, dict[Value, int]]:
    """Return the number of each value that names say of a component."""
    all_said = list(said)
    return {
        component: _numbers((values[place] for values in all_said), int(component in from_0))
        for place, component in enumerate(NUMBERED)
    }


def _numbers(values: Iterable[Value], offset: int) -> dict[Value, int]:
    """Return numbers as they are if each value has at most one, always of the same group; one without is the first."""
    distinct = set(values)
    texts = [(place, text) for value in distinct for place, text in enumerate(value) if text]
    if len({place for place, _ in texts}) == 1 and all(text.isdecimal() for _, text in texts):
        return {value: int("".join(value) or 1 - offset) + offset for value in distinct}
    return {value: number for number, value in enumerate(sorted(distinct, key=_natural), start=1)}


def _natural(value: Value) -> list[tuple[bool, int, str]]:
    """Order numbers by value, and texts after numbers."""
    return [(False, int(text), text) if re.fullmatch(r"-?\d+", text) else (bool(text), 0, text) for text in value]
