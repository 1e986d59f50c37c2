"""Runs a plate task in a worker process; the only place where the source of a submitted pipeline is executed."""

import sys
from pathlib import Path
from typing import Any

import msgspec

from openhcs_runtime.config import PipelineConfig
from openhcs_runtime.engine.executors import warm_up
from openhcs_runtime.engine.executors.kept import KeptWorkers
from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.exceptions import (
    CompileError,
    DiskFullError,
    OpenHCSError,
    OutputError,
    PipelineError,
    PlateError,
    PlateMapError,
    WorkerError,
)
from openhcs_runtime.outputs.run_folder import check_named_folder
from openhcs_runtime.pipeline.neighbour_modules import borrowed
from openhcs_runtime.pipeline.plan import CompiledPlate
from openhcs_runtime.pipeline.set_parameters import with_settings
from openhcs_runtime.pipeline.source import PipelineFile, load_pipeline
from openhcs_runtime.pipeline.used_files import read_recorder
from openhcs_runtime.plates import Plate, read_arguments
from openhcs_runtime.results import PlateResult, ResultStatus, WellResult
from openhcs_runtime.service.follow import FollowedRun, follow_plate
from openhcs_runtime.service.overrides import absolute, global_config_of, pipeline_config_of
from openhcs_runtime.service.run_start import announce_wells, choice_of, tell_choice
from openhcs_runtime.stores.path import is_url
from openhcs_runtime.tasks import CompileReport, PlateTask, Refusal, RefusalKind, TaskAction
from zmqruntime.execution import TaskFailed, current_task

__all__ = ["run_plate_task", "warm_up"]

_NAMED_WELLS = 3
"""Checkpoint of an execution that has begun to process wells."""

_KINDS = {
    PlateError: RefusalKind.PLATE,
    PlateMapError: RefusalKind.PLATE,
    CompileError: RefusalKind.COMPILE,
    PipelineError: RefusalKind.PIPELINE,
    DiskFullError: RefusalKind.DISK_FULL,
    OutputError: RefusalKind.OUTPUT,
    WorkerError: RefusalKind.WORKERS,
}


def run_plate_task(payload: Any, kept: KeptWorkers | None = None) -> dict[str, Any]:
    """Load the pipeline, then initialize, compile and execute it in the current task.

    If the execution was interrupted or is being retried, wells that it has already finished are kept.

    Args:
        payload: a :class:`PlateTask` as plain values.
        kept: worker processes to use, which stay ready for later tasks [default: processes that end with the run].

    Returns:
        ``PlateResult.to_dict()``, or a :class:`CompileReport` as a dict if the task is only to be compiled.

    Raises:
        TaskFailed: with a :class:`Refusal` if the run can't begin, or with the result of the plate if a well failed.
    """
    try:
        task = msgspec.convert(payload, PlateTask)
        with borrowed(task.source_dir):
            result = _run(task, kept)
    except _ChangedError as error:
        raise _refuse(RefusalKind.CHANGED, (str(error),)) from error
    except msgspec.ValidationError as error:
        problem = f"not a valid plate task: {error}; install the same release for client and server"
        raise _refuse(RefusalKind.TASK, (problem,)) from error
    except OpenHCSError as error:
        problems = tuple(error.problems) if isinstance(error, PipelineError) else (str(error),)
        kind = next((kind for known, kind in _KINDS.items() if isinstance(error, known)), RefusalKind.COMPILE)
        raise _refuse(kind, problems) from error
    if isinstance(result, CompileReport):
        report: dict[str, Any] = msgspec.to_builtins(result)
        return report
    if result.status is ResultStatus.FAILED:
        raise TaskFailed(failure_text(result), result=result.to_dict())
    return result.to_dict()


def failure_text(result: PlateResult) -> str:
    """Return which wells failed and why, in a line that stays short even if there are many."""
    failed = result.wells_with(ResultStatus.FAILED)
    reasons = [_reason(well) for well in failed[:_NAMED_WELLS]]
    if len(failed) > _NAMED_WELLS:
        reasons.append(f"and {len(failed) - _NAMED_WELLS} more")
    parts = [f"{len(failed)} of {len(result.wells)} wells failed: {'; '.join(reasons)}"] if failed else []
    return "; ".join([*parts, *([result.error] if result.error else [])])


class _ChangedError(Exception):
    """Plate, pipeline or settings have changed since the compilation."""


def _run(task: PlateTask, kept: KeptWorkers | None) -> PlateResult | CompileReport:
    current = current_task()
    read_recorder().clear()
    sys.modules.pop(PipelineFile(task.source, task.source_name, task.source_dir).module_name, None)
    loaded = load_pipeline(task.source, task.source_name, task.source_dir)
    pipeline = with_settings(loaded, task.settings)
    global_config, pipeline_config = global_config_of(pipeline, task), pipeline_config_of(pipeline, task)
    plate_path = task.plate_path if is_url(task.plate_path) else absolute(task.plate_path, task.base_dir)
    if task.follow is not None and task.action is TaskAction.RUN:

        def orchestrator_for(config: PipelineConfig) -> PipelineOrchestrator:
            return PipelineOrchestrator(plate_path, pipeline, global_config, config, kept=kept)

        # Later, a plate that can't be opened counts as one that is not there yet.
        read_arguments(pipeline_config.pattern, pipeline_config.plate_format, pipeline_config.pages)
        followed = FollowedRun(current, task, pipeline_config, plate_path, orchestrator_for)
        return follow_plate(current, task.follow, followed)
    with PipelineOrchestrator(plate_path, pipeline, global_config, pipeline_config, kept=kept) as orchestrator:
        current.check_cancelled()
        orchestrator.initialize()
        current.check_cancelled()
        compiled = orchestrator.compile()
        tell_choice(current, compiled)
        if task.action is TaskAction.COMPILE:
            if not compiled.results_root:
                check_named_folder(Path(compiled.job.output_dir), replace=task.replace)
            return _report(current.execution_id, orchestrator.plate, compiled)
        if task.expected_signature and task.expected_signature != compiled.signature:
            raise _ChangedError(
                f"images, pipeline or settings have changed since compilation {task.compile_artifact_id}: compile again"
            )
        announce_wells(current, compiled)
        return orchestrator.execute(choice_of(current, task))


def _report(execution_id: str, plate: Plate, compiled: CompiledPlate) -> CompileReport:
    return CompileReport(
        compile_artifact_id=execution_id,
        signature=compiled.signature,
        plate_path=compiled.plate_path,
        output_dir=compiled.job.output_dir,
        gets_own_folder=bool(compiled.results_root),
        wells=tuple(plan.well for plan in compiled.wells),
        incomplete_wells=tuple(plan.well for plan in compiled.wells if plan.missing),
        steps=tuple(step.name for step in compiled.job.steps),
        workers=compiled.workers,
        memory_per_well_bytes=compiled.memory_per_well_bytes,
        warnings=(*(problem.message for problem in plate.problems), *compiled.warnings),
        plate_wells=compiled.of_wells,
        choice=compiled.choice,
    )


def _reason(well: WellResult) -> str:
    return f"{well.well} ({well.step}): {well.error}" if well.step else f"{well.well}: {well.error}"


def _refuse(kind: RefusalKind, problems: tuple[str, ...]) -> TaskFailed:
    return TaskFailed("; ".join(problems), result=msgspec.to_builtins(Refusal(refused=kind, problems=problems)))
