"""The runs of a plate on disk, as choices for outlines."""

from dataclasses import dataclass
from pathlib import Path

from openhcs_gui_services.services.images.source import PlateSource
from openhcs_runtime.outputs.runs import RunStatus, RunSummary, list_runs, local_time, results_root
from openhcs_runtime.stores.path import as_path

__all__ = ["RunTitle", "runs_of"]


@dataclass(frozen=True, slots=True)
class RunTitle:
    """A run and its name for users."""

    folder: Path
    title: str


def runs_of(source: PlateSource, run: Path | None) -> tuple[RunTitle, ...]:
    """List the runs of a plate with results, newest first; for a thread.

    Args:
        source: the plate.
        run: a run of it, whose folder is looked in; None for the folder next to the plate.

    Raises:
        OutputError: the folder can't be listed.
    """
    root = results_root(as_path(source.path)) if run is None else run.parent
    if not root.is_dir():
        return ()
    return tuple(RunTitle(each.folder, _title(each)) for each in list_runs(root) if each.done)


def _title(run: RunSummary) -> str:
    name = run.pipeline.removesuffix(".py") or run.folder.name
    word = "stopped" if run.status is RunStatus.CANCELLED else run.status
    status = "" if run.status is RunStatus.COMPLETE else f", {word}"
    return f"{local_time(run.begun_at)[:16]} {name}{status}"
