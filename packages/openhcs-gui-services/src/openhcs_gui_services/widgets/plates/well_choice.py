"""Wells chosen by what a plate map says of them, or as a sample. Without Qt."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openhcs_runtime.plate_map import PlateMap

__all__ = ["groups_of", "offered_columns", "sample_of"]

_MOST_VALUES = 40
"""Values of a column from which a menu is too long to choose one."""


def groups_of(plate_map: "PlateMap", column: str, wells: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Return the wells of each value of a column, in the order of their first wells; wells without one are left out."""
    from openhcs_runtime.plate_map import value_text  # noqa: PLC0415  only with a plate map

    groups: dict[str, list[str]] = {}
    for well in wells:
        value = plate_map.value(well, column)
        if value is not None:
            groups.setdefault(value_text(value), []).append(well)
    return {value: tuple(names) for value, names in groups.items()}


def offered_columns(plate_map: "PlateMap", wells: Sequence[str]) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Return the columns of few values, each with the wells of its values."""
    found = {column: groups_of(plate_map, column, wells) for column in plate_map.columns}
    return {column: groups for column, groups in found.items() if 0 < len(groups) <= _MOST_VALUES}


def sample_of(groups: Sequence[Sequence[str]], number: int, seed: int) -> tuple[str, ...]:
    """Return a sample of each group of wells, spread over the plate; all of a group that is smaller.

    Args:
        groups: the groups of wells.
        number: how many to take from each.
        seed: another seed gives another sample.
    """
    from openhcs_runtime.selection import sample_wells  # noqa: PLC0415  only when it is asked for

    return tuple(well for group in groups for well in sample_wells(group, min(number, len(group)), seed))
