"""Which columns of a plate map say what: compound, dose, control and so on, found by their usual names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from openhcs_runtime.exceptions import PlateMapError
from openhcs_runtime.profiles.units import dose_unit


class MapRole(StrEnum):
    """What a column of a plate map says of a well."""

    COMPOUND = "compound"
    """What was added."""
    DOSE = "dose"
    """How much of it."""
    DOSE_UNIT = "dose_unit"
    """The unit of the dose."""
    CONTROL = "control"
    """Whether the well is a control, and of which kind."""
    REPLICATE = "replicate"
    """Which of several equal wells it is."""
    CELL_LINE = "cell_line"
    """The cells."""


_NAMES: Mapping[MapRole, tuple[str, ...]] = {
    MapRole.COMPOUND: ("compound", "compound_name", "compound_id", "drug", "treatment"),
    MapRole.DOSE: ("dose", "concentration", "conc"),
    MapRole.DOSE_UNIT: ("dose_unit", "dose_units", "concentration_unit", "conc_unit", "unit", "units"),
    MapRole.CONTROL: ("control", "control_type", "controls"),
    MapRole.REPLICATE: ("replicate", "rep", "replicate_number"),
    MapRole.CELL_LINE: ("cell_line", "cellline", "cells"),
}
"""The usual names of a column, in order of precedence; that of doses may end with a unit, as ``dose_uM`` does."""


@dataclass(frozen=True, slots=True)
class MapColumns:
    """The columns of a plate map by what they say.

    Attributes:
        names: names of the columns.
        given: columns that were named explicitly; the others are found by their usual names in any case, with spaces
            or hyphens for underscores.
        source: where the plate map is, for messages.
    """

    names: tuple[str, ...]
    given: Mapping[MapRole, str] = field(default_factory=dict)
    source: str = "the plate map"

    def find(self, role: MapRole) -> str | None:
        """Return the column for a role; None if there is none.

        Raises:
            PlateMapError: the one that was named does not exist, or two columns have the same usual name.
        """
        if role in self.given:
            return self._given(role)
        usual: dict[str, list[str]] = {}
        for name in self.names:
            usual.setdefault(_usual(name, role), []).append(name)
        for wanted in _NAMES[role]:
            found = usual.get(wanted, [])
            if len(found) > 1:
                raise PlateMapError(
                    f"{' and '.join(map(repr, found))} of {self.source} could both be the {role}: name one "
                    f"(--column {role}={found[0]})"
                )
            if found:
                return found[0]
        return None

    def passed_over(self, role: MapRole) -> tuple[str, ...]:
        """Return other columns with a usual name for a role, if the one that is used was not named."""
        if role in self.given:
            return ()
        used = self.find(role)
        return tuple(name for name in self.names if name != used and _usual(name, role) in _NAMES[role])

    def need(self, role: MapRole, purpose: str) -> str:
        """Return the column for a role.

        Args:
            role: what it says.
            purpose: what needs it, for the message.

        Raises:
            PlateMapError: there is none.
        """
        found = self.find(role)
        if found is None:
            there = (
                f"its columns are {', '.join(self.names)}" if self.names else "it has no columns: run with --platemap"
            )
            raise PlateMapError(
                f"{purpose} needs a column {role} in {self.source}, which has none ({there}): name it "
                f"(--column {role}=NAME)"
            )
        return found

    def unit_in_name(self) -> str:
        """Return the unit in the name of the column with doses, such as ``uM`` for ``dose_uM``; empty without one."""
        dose = self.find(MapRole.DOSE)
        return "" if dose is None else _split_dose(dose)[1]

    def found(self) -> dict[MapRole, str]:
        """Return the columns that there are, by role."""
        return {role: name for role in MapRole if (name := self.find(role)) is not None}

    def _given(self, role: MapRole) -> str:
        name = self.given[role]
        if name not in self.names:
            raise PlateMapError(f"{self.source} has no column {name!r} for the {role}: choose {', '.join(self.names)}")
        return name


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def _usual(name: str, role: MapRole) -> str:
    """Return a name as it is compared with the usual ones."""
    return _plain(_split_dose(name)[0] if role is MapRole.DOSE else name)


def _split_dose(name: str) -> tuple[str, str]:
    """Return the name of a column with doses without its unit, and the unit; empty if it has none."""
    match = re.fullmatch(r"\s*(dose|concentration|conc)[\s_-]+\(?(.+?)\)?\s*", name, re.IGNORECASE)
    if match is None or dose_unit(match[2]) is None:
        return name, ""
    return match[1], match[2].replace("_per_", "/")
