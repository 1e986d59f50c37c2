"""Which settings a plate runs with: its own before those of the window before those of its pipeline."""

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from openhcs_runtime.config import GlobalConfig
from openhcs_runtime.tasks import PlateTask

__all__ = ["RunSettings", "plate_task", "resolve_run_settings"]


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What a window, or one plate of it, wants of runs; None leaves it to the next one: plate, window, pipeline.

    Attributes:
        num_workers: wells at the same time; "auto" lets cores and memory decide.
        view: the viewer that shows images as they appear; see ``openhcs_runtime.config.GlobalConfig``.
        dask: the address of a scheduler, or "local".
        output_dir: the folder in which each run of a plate gets one of its own. Of a window it is the folder in which
            each plate gets such a folder.
        global_config: takes the place of the whole of the pipeline's; what is named above goes before it.
        pattern: how the plate's file names are to be read; see ``openhcs_runtime.plates.open_plate``.
    """

    num_workers: int | Literal["auto"] | None = None
    view: str | None = None
    dask: str | None = None
    output_dir: str | None = None
    pattern: str | None = None
    global_config: GlobalConfig | None = None


def resolve_run_settings(path: str, window: RunSettings, plate: RunSettings | None = None) -> RunSettings:
    """The settings that hold for the plate at ``path``."""
    shared = None if window.output_dir is None else str(Path(window.output_dir, f"{Path(path).name}_results"))
    own = plate or RunSettings()
    values = {field.name: getattr(own, field.name) for field in fields(RunSettings)}
    defaults = {field.name: getattr(window, field.name) for field in fields(RunSettings)} | {"output_dir": shared}
    return RunSettings(**{name: defaults[name] if value is None else value for name, value in values.items()})


def plate_task(path: str, pipeline: str, settings: RunSettings, pipeline_file: str = "") -> PlateTask:
    """What to submit for the plate at ``path``.

    Args:
        path: the folder of the plate.
        pipeline: Python source.
        settings: from :func:`resolve_run_settings`.
        pipeline_file: where the source was read from, if it was; modules next to it can be imported.
    """
    file = Path(pipeline_file)
    return PlateTask(
        plate_path=path,
        source=pipeline,
        source_name=file.name or "pipeline.py",
        source_dir=str(file.parent) if pipeline_file else "",
        global_config=settings.global_config,
        num_workers=settings.num_workers,
        dask=settings.dask,
        view=settings.view,
        results_dir=settings.output_dir,
        pattern=settings.pattern,
        base_dir=os.getcwd(),
    )
