"""The folder a run writes to: a new one, the one it resumes in, or one that replaces another."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from openhcs_runtime.atomic import writing_to
from openhcs_runtime.exceptions import ChangedRunError, OutputError
from openhcs_runtime.outputs.runs import (
    LOCK_NAME,
    PROVENANCE_NAME,
    RunStatus,
    RunSummary,
    is_locked,
    list_runs,
    mark_latest,
    read_run,
)
from openhcs_runtime.pipeline.basis import PipelineBasis
from openhcs_runtime.pipeline.plan import CompiledPlate
from openhcs_runtime.results import ResultStatus
from zmqruntime.execution.text import plural
from zmqruntime.lock import FileLock

_OUTPUTS = ("wells", "labels", "images", "rois", "tables", "thumbnails", "measurements.csv")
_NAMED_DIFFERENCES = 5


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where a run writes.

    Attributes:
        path: the folder, which exists.
        replaces: the folder it replaces once the run is complete, if any.
        root: the folder of runs it is in; None for a folder that the user named.
        earlier: summary of the run it resumes; None for a new run.
    """

    path: Path
    replaces: Path | None = None
    root: Path | None = None
    earlier: RunSummary | None = None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Lock the folder, so that no other run can write to it during the block.

        Raises:
            OutputError: another run is writing to it.
        """
        lock = FileLock(self.path / LOCK_NAME)
        with writing_to(self.path / LOCK_NAME):
            self.path.mkdir(parents=True, exist_ok=True)
            is_ours = lock.acquire(0)
        if not is_ours:
            raise _being_written(self.path)
        try:
            yield
        finally:
            lock.release()

    def finish(self, status: ResultStatus) -> Path:
        """Put the folder of a run that has ended in its final place, and update the link to the latest run.

        Returns:
            Where the results are now.

        Raises:
            OutputError: that was not possible; the results are in ``path``.
        """
        if status is not ResultStatus.COMPLETE:
            return self.path
        if self.replaces is not None:
            _swap(self.path, self.replaces)
            return self.replaces
        if self.root is not None:
            mark_latest(self.root)
        return self.path


def open_run_folder(
    compiled: CompiledPlate, *, resume: bool, execution_id: str = "", replace: bool = False, now: datetime
) -> RunFolder:
    """Choose the folder of a run, and create it.

    Args:
        compiled: the compiled run. If its ``results_root`` is set, the run gets a new folder in there; otherwise
            ``job.output_dir`` is the folder that the user named.
        resume: continue in the folder of an earlier run.
        execution_id: the execution to resume; empty for the newest run of the same kind.
        replace: replace a named folder that already contains results, once the new ones are complete.
        now: local time, used in the name of the folder.

    Returns:
        The folder.

    Raises:
        OutputError: a named folder already contains results, or the run to resume was made by another pipeline or
            with other settings, or is still being written.
    """
    earlier = _to_resume(compiled, execution_id) if resume else None
    if earlier is not None:
        _check_same(earlier, compiled)
        root = Path(compiled.results_root) if compiled.results_root else None
        named = None if root else Path(compiled.job.output_dir)
        replaces = named if named is not None and earlier.folder != named else None
        return RunFolder(earlier.folder, replaces, root, earlier)
    if compiled.results_root:
        root = Path(compiled.results_root)
        return RunFolder(make_new_folder(root, f"{now:%Y-%m-%d_%H%M%S}_{compiled.run_name}"), root=root)
    folder = Path(compiled.job.output_dir)
    check_named_folder(folder, replace=replace)
    if not what_it_holds(folder):
        return RunFolder(folder)
    return RunFolder(make_new_folder(folder.parent, f"{folder.name}_replacement"), replaces=folder)


def check_named_folder(folder: Path, *, replace: bool) -> None:
    """Check that a folder has no results yet, or only those of one run that may be replaced.

    Raises:
        OutputError: the folder can't be used.
    """
    holds = what_it_holds(folder)
    if not holds:
        return
    if is_locked(folder):
        raise _being_written(folder)
    if not (folder / PROVENANCE_NAME).is_file():
        raise OutputError(f"output folder {folder} already contains {holds}: choose another one")
    if not replace:
        raise OutputError(
            f"output folder {folder} already contains {holds}: choose another one, or replace it (--replace)"
        )


def what_it_holds(folder: Path) -> str:
    """Describe what in a folder would get mixed up with the results of a run; empty if there is nothing."""
    if not folder.is_dir():
        return ""
    if (folder / PROVENANCE_NAME).is_file():
        return "the results of a run"
    if inner := list_runs(folder):
        return f"the folders of {plural(len(inner), 'run')}"
    there = [name for name in _OUTPUTS if (folder / name).exists()]
    return f"{', '.join(there)}" if there else ""


def _to_resume(compiled: CompiledPlate, execution_id: str) -> RunSummary | None:
    """Return the run to resume; None if nothing was begun or nothing is left of it."""
    if compiled.results_root:
        root = Path(compiled.results_root)
        runs = list_runs(root) if root.is_dir() else ()
    else:
        named = Path(compiled.job.output_dir)
        replacements = sorted(named.parent.glob(f"{named.name}_replacement*")) if named.parent.is_dir() else []
        folders = [folder for folder in (*reversed(replacements), named) if (folder / PROVENANCE_NAME).is_file()]
        runs = tuple(map(read_run, folders))
    if execution_id:
        return next((run for run in runs if execution_id in run.executions), None)
    if not compiled.results_root:
        return runs[-1] if runs else None
    wells = {plan.well for plan in compiled.wells}
    return next((run for run in runs if _can_go_on(run, compiled) and wells >= set(run.planned or ())), None)


def _can_go_on(run: RunSummary, compiled: CompiledPlate) -> bool:
    return run.status not in (RunStatus.COMPLETE, RunStatus.DAMAGED) and run.basis == compiled.basis


def _check_same(run: RunSummary, compiled: CompiledPlate) -> None:
    """Refuse to mix the results of two different pipelines, or to write to a folder that is in use."""
    if run.status is RunStatus.RUNNING:
        raise _being_written(run.folder)
    if run.status is RunStatus.DAMAGED:
        raise OutputError(f"{run.problem}: run again with another output folder")
    differences = PipelineBasis(compiled.basis).differences(run.basis or {})
    if differences:
        shown = ", ".join(differences[:_NAMED_DIFFERENCES])
        more = f" and {len(differences) - _NAMED_DIFFERENCES} more" if len(differences) > _NAMED_DIFFERENCES else ""
        raise ChangedRunError(
            f"the run in {run.folder} cannot be resumed because it was begun with another {shown}{more}: restore that, "
            "or start a new run (it takes over unchanged wells)"
        )


def _being_written(folder: Path) -> OutputError:
    return OutputError(f"another run is writing to {folder}: wait for it to end, cancel it, or choose another folder")


def make_new_folder(parent: Path, name: str) -> Path:
    """Create a new folder with this name, followed by a number if it already exists.

    Raises:
        OutputError: it can't be created.
    """
    with writing_to(parent / name):
        parent.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            folder = parent / (name if number == 1 else f"{name}_{number}")
            with contextlib.suppress(FileExistsError):
                folder.mkdir(parents=True)  # a check that ends just now removes an empty parent
                return folder
            number += 1


def _swap(new: Path, old: Path) -> None:
    """Move ``new`` to the place of ``old``, keeping files in ``old`` that were not written by a run."""
    aside = make_new_folder(old.parent, f"{old.name}_replaced")
    with writing_to(old):
        os.replace(old, aside / old.name)
        os.replace(new, old)
        before = aside / old.name
        for name in (*_OUTPUTS, PROVENANCE_NAME, "run.log", "run.log.1", LOCK_NAME):
            _remove(before / name)
        for path in list(before.iterdir()):
            if not (old / path.name).exists():
                os.replace(path, old / path.name)
        with contextlib.suppress(OSError):  # files that clash with a new result stay aside
            before.rmdir()
            aside.rmdir()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
