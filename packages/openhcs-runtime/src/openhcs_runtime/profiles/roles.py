"""Which wells are negative and positive controls: by an expression over the plate map, or by its usual column."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.exceptions import PlateMapError
from openhcs_runtime.profiles.columns import MapColumns, MapRole
from openhcs_runtime.profiles.values import WellProfiles


class ControlKind(StrEnum):
    """A kind of control wells."""

    NEGATIVE = "negative"
    """Wells in which nothing is expected to happen."""
    POSITIVE = "positive"
    """Wells in which the effect is known."""


_USUAL = {
    ControlKind.NEGATIVE: frozenset(
        {"negative", "neg", "negative control", "neg control", "negcon", "dmso", "vehicle", "untreated", "mock"}
    ),
    ControlKind.POSITIVE: frozenset({"positive", "pos", "positive control", "pos control", "poscon"}),
}
"""What wells of a kind usually have in the column of controls, in any case."""


@dataclass(frozen=True, slots=True, eq=False)
class ControlWells:
    """The control wells of a kind.

    Attributes:
        kind: the kind.
        rule: the expression that is true for them.
        found: whether the rule was found by usual names, and not given.
        chosen: whether each row of the profiles is one of them (rows,).
    """

    kind: ControlKind
    rule: str
    found: bool
    chosen: NDArray[np.bool_]


def control_wells(
    profiles: WellProfiles, kind: ControlKind, expression: str = "", columns: MapColumns | None = None
) -> ControlWells:
    """Return the control wells of a kind.

    Args:
        profiles: the wells.
        kind: the kind.
        expression: an expression over the plate map that is true for them, such as ``"control == 'DMSO'"``; empty to
            find them in the column ``control`` or ``control_type`` by a usual value, such as ``negative`` or ``DMSO``.
        columns: the columns of the plate map by what they say; None for the usual names.

    Raises:
        PlateMapError: the expression is not valid or no well matches; or there is no usual value, or several.
    """
    rule = expression or _usual_rule(profiles, kind, columns or map_columns(profiles))
    chosen = profiles.matching(rule)
    if not chosen.any():
        raise PlateMapError(f"no well of {profiles.source} matches {rule!r}: correct --{kind}, or the plate map")
    return ControlWells(kind, rule, not expression, chosen)


def find_controls(
    profiles: WellProfiles, negative: str = "", positive: str = "", columns: MapColumns | None = None
) -> dict[ControlKind, ControlWells]:
    """Return the control wells that are given, or can be found by usual names.

    Args:
        profiles: the wells.
        negative: an expression for the negative controls; empty to look for them.
        positive: an expression for the positive controls; empty to look for them.
        columns: the columns of the plate map by what they say; None for the usual names.

    Returns:
        Those that there are, by kind.

    Raises:
        PlateMapError: an expression is not valid or no well matches it, or a well would be of both kinds.
    """
    found: dict[ControlKind, ControlWells] = {}
    for kind, expression in ((ControlKind.NEGATIVE, negative), (ControlKind.POSITIVE, positive)):
        known = columns or map_columns(profiles)
        if expression or _is_one_word(_usual_values(profiles, kind, known)):
            found[kind] = control_wells(profiles, kind, expression, known)
    if len(found) == len(ControlKind):
        _check_apart(profiles, *found.values())
    return found


def has_usual_value(profiles: WellProfiles, kind: ControlKind, columns: MapColumns | None = None) -> bool:
    """Return whether a column of the plate map has a usual value of this kind of control, or several.

    Args:
        profiles: the wells.
        kind: the kind.
        columns: the columns of the plate map by what they say; None for the usual names.
    """
    return bool(_usual_values(profiles, kind, columns or map_columns(profiles)))


def map_columns(profiles: WellProfiles) -> MapColumns:
    """Return the columns of the plate map of these wells, to be found by their usual names."""
    return MapColumns(tuple(profiles.plate_map), source=f"the plate map in {profiles.source}")


def _check_apart(profiles: WellProfiles, one: ControlWells, other: ControlWells) -> None:
    both = np.flatnonzero(one.chosen & other.chosen)
    if len(both):
        raise PlateMapError(
            f"well {profiles.wells[both[0]]} is a negative control ({one.rule}) and a positive one ({other.rule}): "
            "correct --negative or --positive"
        )


def _usual_values(profiles: WellProfiles, kind: ControlKind, columns: MapColumns) -> list[str]:
    name = columns.find(MapRole.CONTROL)
    values = profiles.plate_map[name] if name is not None else ()
    texts = dict.fromkeys(value for value in values if isinstance(value, str))
    return [text for text in texts if _plain(text) in _USUAL[kind]]


def _plain(text: str) -> str:
    return text.strip().lower().replace("_", " ").replace("-", " ")


def _is_one_word(texts: Sequence[str]) -> bool:
    """Return whether texts are spellings of one word, such as NEG and neg."""
    return len({_plain(text) for text in texts}) == 1


def _usual_rule(profiles: WellProfiles, kind: ControlKind, columns: MapColumns) -> str:
    name = columns.find(MapRole.CONTROL)
    found = _usual_values(profiles, kind, columns)
    if len(found) == 1:
        return f"{_quoted(str(name))} == {found[0]!r}"
    if _is_one_word(found):
        return f"{_quoted(str(name))} in ({', '.join(map(repr, found))})"
    example = f"give them (--{kind} \"{name or 'compound'} == 'DMSO'\")"
    if found:
        raise PlateMapError(f"the {kind} controls may be {' or '.join(map(repr, found))} in column {name!r}: {example}")
    if not columns.names:
        raise PlateMapError(
            f"the {kind} controls are not known, as {profiles.source} was made without a plate map: put platemap.csv "
            "into the plate and run again, name wells (--"
            f"{kind} \"well in ('A01', 'A02')\"), or compare with the whole plate (--to plate)"
        )
    if name is None:
        there = f"has columns {', '.join(columns.names)}"
        raise PlateMapError(f"the {kind} controls are not known, as {columns.source} {there}: {example}")
    raise PlateMapError(f"no value in column {name!r} of {columns.source} usually means {kind} control: {example}")


def _quoted(name: str) -> str:
    return name if name.isidentifier() else f"`{name}`"
