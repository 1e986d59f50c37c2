"""Several plates, and the formats that are installed, one line each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from openhcs_runtime.cli.failures import PlateErrorKind
from openhcs_runtime.cli.plate_view import channels_text, first_image, plate_document
from openhcs_runtime.components import Component
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates import FoundPlate, Plate, ProblemKind, open_plate
from openhcs_runtime.plates.formats import format_packages
from openhcs_runtime.stores.path import AnyPath, path_below
from zmqruntime.execution.cli.failures import CommandError
from zmqruntime.execution.text import plural, table

__all__ = [
    "Listed",
    "formats_document",
    "formats_lines",
    "list_plates",
    "plates_document",
    "plates_error",
    "plates_lines",
]

_HEADER = ("PLATE", "FORMAT", "WELLS", "SITES", "CHANNELS", "IMAGES", "PROBLEMS")


@dataclass(frozen=True, slots=True)
class Listed:
    """A plate in a folder of several, opened; or why it can't be opened."""

    found: FoundPlate
    plate: Plate | None = None
    error: str = ""


def list_plates(found: Sequence[FoundPlate], pages: str | None = None) -> list[Listed]:
    """Open plates; one that can't be opened does not stop the others."""
    listed = []
    for each in found:
        try:
            listed.append(Listed(each, open_plate(each.path, format=each.format or None, pages=pages)))
        except PlateError as error:
            listed.append(Listed(each, error=str(error)))
    return listed


def plates_lines(above: AnyPath, listed: Sequence[Listed]) -> list[str]:
    """A table of the plates, and below it why some can't be opened."""
    rows = [(path_below(each.found.path, above), *_cells(each)) for each in listed]
    errors = [each.error for each in listed if each.error]
    return [f"{plural(len(listed), 'plate')} in {above}", "", *table(_HEADER, rows), *(["", *errors] if errors else [])]


def _cells(listed: Listed) -> tuple[str, ...]:
    plate = listed.plate
    if plate is None:
        return (listed.found.format, "-", "-", "-", "-", "can't be opened")
    problems = sum(problem.kind is not ProblemKind.NOTE for problem in plate.problems)
    return (
        plate.format,
        f"{len(plate.wells):,}",
        f"{len(plate.components[Component.SITE]):,}",
        channels_text(plate),
        f"{sum(map(len, plate.images.values())):,}",
        f"{problems:,}" if problems else "none",
    )


def plates_document(above: AnyPath, listed: Sequence[Listed]) -> dict[str, Any]:
    """The plates as a JSON document: those of ``info`` in a list."""
    return {"path": str(above), "plates": [_document(each) for each in listed]}


def _document(listed: Listed) -> dict[str, Any]:
    if listed.plate is None:
        path, plate_format = str(listed.found.path), listed.found.format or None
        return {"plate_path": path, "format": plate_format, "error": listed.error}
    return {**plate_document(listed.plate, first_image(listed.plate)), "error": None}


def plates_error(listed: Sequence[Listed]) -> CommandError | None:
    """What ends the command if some plates can't be opened."""
    errors = [each.error for each in listed if each.error]
    if not errors:
        return None
    message = f"{len(errors)} of {plural(len(listed), 'plate')} can't be opened"
    return CommandError(PlateErrorKind.PLATE, message)


def formats_lines() -> list[str]:
    """A table of the formats that are installed."""
    rows = [(each.name, each.title, each.package) for each in format_packages()]
    return table(("FORMAT", "TITLE", "PACKAGE"), rows)


def formats_document() -> dict[str, Any]:
    """The formats that are installed, as a JSON document."""
    formats = [{"format": each.name, "title": each.title, "package": each.package} for each in format_packages()]
    return {"formats": formats}
