"""The settings of a run: those of the plate override those of the window, which override those of the pipeline."""

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from openhcs_gui_services.services.pipeline.source_file import title_of
from openhcs_runtime.config import GlobalConfig
from openhcs_runtime.tasks import PlateTask
from openhcs_runtime.text import file_slug

__all__ = ["RunSettings", "plate_task", "resolve_run_settings"]


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The run settings of a window or of one plate; None falls back from plate to window to pipeline.

    Attributes:
        num_workers: how many wells run at the same time; "auto" chooses by cores and memory.
        view: the viewer that shows images during the run; see ``openhcs_runtime.config.GlobalConfig``.
        dask: the address of a Dask scheduler, or "local".
        output_dir: the folder of the plate's runs, each in a subfolder. For a window, the parent of these folders.
        global_config: replaces the global configuration of the pipeline; the settings above override it.
        pattern: regular expression for the plate's file names; see ``openhcs_runtime.plates.open_plate``.
        plate_format: name of the plate's format, if it is not to be detected.
        pages: what the pages of the plate's TIFF files are that don't describe them; see ``open_plate``.
    """

    num_workers: int | Literal["auto"] | None = None
    view: str | None = None
    dask: str | None = None
    output_dir: str | None = None
    pattern: str | None = None
    global_config: GlobalConfig | None = None
    plate_format: str | None = None
    pages: str | None = None


def resolve_run_settings(path: str, window: RunSettings, plate: RunSettings | None = None) -> RunSettings:
    """Return the settings that apply to the plate at ``path``."""
    shared = None if window.output_dir is None else str(Path(window.output_dir, f"{Path(path).name}_results"))
    own = plate or RunSettings()
    values = {field.name: getattr(own, field.name) for field in fields(RunSettings)}
    defaults = {field.name: getattr(window, field.name) for field in fields(RunSettings)} | {"output_dir": shared}
    return RunSettings(**{name: defaults[name] if value is None else value for name, value in values.items()})


def plate_task(
    path: str, pipeline: str, settings: RunSettings, pipeline_file: str = "", pipeline_name: str = ""
) -> PlateTask:
    """Return the task to submit for the plate at ``path``.

    Args:
        path: the folder of the plate.
        pipeline: Python source.
        settings: from :func:`resolve_run_settings`.
        pipeline_file: the file that the source was read from, if any; modules next to it can be imported.
        pipeline_name: what the pipeline is called if it is in no file; folders of results are named after it
            [default: what its docstring begins with, up to a colon].
    """
    file = Path(pipeline_file)
    name = pipeline_name or title_of(pipeline)
    return PlateTask(
        plate_path=path,
        source=pipeline,
        source_name=file.name or (f"{file_slug(name)}.py" if name else "pipeline.py"),
        source_dir=str(file.parent) if pipeline_file else "",
        global_config=settings.global_config,
        num_workers=settings.num_workers,
        dask=settings.dask,
        view=settings.view,
        results_dir=settings.output_dir,
        pattern=settings.pattern,
        plate_format=settings.plate_format,
        pages=settings.pages,
        base_dir=os.getcwd(),
    )
