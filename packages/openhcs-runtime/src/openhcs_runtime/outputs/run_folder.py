"""The folder that a run writes to: a new one, the one it goes on in, or one that takes the place of another."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from openhcs_runtime.atomic import writing_to
from openhcs_runtime.exceptions import OutputError
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

_OUTPUTS = ("wells", "labels", "images", "rois", "measurements.csv", "objects.csv")
_NAMED_DIFFERENCES = 5


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where a run writes.

    Attributes:
        path: the folder, which is there.
        replaces: the folder whose place it takes when it is complete; None for none.
        root: the folder of runs that it lies in; None for a folder that the user named.
        earlier: what this folder says of the run that it goes on with; None for a new one.
    """

    path: Path
    replaces: Path | None = None
    root: Path | None = None
    earlier: RunSummary | None = None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """While the block runs no other run can write here.

        Raises:
            OutputError: another one does.
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
        """The run has ended: take the place of the folder to replace, and note the newest complete run.

        Returns:
            Where the results are now.

        Raises:
            OutputError: that could not be done; the results are in `path`.
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
    """Choose the folder of a run, and make it.

    Args:
        compiled: the run. Its `results_root` is where it gets a folder of its own; where that is empty the folder was
            named, as `job.output_dir`.
        resume: go on in the folder of an earlier run.
        execution_id: of the execution to resume; empty for the newest run of the same kind.
        replace: a named folder that holds results may be taken the place of, once the new ones are complete.
        now: local time, for the name.

    Raises:
        OutputError: a named folder holds results already; what is to be resumed was made by something else, or is
            being written.
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
        return RunFolder(_make_new(root, f"{now:%Y-%m-%d_%H%M%S}_{compiled.run_name}"), root=root)
    folder = Path(compiled.job.output_dir)
    check_named_folder(folder, replace=replace)
    if not what_it_holds(folder):
        return RunFolder(folder)
    return RunFolder(_make_new(folder.parent, f"{folder.name}_replacement"), replaces=folder)


def check_named_folder(folder: Path, *, replace: bool) -> None:
    """Refuse a folder for results that holds some already, unless these are of one run and may be replaced.

    Raises:
        OutputError: it does.
    """
    holds = what_it_holds(folder)
    if not holds:
        return
    if is_locked(folder):
        raise _being_written(folder)
    if not (folder / PROVENANCE_NAME).is_file():
        raise OutputError(f"output folder {folder} holds {holds}: choose another one")
    if not replace:
        raise OutputError(f"output folder {folder} holds {holds}: choose another one, or replace it (--replace)")


def what_it_holds(folder: Path) -> str:
    """What in a folder would be mixed with the results of a run, in words; empty for nothing."""
    if not folder.is_dir():
        return ""
    if (folder / PROVENANCE_NAME).is_file():
        return "the results of a run"
    if inner := list_runs(folder):
        return f"the folders of {plural(len(inner), 'run')}"
    there = [name for name in _OUTPUTS if (folder / name).exists()]
    return f"{', '.join(there)}" if there else ""


def _to_resume(compiled: CompiledPlate, execution_id: str) -> RunSummary | None:
    """The run to go on with; None when nothing is left of it, or nothing was begun."""
    if compiled.results_root:
        root = Path(compiled.results_root)
        runs = list_runs(root) if root.is_dir() else ()
    else:
        named = Path(compiled.job.output_dir)
        beside = sorted(named.parent.glob(f"{named.name}_replacement*")) if named.parent.is_dir() else []
        folders = [folder for folder in (*reversed(beside), named) if (folder / PROVENANCE_NAME).is_file()]
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
    """Refuse to mix what two different pipelines give, or to write where another run does."""
    if run.status is RunStatus.RUNNING:
        raise _being_written(run.folder)
    if run.status is RunStatus.DAMAGED:
        raise OutputError(f"{run.problem}: run again into another folder")
    differences = PipelineBasis(compiled.basis).differences(run.basis or {})
    if differences:
        shown = ", ".join(differences[:_NAMED_DIFFERENCES])
        more = f" and {len(differences) - _NAMED_DIFFERENCES} more" if len(differences) > _NAMED_DIFFERENCES else ""
        raise OutputError(
            f"the run in {run.folder} cannot be resumed, since it was begun with another {shown}{more}: restore that, "
            "or start a new run (it takes over the wells that are still the same)"
        )


def _being_written(folder: Path) -> OutputError:
    return OutputError(f"another run is writing to {folder} now: wait for its end, cancel it, or choose another folder")


def _make_new(parent: Path, name: str) -> Path:
    """A folder of this name, or with a number behind it, that was not there before."""
    with writing_to(parent / name):
        parent.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            folder = parent / (name if number == 1 else f"{name}_{number}")
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                return folder
            number += 1


def _swap(new: Path, old: Path) -> None:
    """Put `new` where `old` is. Files in there that no run has written stay."""
    aside = _make_new(old.parent, f"{old.name}_replaced")
    with writing_to(old):
        os.replace(old, aside / old.name)
        os.replace(new, old)
        before = aside / old.name
        for name in (*_OUTPUTS, PROVENANCE_NAME, "run.log", "run.log.1", LOCK_NAME):
            _remove(before / name)
        for path in _tables(before):
            path.unlink()
        for path in list(before.iterdir()):
            if not (old / path.name).exists():
                os.replace(path, old / path.name)
        with contextlib.suppress(OSError):  # what clashes with a new result stays aside
            before.rmdir()
            aside.rmdir()


def _tables(folder: Path) -> Sequence[Path]:
    return [path for name in ("measurements", "objects") for path in folder.glob(f"{name}.*")]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
