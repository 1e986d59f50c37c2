"""Finds the plate map of a plate."""

from pathlib import Path

from openhcs_runtime.exceptions import PlateMapError
from openhcs_runtime.plate_map.read import SUFFIXES
from openhcs_runtime.stores.path import AnyPath

_NAME = "platemap"


def plate_map_places(plate: Path) -> tuple[tuple[Path, ...], ...]:
    """Return where the plate map of a plate may be, in order of precedence; the paths in a group exclude each other."""
    places = ((plate, _NAME), (plate.parent, f"{plate.name}_{_NAME}"), (plate.parent, _NAME))
    return tuple(tuple(folder / f"{stem}{suffix}" for suffix in SUFFIXES) for folder, stem in places)


def find_plate_map(plate: AnyPath) -> Path:
    """Return the plate map of a plate, as ``plate_map_if_any`` finds it.

    Raises:
        PlateMapError: there is none, or there are several in one place.
    """
    if not isinstance(plate, Path):
        raise PlateMapError(f"a plate on the net, such as {plate}, has no plate map next to it: give --platemap FILE")
    found = plate_map_if_any(plate)
    if found is None:
        raise PlateMapError(
            f"the plate has no plate map: put {_NAME}.csv, .xlsx or .json into {plate} or next to it, or give one "
            "(--platemap FILE)"
        )
    return found


def plate_map_if_any(plate: AnyPath) -> Path | None:
    """Return the plate map of a plate; None if it has none.

    It is named ``platemap``, with an ending such as ``.csv``, and is in the plate folder or next to it; the name may
    also be that of the plate and ``_platemap``, next to the plate, which counts before a plain ``platemap`` there.

    Raises:
        PlateMapError: there are several in one place.
    """
    for places in plate_map_places(plate) if isinstance(plate, Path) else ():
        found = [path for path in places if path.is_file()]
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise PlateMapError(
                f"there are several plate maps in {found[0].parent} ({names}): give one of them (--platemap)"
            )
        if found:
            return found[0]
    return None
