"""The pictures that paths of a command line mean: those of a run, or only the images of a plate without one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from openhcs_runtime.exceptions import OutputError, PlateError
from openhcs_runtime.outputs.runs import PROVENANCE_NAME, find_run, list_runs, runs_folder
from openhcs_runtime.viewers.picture_kind import PictureKind
from openhcs_runtime.viewers.results import Pictures, find_images, find_pictures
from zmqruntime.execution.cli.failures import CommandError, ErrorKind
from zmqruntime.execution.cli.output import Output

__all__ = ["PlateReading", "Source", "find_sources"]


@dataclass(frozen=True, slots=True)
class PlateReading:
    """How a plate that has not been run is read, as for ``open_plate``."""

    pattern: str | None = None
    plate_format: str | None = None
    pages: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Pictures, and the folder of the run or the plate that they are from."""

    folder: Path
    pictures: Pictures


def find_sources(
    paths: Sequence[Path], kinds: Collection[PictureKind], wells: Collection[str], reading: PlateReading, output: Output
) -> list[Source]:
    """Return the pictures of each path, and say which run is used where the path does not.

    Raises:
        CommandError: a path is neither a run nor a plate, or has nothing to show.
    """
    try:
        return [_source(path, kinds, wells, reading, output) for path in paths]
    except (OutputError, PlateError) as error:
        raise CommandError(ErrorKind.NOT_FOUND, str(error)) from error


def _source(
    path: Path, kinds: Collection[PictureKind], wells: Collection[str], reading: PlateReading, output: Output
) -> Source:
    try:
        found = find_run(path)
    except OutputError as error:
        return Source(path, _images(path, kinds, wells, reading, error, output))
    if note := found.note():
        output.line(note)
    return Source(found.run.folder, find_pictures(found.run.folder, kinds, wells, unfinished=True))


def _images(
    path: Path,
    kinds: Collection[PictureKind],
    wells: Collection[str],
    reading: PlateReading,
    reason: OutputError,
    output: Output,
) -> Pictures:
    """Return the images of a plate that has no results, for which ``reason`` says why.

    Raises:
        OutputError: it is not a plate, or other pictures than its images are wanted.
    """
    if (path / PROVENANCE_NAME).is_file():
        raise reason
    try:
        pictures = find_images(
            path, wells, pattern=reading.pattern, plate_format=reading.plate_format, pages=reading.pages
        )
    except PlateError as error:
        raise OutputError(f"{path} has neither results nor images that can be shown: {error}") from error
    why = str(reason) if _has_runs(path) else "the plate has not been run"
    if PictureKind.PLATE not in kinds:
        raise OutputError(f"{path} has no {' or '.join(kinds)} to show: {why}")
    output.line(f"Only the images of {path.name or path} are shown: {why}")
    return pictures


def _has_runs(path: Path) -> bool:
    try:
        return bool(list_runs(runs_folder(path)))
    except OutputError:
        return False
