"""What the folder of a plate tells without reading pixels, and the plates below a folder; for a worker thread.

Opening a plate loads image libraries, which a window that only shows plates does not need.
"""

from openhcs_gui_services.services.plates.values import PlateFacts
from openhcs_runtime.exceptions import OpenHCSError

__all__ = ["folders_to_add", "open_facts"]


def open_facts(path: str, pattern: str | None, plate_format: str | None, pages: str | None) -> PlateFacts:
    """Return what a plate's folder tells.

    Raises:
        PlateError: the folder is not a plate.
    """
    from openhcs_runtime.components import Component  # noqa: PLC0415
    from openhcs_runtime.plates import ProblemKind, open_plate  # noqa: PLC0415

    plate = open_plate(path, pattern=pattern, format=plate_format, pages=pages)
    names = plate.channel_names
    return PlateFacts(
        wells=plate.wells,
        sites=len(plate.components.get(Component.SITE, ())) or 1,
        channels=tuple(names.get(int(value), str(value)) for value in plate.components.get(Component.CHANNEL, ())),
        pixel_size_um=plate.pixel_size_um,
        plate_format=plate.format,
        missing={well: len(keys) for well, keys in plate.missing.items()},
        problems=tuple(each.message for each in plate.problems if each.kind is not ProblemKind.NOTE),
        left_out=plate.left_out,
    )


def folders_to_add(path: str) -> tuple[str, ...]:
    """Return the plates at or below a folder; the folder itself if none are found, so that its error is shown."""
    from openhcs_runtime.plates import find_plates  # noqa: PLC0415

    try:
        found = find_plates(path)
    except OpenHCSError:
        return (path,)
    return tuple(str(each.path) for each in found) or (path,)
