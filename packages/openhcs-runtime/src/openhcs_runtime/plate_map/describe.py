"""What a plate map says of a well, as text."""

from openhcs_runtime.plate_map.plate_map import PlateMap
from openhcs_runtime.plate_map.values import MapValue


def value_text(value: MapValue) -> str:
    """Return a value as text: numbers with six digits at most, truths as yes and no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else f"{value:.6g}"


def well_entries(plate_map: PlateMap, well: str) -> tuple[tuple[str, str], ...]:
    """Return the columns that say something of a well, with what they say.

    Raises:
        PlateMapError: ``well`` is not the name of a well.
    """
    values = ((name, plate_map.value(well, name)) for name in plate_map.columns)
    return tuple((name, value_text(value)) for name, value in values if value is not None)


def describe_well(plate_map: PlateMap, well: str) -> str:
    """Return what the map says of a well in one line, such as ``compound staurosporine, dose_um 0.3``; may be empty.

    Raises:
        PlateMapError: ``well`` is not the name of a well.
    """
    return ", ".join(f"{name} {text}" for name, text in well_entries(plate_map, well))
