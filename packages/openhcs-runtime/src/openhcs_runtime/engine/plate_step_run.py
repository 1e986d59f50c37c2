"""Runs the function of a step over the plate, in a worker like a well, and writes the value that it makes."""

import contextvars
import time
import traceback
from pathlib import Path

import numpy as np

from openhcs_runtime.engine.plate_data import PlateData
from openhcs_runtime.engine.printing import end_printed_lines
from openhcs_runtime.engine.progress import report_plate_step
from openhcs_runtime.engine.randomness import seed_process, step_seeds
from openhcs_runtime.exceptions import OpenHCSError, StepError
from openhcs_runtime.outputs.bundle import digest_of_tree
from openhcs_runtime.outputs.plate_values import ValueRecord, read_value, value_path, write_images, write_value
from openhcs_runtime.pipeline.decorators import InputKind, traits_of
from openhcs_runtime.pipeline.own_arguments import own_arguments
from openhcs_runtime.pipeline.plan import PlateJob, PlatePlan
from openhcs_runtime.pipeline.plate_step import PlateStep
from openhcs_runtime.pipeline.plate_values import PlateValue, checked_value
from openhcs_runtime.pipeline.process_state import process_keeper
from openhcs_runtime.pipeline.used_files import read_recorder
from openhcs_runtime.results import ResultStatus, StepCost, WellResult
from openhcs_runtime.text import error_text, writable
from zmqruntime.execution import TaskCancelled, current_task
from zmqruntime.execution.text import one_line
from zmqruntime.execution.workers.usage import UsageMeter
from zmqruntime.messages import ProgressStatus


def run_plate_step(
    job: PlateJob, plan: PlatePlan, meter: UsageMeter | None = None, *, is_alone: bool = True
) -> WellResult:
    """Run a step over the plate in the current task; a failure is part of the result and never raised.

    Args:
        job: The job.
        plan: The step, and the wells that have passed the steps before it.
        meter: Measures this process; only if nothing else is processed in it.
        is_alone: Whether the global random number generators of this process can be seeded for the step.

    Returns:
        How the step ended; the value that it made is in its file.
    """
    started = time.monotonic()
    step = job.steps[plan.index]
    assert isinstance(step, PlateStep)
    if meter is not None:
        meter.begin()
    try:
        with read_recorder().active(), process_keeper:
            if is_alone:
                seed_process(step_seeds(job.seed, "", plan.index))
            value = _made(job, plan, step)
            _write(job, plan, step, value, started, meter)
    except TaskCancelled:
        report_plate_step(current_task(), job, plan.index, ProgressStatus.CANCELLED)
        return WellResult(well="", status=ResultStatus.CANCELLED, step=step.name)
    except BaseException as error:  # noqa: BLE001  a user's function may raise anything
        result = _failure(error, step, time.monotonic() - started)
        report_plate_step(current_task(), job, plan.index, ProgressStatus.ERROR, error=result.error)
        return result
    finally:
        end_printed_lines()
    report_plate_step(current_task(), job, plan.index, ProgressStatus.COMPLETED)
    return WellResult(well="", status=ResultStatus.COMPLETE, elapsed_s=time.monotonic() - started)


def _made(job: PlateJob, plan: PlatePlan, step: PlateStep) -> PlateValue:
    call, task = step.call, current_task()
    traits = traits_of(call.function)
    assert traits.plate_output is not None
    total = sum(len(well.images) for well in plan.wells)
    read = 0

    def on_read() -> None:
        nonlocal read
        task.check_cancelled()
        read += 1
        report_plate_step(task, job, plan.index, ProgressStatus.RUNNING, done=min(read, total), total=total)

    report_plate_step(task, job, plan.index, ProgressStatus.STARTED, total=total)
    task.check_cancelled()
    arguments = own_arguments(call.kwargs)
    if InputKind.RNG in traits.inputs:
        arguments[InputKind.RNG.value] = np.random.default_rng(step_seeds(job.seed, "", plan.index).spawn(1)[0])
    for name in traits.plate_inputs:
        known = job.values[name]
        arguments |= own_arguments({name: read_value(Path(known.path), known.identity).content})
    data = PlateData(job, plan.wells, plan.states, on_read)
    try:
        with process_keeper:
            returned = contextvars.copy_context().run(call.function, data, **arguments)
    except (TaskCancelled, OpenHCSError):
        raise
    except BaseException as error:  # a user's function may raise anything
        raise StepError(f"{call.name} failed on the plate: {error_text(error)}") from error
    return checked_value(returned, traits.plate_output, call.name)


def _write(
    job: PlateJob, plan: PlatePlan, step: PlateStep, value: PlateValue, started: float, meter: UsageMeter | None
) -> None:
    folder = Path(job.output_dir)
    files = write_images(folder, value, job.pixel_size_um)
    images = (image.path for well in plan.wells for image in well.images)
    record = ValueRecord(
        step=step.name,
        name=value.output.name,
        per=value.output.per,
        maker=value.maker,
        signature=plan.signature,
        content=digest_of_tree(value.content),
        seed=job.seed,
        wells=[well.well for well in plan.wells],
        files=files,
        used=read_recorder().used([job.output_dir, *images]),
        cost=StepCost(step.name, time.monotonic() - started, meter.end().peak_memory_bytes if meter else None),
    )
    write_value(value_path(folder, step.name, plan.index), record, value)


def _failure(error: BaseException, step: PlateStep, elapsed_s: float) -> WellResult:
    expected = isinstance(error, OpenHCSError)
    show_traceback = isinstance(error, StepError) or not expected
    return WellResult(
        well="",
        status=ResultStatus.FAILED,
        error=writable(one_line(error)) if expected else error_text(error),
        step=step.name,
        traceback=writable("".join(traceback.format_exception(error))) if show_traceback else "",
        elapsed_s=elapsed_s,
    )
