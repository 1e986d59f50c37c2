"""The runs of a plate on disk: their folders, how each ended, and which run a path refers to.

Importing this module does not load any image library. Each run has its own folder in ``<plate>_results`` next to the
plate:

    <plate>_results/
      2026-11-29_213000_nuclei_count/    a run: provenance.json, tables, wells/, labels/, images/, rois/, run.log
      latest.txt                         name of the newest complete run
      latest                             symbolic link to it, on platforms that have symbolic links

A run folder is self-contained and does not change after its run has ended, unless the run is resumed.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path, PurePath

import msgspec

from openhcs_runtime.atomic import atomic_file
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.results import ResultStatus
from openhcs_runtime.stores.path import AnyPath, StorePath
from zmqruntime.lock import FileLock

PROVENANCE_NAME = "provenance.json"
LATEST_NAME = "latest"
LATEST_FILE = "latest.txt"
LOCK_NAME = ".lock"
RUNNING = "running"
"""The status in a provenance until its run has ended."""


class RunStatus(StrEnum):
    """Status of a run on disk."""

    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RUNNING = "running"
    """A process is writing to it."""
    INTERRUPTED = "interrupted"
    """It did not finish: its process was killed, or the machine went down."""
    DAMAGED = "damaged"
    """Its provenance cannot be read."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run on disk.

    Attributes:
        folder: its folder.
        status: its status.
        begun_at: ISO 8601, UTC.
        ended_at: ISO 8601, UTC; empty if it has not ended.
        pipeline: name of its pipeline file.
        plate_path: the plate.
        done: complete wells, in plate order.
        wells_failed: number of failed wells.
        wells_planned: number of planned wells.
        executions: server executions that worked on it.
        basis: what its results depend on besides the images; see ``openhcs_runtime.pipeline.basis``.
        planned: signature of each planned well.
        tables: size in bytes of each table that it wrote, by the path below its folder; empty until it has ended.
        problem: why it cannot be read, if it is damaged.
    """

    folder: Path
    status: RunStatus
    begun_at: str = ""
    ended_at: str = ""
    pipeline: str = ""
    plate_path: str = ""
    done: tuple[str, ...] = ()
    wells_failed: int = 0
    wells_planned: int = 0
    executions: tuple[str, ...] = ()
    basis: Mapping[str, str] | None = None
    planned: Mapping[str, str] | None = None
    tables: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class FoundRun:
    """The run that a path refers to.

    Attributes:
        run: the run.
        newer: newer runs of the same plate that are not complete.
        chosen: whether the run was chosen among several, because the path was not that of a run itself.
    """

    run: RunSummary
    newer: tuple[RunSummary, ...] = ()
    chosen: bool = False

    def note(self) -> str:
        """Return a line that says which run is used; empty if the path named it."""
        if not self.chosen:
            return ""
        text = f"Using the {'newest complete' if self.run.status is RunStatus.COMPLETE else 'newest'} run"
        text += f": {self.run.folder}"
        if self.newer:
            text += f" (newer: {', '.join(f'{run.folder.name}, {run.status}' for run in self.newer[:3])})"
        return text


def check_target(target: Path, run: RunSummary) -> None:
    """Check that a file made from a run does not take the place of results or of images.

    Args:
        target: the file or folder to write.
        run: the run.

    Raises:
        OutputError: it is in the folder of a run, or in the plate.
    """
    path = target.expanduser().resolve()
    for folder in (path, *path.parents):
        if (folder / PROVENANCE_NAME).is_file() or folder == run.folder.resolve():
            raise OutputError(f"{target} is in the folder of a run, {folder}: choose another place")
    plate = Path(run.plate_path)
    if run.plate_path and plate.is_dir() and path.is_relative_to(plate.resolve()):
        raise OutputError(f"{target} is in the plate, {plate}: choose another place")


def results_root(plate_path: AnyPath) -> Path:
    """Return the folder for the runs of a plate: ``<plate>_results`` next to it, or here for a plate on the net."""
    if isinstance(plate_path, StorePath) and plate_path.is_archive:
        plate_path = Path(plate_path.base)
    if isinstance(plate_path, StorePath):
        return Path.cwd() / f"{plate_path.name}_results"
    return plate_path.parent / f"{plate_path.name}_results"


def plate_name(path: str) -> str:
    """Return the name of a plate, which is that of its folder or the last part of its URL."""
    return PurePath(path.rstrip("/\\").replace("\\", "/")).name or path


def list_runs(root: Path) -> tuple[RunSummary, ...]:
    """List the runs in a folder, newest first; those that cannot be read are listed as damaged.

    If the folder itself is a run, as earlier releases made it, it is listed along with the runs inside it.

    Raises:
        OutputError: the folder cannot be listed.
    """
    found = [read_run(folder) for folder in _run_folders(root)]
    return tuple(sorted(found, key=lambda run: (run.begun_at, run.folder.name), reverse=True))


def read_run(folder: Path) -> RunSummary:
    """Read the summary of a run; its status is ``DAMAGED`` if the provenance cannot be read."""
    try:
        head = msgspec.json.decode((folder / PROVENANCE_NAME).read_bytes(), type=_Head)
    except (OSError, msgspec.DecodeError, ValueError) as error:
        return RunSummary(folder, RunStatus.DAMAGED, problem=f"{folder / PROVENANCE_NAME} cannot be read: {error}")
    failed = [well.well for well in head.wells if well.status == ResultStatus.FAILED]
    return RunSummary(
        folder=folder,
        status=_status_of(folder, head.status),
        begun_at=head.begun_at,
        ended_at=head.ended_at,
        pipeline=head.pipeline_name,
        plate_path=head.plate_path,
        done=tuple(_done_wells(folder, head)),
        wells_failed=len(failed),
        wells_planned=len(head.planned) or len(head.wells),
        executions=tuple(head.executions),
        basis=head.basis,
        planned=head.planned,
        tables={file.name: file.size for file in head.tables},
    )


def find_run(path: Path) -> FoundRun:
    """Find the run that a path refers to: a run folder, a folder of runs, or a plate.

    If there are several runs, the newest complete one is used; if none is complete, the newest with finished wells.

    Raises:
        OutputError: there are no runs, none has finished wells, or the named run is damaged.
    """
    path = path.expanduser()
    if (path / PROVENANCE_NAME).is_file() and not any(_inner_folders(path)):
        return FoundRun(_readable(read_run(path.resolve())))
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path} is a file: give a plate, PLATE_results or the folder of a run")
    root = runs_folder(path)
    runs = list_runs(root)
    if not runs:
        raise OutputError(f"there are no runs in {root}")
    chosen = newest_of(runs)
    if chosen is None:
        problems = "; ".join(run.problem or f"{run.folder.name} {run.status}" for run in runs[:3])
        raise OutputError(f"no run in {root} has finished any wells ({problems})")
    return FoundRun(chosen, runs[: runs.index(chosen)], chosen=True)


def runs_folder(path: Path) -> Path:
    """Return the folder of runs that a path refers to: the path itself, or that of the plate at the path.

    Raises:
        OutputError: there is no such folder.
    """
    path = path.expanduser()
    root = path.resolve()
    if path.is_dir() and list_runs(root):
        return root
    if results_root(root).is_dir():
        return results_root(root)
    raise OutputError(f"{path} has no results: give a plate, PLATE_results or the folder of a run")


def local_time(when: str) -> str:
    """Format an ISO 8601 time as local time; empty if it is not a valid time."""
    try:
        return datetime.fromisoformat(when).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return ""


def newest_of(runs: tuple[RunSummary, ...]) -> RunSummary | None:
    """Return the first complete run, or else the first with finished wells; ``runs`` are ordered newest first."""
    complete = (run for run in runs if run.status is RunStatus.COMPLETE)
    return next(complete, None) or next((run for run in runs if run.done), None)


def mark_latest(root: Path) -> None:
    """Update ``latest.txt`` and, if possible, the symbolic link ``latest`` to the newest complete run.

    Raises:
        OutputError: ``latest.txt`` cannot be written.
    """
    newest = next((run for run in list_runs(root) if run.status is RunStatus.COMPLETE and run.folder != root), None)
    if newest is None:
        return
    with atomic_file(root / LATEST_FILE) as file:
        file.write(f"{newest.folder.name}\n".encode("utf-8", "surrogateescape"))
    link, temporary = root / LATEST_NAME, root / f".{LATEST_NAME}-{secrets.token_hex(4)}"
    if link.is_symlink() or not link.exists():
        with contextlib.suppress(OSError, NotImplementedError):  # not every file system has symbolic links
            os.symlink(newest.folder.name, temporary, target_is_directory=True)
            os.replace(temporary, link)


class _HeadWell(msgspec.Struct):
    well: str
    status: str


class _HeadFile(msgspec.Struct):
    name: str
    size: int


class _Head(msgspec.Struct):
    """The part of a provenance needed here; the rest is skipped."""

    status: str
    begun_at: str
    plate_path: str
    ended_at: str = ""
    pipeline_name: str = ""
    wells: list[_HeadWell] = []
    planned: dict[str, str] = {}
    executions: list[str] = []
    basis: dict[str, str] = {}
    tables: list[_HeadFile] = []


def _run_folders(root: Path) -> Iterator[Path]:
    if (root / PROVENANCE_NAME).is_file():
        yield root
    yield from _inner_folders(root)


def _inner_folders(root: Path) -> Iterator[Path]:
    try:
        with os.scandir(root) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError as error:
        raise OutputError(f"{root} cannot be listed: {error.strerror or error}") from error
    yield from (root / name for name in names if (root / name / PROVENANCE_NAME).is_file())


def _status_of(folder: Path, said: str) -> RunStatus:
    if said != RUNNING:
        return RunStatus(said) if said in set(ResultStatus) else RunStatus.DAMAGED
    return RunStatus.RUNNING if is_locked(folder) else RunStatus.INTERRUPTED


def is_locked(folder: Path) -> bool:
    """Return whether a process is writing to this run folder."""
    if not (folder / LOCK_NAME).exists():
        return False
    lock = FileLock(folder / LOCK_NAME)
    try:
        if not lock.acquire(0):
            return True
    except OSError:  # a folder that is read-only here can't be in use from here
        return False
    lock.release()
    return False


def _done_wells(folder: Path, head: _Head) -> Iterator[str]:
    """Yield the complete wells: those listed in the provenance, or those with a record if the run has not ended."""
    if head.status != RUNNING:
        yield from (well.well for well in head.wells if well.status == ResultStatus.COMPLETE)
    else:
        yield from (well for well in head.planned if (folder / "wells" / f"{well}.json").is_file())


def _readable(run: RunSummary) -> RunSummary:
    if run.status is RunStatus.DAMAGED:
        raise OutputError(f"{run.problem}: restore it from a copy, or run the pipeline again")
    return run
