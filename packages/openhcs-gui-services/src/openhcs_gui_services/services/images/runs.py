"""The runs of a plate on disk, as choices for outlines."""

from dataclasses import dataclass
from pathlib import Path

from openhcs_gui_services.services.images.source import PlateSource
from openhcs_runtime.outputs.runs import RunStatus, RunSummary, list_runs, local_time, results_root
from openhcs_runtime.stores.path import as_path

__all__ = ["RunTitle", "runs_of"]

_MINUTES, _SECONDS = len("2026-01-31 12:00"), len("2026-01-31 12:00:00")
"""Letters of a time; seconds only tell runs of the same minute apart."""


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
    found = [each for each in list_runs(root) if each.done]
    titles = [_title(each) for each in found]
    return tuple(
        RunTitle(each.folder, title if titles.count(title) == 1 else _title(each, _SECONDS))
        for each, title in zip(found, titles, strict=True)
    )


def _title(run: RunSummary, letters: int = _MINUTES) -> str:
    name = run.pipeline.removesuffix(".py") or run.folder.name
    word = "stopped" if run.status is RunStatus.CANCELLED else run.status
    status = "" if run.status is RunStatus.COMPLETE else f", {word}"
    return f"{local_time(run.begun_at)[:letters]} {name}{status}"
