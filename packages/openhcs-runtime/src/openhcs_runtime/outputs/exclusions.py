"""Wells that a person has excluded from the numbers of a plate: ``exclusions.json`` next to the runs of the plate.

Excluded wells stay in the tables of a run. What compares or aggregates wells leaves them out, and says so.

The file is in ``<plate>_results``, so that it applies to all runs of the plate::

    {"format_version": 1,
     "wells": [{"plate": "demo", "well": "B03", "note": "air bubble", "excluded_at": "2026-11-30T09:00:00.000+00:00"}]}
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from openhcs_runtime.atomic import atomic_file
from openhcs_runtime.components import normal_well, well_position
from openhcs_runtime.exceptions import DamagedResultError, OutputError
from openhcs_runtime.outputs.runs import RunSummary, plate_name
from zmqruntime.execution.text import one_line, plural

FILE_NAME = "exclusions.json"
FORMAT_VERSION = 1
MOST_WELLS = 4096
"""Wells that a file may name; more are refused as damaged."""

_NAMED = 8
"""Wells that a sentence names."""


class Exclusion(msgspec.Struct, frozen=True, kw_only=True):
    """An excluded well.

    Attributes:
        plate: name of the plate.
        well: name of the well.
        note: why it was excluded; may be empty.
        excluded_at: when, ISO 8601, UTC.
    """

    plate: str
    well: str
    note: str = ""
    excluded_at: str = ""

    def __str__(self) -> str:
        return f"{self.well} ({self.note})" if self.note else self.well


class Exclusions(msgspec.Struct, frozen=True, kw_only=True):
    """The excluded wells of the plates of a folder of results.

    Attributes:
        wells: the wells, in plate order.
        format_version: version of the file.
    """

    wells: tuple[Exclusion, ...] = ()
    format_version: int = FORMAT_VERSION

    @property
    def names(self) -> frozenset[str]:
        """The names of the wells."""
        return frozenset(one.well for one in self.wells)

    def note(self, well: str) -> str | None:
        """Return why a well was excluded; None if it is not excluded."""
        return next((one.note for one in self.wells if one.well == well), None)

    def of_plate(self, plate: str) -> "Exclusions":
        """Return those of one plate, by its name."""
        return Exclusions(wells=tuple(one for one in self.wells if one.plate == plate))

    def sentence(self, *, kept: bool = False) -> str:
        """Return how many wells are excluded, which and why; empty if there are none.

        Args:
            kept: whether they are part of the numbers all the same.
        """
        if not self.wells:
            return ""
        more = f" and {len(self.wells) - _NAMED} more" if len(self.wells) > _NAMED else ""
        verb = "is" if len(self.wells) == 1 else "are"
        named = ", ".join(map(str, self.wells[:_NAMED])) + more
        said = "excluded wells are included here" if kept else f"{plural(len(self.wells), 'well')} {verb} excluded"
        return f"{said[0].upper()}{said[1:]}: {named}."


def exclusions_path(run: RunSummary) -> Path:
    """Return the file with the exclusions that apply to a run."""
    folder = run.folder
    is_own_root = folder.name.endswith("_results") and not folder.parent.name.endswith("_results")
    return (folder if is_own_root else folder.parent) / FILE_NAME


def read_exclusions(run: RunSummary) -> Exclusions:
    """Return the excluded wells of the plate of a run.

    Raises:
        DamagedResultError: the file can't be read.
        OutputError: it was written by a newer release.
    """
    return _read(exclusions_path(run)).of_plate(plate_name(run.plate_path))


def exclude_wells(run: RunSummary, wells: Iterable[str], note: str = "") -> Exclusions:
    """Exclude wells of the plate of a run, from all of its runs; those that are excluded already get the new note.

    Args:
        run: a run of the plate.
        wells: names of the wells.
        note: why, in one line.

    Returns:
        All excluded wells of the plate.

    Raises:
        OutputError: the file is damaged or of a newer release, or can't be written.
        ValueError: a name is not that of a well.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    plate = plate_name(run.plate_path)
    new = {
        name: Exclusion(plate=plate, well=name, note=one_line(note), excluded_at=now)
        for name in map(normal_well, wells)
    }
    return _change(run, new, frozenset(new))


def include_wells(run: RunSummary, wells: Iterable[str]) -> Exclusions:
    """Include wells again that were excluded.

    Args:
        run: a run of the plate.
        wells: names of the wells.

    Returns:
        The wells of the plate that are still excluded.

    Raises:
        OutputError: the file is damaged or of a newer release, or can't be written.
        ValueError: a name is not that of a well.
    """
    return _change(run, {}, frozenset(map(normal_well, wells)))


def _change(run: RunSummary, new: dict[str, Exclusion], replaced: frozenset[str]) -> Exclusions:
    path, plate = exclusions_path(run), plate_name(run.plate_path)
    known = _read(path)
    kept = [one for one in known.wells if one.plate != plate or one.well not in replaced]
    wells = sorted([*kept, *new.values()], key=lambda one: (one.plate, well_position(one.well)))
    changed = Exclusions(wells=tuple(wells))
    with atomic_file(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(changed), indent=1))
    return changed.of_plate(plate)


def _read(path: Path) -> Exclusions:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Exclusions()
    except OSError as error:
        raise DamagedResultError(
            f"{path} can't be read ({error.strerror or error}): make it readable, or delete it to include all wells"
        ) from error
    try:
        found = msgspec.json.decode(data, type=Exclusions)
        _check(found)
    except ValueError as error:  # msgspec's errors are of this kind as well
        raise DamagedResultError(
            f"{path} is damaged ({error}): restore it from a copy, or delete it to include all wells"
        ) from error
    if found.format_version > FORMAT_VERSION:
        raise OutputError(
            f"{path} was written by a newer release (format {found.format_version}): install that release"
        )
    return found


def _check(found: Exclusions) -> None:
    if len(found.wells) > MOST_WELLS:
        raise ValueError(f"it names {len(found.wells):,} wells, more than {MOST_WELLS:,}")
    for one in found.wells:
        if normal_well(one.well) != one.well:
            raise ValueError(f"{one.well!r} is not the name of a well such as A01")
