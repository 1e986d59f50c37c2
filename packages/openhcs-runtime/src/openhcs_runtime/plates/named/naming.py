"""How the file names of a format state wells, sites, channels, planes and time points, as data."""

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from openhcs_runtime.components import Component, ImageKey, well_name, well_position
from openhcs_runtime.plates.tiff.files import Entry, stem_of

__all__ = ["NUMBERED", "NamedFile", "Naming", "keys_of"]

NUMBERED = (Component.SITE, Component.CHANNEL, Component.Z_INDEX, Component.TIMEPOINT)

Value = tuple[str, ...]
"""What a name says of a component: the text of each of its groups, "" for a group that is absent."""


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


@dataclass(frozen=True, slots=True)
class NamedFile:
    """An image file whose name could be read.

    Attributes:
        entry: The file.
        well: Its well.
        values: What the name says of each component; () if nothing.
        groups: The text of all groups.
    """

    entry: Entry
    well: str
    values: Mapping[Component, Value]
    groups: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, entry: Entry, well: str, match: re.Match[str]) -> "NamedFile":
        """Sort the groups of a match by component."""
        groups = match.groupdict(default="")
        names = _groups_of(match.re)
        values = {component: tuple(groups[name] for name in names[component]) for component in NUMBERED}
        return cls(entry, well, values, groups)


@functools.cache
def _groups_of(pattern: re.Pattern[str]) -> dict[Component, tuple[str, ...]]:
    """Return the names of the groups of each component, in their order."""
    return {
        component: tuple(sorted(name for name in pattern.groupindex if re.fullmatch(rf"{component}(_\d)?", name)))
        for component in NUMBERED
    }


def keys_of(
    files: Sequence[NamedFile], from_0: frozenset[Component]
) -> tuple[list[ImageKey], dict[Component, dict[Value, int]]]:
    """Return the keys of files, and the number of each value."""
    numbers = {
        component: _numbers((file.values[component] for file in files), int(component in from_0))
        for component in NUMBERED
    }
    keys = [
        ImageKey(file.well, *(numbers[component][file.values[component]] for component in NUMBERED)) for file in files
    ]
    return keys, numbers


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
