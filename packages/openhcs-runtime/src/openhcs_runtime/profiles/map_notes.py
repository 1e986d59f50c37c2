"""What of a plate map may be a mistake: names that differ only in case, and two columns that could say the same."""

from openhcs_runtime.profiles.columns import MapColumns, MapRole
from openhcs_runtime.profiles.values import WellProfiles

_NAMED = 5


def map_notes(profiles: WellProfiles, columns: MapColumns) -> tuple[str, ...]:
    """Return what may be a mistake, in sentences.

    Args:
        profiles: the wells.
        columns: the columns of the plate map by what they say.

    Raises:
        PlateMapError: a column can't be told from another.
    """
    return (*_columns_passed_over(columns), *_spellings(profiles, columns))


def _columns_passed_over(columns: MapColumns) -> list[str]:
    others = {role: columns.passed_over(role) for role in (MapRole.CONTROL, MapRole.DOSE, MapRole.DOSE_UNIT)}
    return [
        f"Column {columns.find(role)} is the {role}, and {' and '.join(names)} could be it, too: choose with --column "
        f"{role}=NAME."
        for role, names in others.items()
        if names
    ]


def _spellings(profiles: WellProfiles, columns: MapColumns) -> list[str]:
    """Return which names are different although they differ only in case or spaces."""
    found: list[str] = []
    for role in (MapRole.COMPOUND, MapRole.CELL_LINE):
        name = columns.find(role)
        spellings: dict[str, dict[str, None]] = {}
        for value in profiles.plate_map[name] if name is not None else ():
            if isinstance(value, str):
                spellings.setdefault("".join(value.lower().split()), {})[value] = None
        several = [" and ".join(map(repr, each)) for each in spellings.values() if len(each) > 1]
        if several:
            more = f" (and {len(several) - _NAMED} more)" if len(several) > _NAMED else ""
            found.append(
                f"Different spellings in column {name} are different: {', '.join(several[:_NAMED])}{more}. Correct the "
                "plate map if they are the same."
            )
    return found
