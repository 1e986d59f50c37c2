"""The settings of a run: those of its pipeline, with what its task overrides."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from openhcs_runtime.config import GlobalConfig, PipelineConfig
from openhcs_runtime.pipeline.set_parameters import steps_before
from openhcs_runtime.pipeline.source import Pipeline
from openhcs_runtime.tasks import PlateTask

_Config = TypeVar("_Config", GlobalConfig, PipelineConfig)

__all__ = ["absolute", "global_config_of", "pipeline_config_of", "with_plate_settings"]


def global_config_of(pipeline: Pipeline, task: PlateTask) -> GlobalConfig:
    """Return the settings of the machine."""
    config = task.global_config or pipeline.global_config or GlobalConfig()
    return _with_given(config, task, ("num_workers", "dask", "gpus", "view", "seed"))


def pipeline_config_of(pipeline: Pipeline, task: PlateTask) -> PipelineConfig:
    """Return the settings of the pipeline, with absolute paths."""
    config = task.pipeline_config or pipeline.pipeline_config or PipelineConfig()
    keep = dict.fromkeys((*config.keep, *task.keep, *steps_before(pipeline, task.swept)))
    config = dataclasses.replace(config, keep=tuple(keep))
    return with_plate_settings(_with_choice(_with_folders(config, task), task), task)


def with_plate_settings(config: PipelineConfig, task: PlateTask) -> PipelineConfig:
    """Return the settings with what the task says of how its plate is opened."""
    if task.pattern is not None:
        config = dataclasses.replace(config, pattern=task.pattern, plate_format=None)
    if task.plate_format is not None:
        config = dataclasses.replace(config, plate_format=task.plate_format, pattern=task.pattern)
    if task.pages is not None:
        config = dataclasses.replace(config, pages=task.pages)
    return config


def absolute(path: str, base_dir: str) -> str:
    """Return a path that is relative to the folder of the task as an absolute one."""
    return str(Path(base_dir, Path(path).expanduser()))


def _with_given(config: _Config, task: PlateTask, names: Iterable[str]) -> _Config:
    """Return the settings with those of these names that the task has."""
    given: dict[str, Any] = {name: value for name in names if (value := getattr(task, name)) is not None}
    return dataclasses.replace(config, **given)


def _with_choice(config: PipelineConfig, task: PlateTask) -> PipelineConfig:
    """Return the settings with the wells and sites that the task chooses."""
    config = _with_given(config, task, ("wells", "sites", "where", "sample", "plate_map"))
    plate_map = absolute(config.plate_map, task.base_dir) if config.plate_map else None
    return dataclasses.replace(config, plate_map=plate_map)


def _with_folders(config: PipelineConfig, task: PlateTask) -> PipelineConfig:
    """Return the settings with absolute output folders; those of the task override those of the pipeline."""
    output_dir, results_dir = config.output_dir, config.results_dir
    if task.output_dir or task.results_dir:
        output_dir, results_dir = task.output_dir, task.results_dir
    return dataclasses.replace(
        config,
        output_dir=absolute(output_dir, task.base_dir) if output_dir else None,
        results_dir=absolute(results_dir, task.base_dir) if results_dir else None,
    )
