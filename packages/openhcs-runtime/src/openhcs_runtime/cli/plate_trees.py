"""A folder of several plates as options for each of them. Folders on the server's machine are left to the server."""

import os
import re
from dataclasses import replace
from pathlib import Path

from openhcs_runtime.cli.plate_tasks import RunOptions
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.stores.path import AnyPath, as_path, path_below
from zmqruntime.execution.cli.failures import CommandError, ErrorKind
from zmqruntime.execution.text import plural

__all__ = ["options_of_each"]

_EXAMINED = 50
_TIFF = (".tif", ".tiff")
_PART_OF_PLATE = re.compile(r"TimePoint_\d+")


def options_of_each(options: RunOptions) -> tuple[RunOptions, ...]:
    """The options for each of the plates in a folder of several; otherwise only these options.

    Raises:
        CommandError: an option is for a single plate.
    """
    if not options.endpoint.is_local or options.pattern is not None or options.plate_format is not None:
        return (options,)
    try:
        above = as_path(os.path.expanduser(options.plate)).resolve()
        plates = _plates_in(above)
    except (PlateError, OSError):
        return (options,)  # the run says what is wrong with the folder
    if len(plates) < 2:
        return (options,)
    if options.output is not None or options.follow is not None:
        name = "--output" if options.output is not None else "--follow"
        remedy = "name one of them" + (", or use --results-dir" if options.output is not None else "")
        message = f"{name} is for one plate, and {above} has {plural(len(plates), 'plate')}: {remedy}"
        raise CommandError(ErrorKind.USAGE, message)
    return tuple(_for_plate(options, above, plate) for plate in plates)


def _plates_in(above: AnyPath) -> tuple[AnyPath, ...]:
    if isinstance(above, Path) and not _may_have_plates(above):
        return ()
    # Loads image libraries, which a run of a single plate does not need.
    from openhcs_runtime.plates import find_plates  # noqa: PLC0415

    return tuple(found.path for found in find_plates(above))


def _may_have_plates(folder: Path) -> bool:
    """Whether there may be several plates in it: it has no image among its first files, and several folders."""
    inside = _folders_in(folder)
    if not inside or all(_PART_OF_PLATE.fullmatch(Path(below).name) for below in inside):
        return False
    return len(inside) > 1 or bool(_folders_in(inside[0], images_count=False))


def _folders_in(folder: str | Path, *, images_count: bool = True) -> list[str]:
    """The folders among its first entries that may be plates; none if it has images itself, and these count."""
    found = []
    with os.scandir(folder) as entries:
        for _, entry in zip(range(_EXAMINED), entries, strict=False):
            if images_count and entry.name.lower().endswith(_TIFF):
                return []
            if entry.is_dir() and not entry.name.endswith("_results"):
                found.append(entry.path)
    return found


def _for_plate(options: RunOptions, above: AnyPath, plate: AnyPath) -> RunOptions:
    """The options for one plate; below ``--results-dir`` each plate gets a folder of its own."""
    results = options.results_dir
    if results is not None:
        results = results / f"{path_below(plate, above)}_results"
    return replace(options, plate=str(plate), results_dir=results)
