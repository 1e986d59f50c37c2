"""Runs a pipeline on a plate: initialize, compile, execute; standalone or as part of a server task."""

import contextlib
import enum
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from openhcs_runtime.atomic import check_folder
from openhcs_runtime.config import ExecutionMode, GlobalConfig, PipelineConfig
from openhcs_runtime.engine.compiler import compile_plate
from openhcs_runtime.engine.devices.choice import devices_for
from openhcs_runtime.engine.executors import WellExecutor, make_executor, warm_up_for
from openhcs_runtime.engine.executors.kept import KeptWorkers
from openhcs_runtime.engine.plate_run import PlateRun, RunChoice
from openhcs_runtime.engine.printing import PRINTED
from openhcs_runtime.engine.progress import report_plate
from openhcs_runtime.exceptions import CompileError, LifecycleError, OpenHCSError, OutputError
from openhcs_runtime.outputs.runs import results_root
from openhcs_runtime.pipeline.models import model_memory
from openhcs_runtime.pipeline.neighbour_modules import importable
from openhcs_runtime.pipeline.plan import CompiledPlate
from openhcs_runtime.pipeline.plate_step import Step
from openhcs_runtime.pipeline.source import Pipeline, as_steps
from openhcs_runtime.plates import Plate, open_plate
from openhcs_runtime.results import PlateResult
from openhcs_runtime.stores.path import as_path
from zmqruntime.execution import Task, current_task, local_task
from zmqruntime.messages import LogLine, ProgressPhase, ProgressStatus, ProgressUpdate

ProgressCallback = Callable[[str, str, str, dict[str, Any]], None]
"""Called as ``(axis_id, step, status, metadata)``.

These are the well ("" for the whole plate), the step name, the progress status, and the complete update as a dict.
"""


class OrchestratorState(enum.Enum):
    """State of an orchestrator. Each call requires at least the previous state; ``execute`` returns to COMPILED."""

    CREATED = "created"
    INITIALIZED = "initialized"
    COMPILED = "compiled"
    EXECUTING = "executing"
    CLOSED = "closed"


class PipelineOrchestrator:
    """Runs a pipeline on a plate: ``initialize()``, ``compile()`` and ``execute()``, repeatedly if you like.

    Inside a task of an execution server, progress, log and cancellation are those of the task; elsewhere the
    orchestrator has its own. Worker processes are kept between calls of ``execute``; ``close`` (or leaving the
    ``with`` block) ends them.

    Args:
        plate_path: folder of the plate.
        pipeline_steps: the steps, or a loaded ``Pipeline``.
        global_config: settings of the machine [default: those of the ``Pipeline``, if it has any].
        pipeline_config: settings of the pipeline [default: those of the ``Pipeline``, if it has any].
        progress_callback: called with every progress report, from another thread; exceptions it raises are logged.
        kept: lends the worker processes, which then outlive this object [default: workers of its own].
    """

    def __init__(
        self,
        plate_path: str | os.PathLike[str],
        pipeline_steps: Pipeline | Sequence[Step],
        global_config: GlobalConfig | None = None,
        pipeline_config: PipelineConfig | None = None,
        progress_callback: ProgressCallback | None = None,
        *,
        kept: KeptWorkers | None = None,
    ) -> None:
        pipeline = pipeline_steps if isinstance(pipeline_steps, Pipeline) else Pipeline(as_steps(pipeline_steps))
        self.plate_path = as_path(os.path.expanduser(plate_path))
        self._pipeline = pipeline
        self.steps = pipeline.steps
        self._modules_dir = pipeline.file.folder if pipeline.file else ""
        self.global_config = global_config or pipeline.global_config or GlobalConfig()
        self.pipeline_config = pipeline_config or pipeline.pipeline_config or PipelineConfig()
        self._callback = progress_callback
        self._kept = kept
        self._lock = threading.Lock()
        self._state = OrchestratorState.CREATED
        self._plate: Plate | None = None
        self._compiled: CompiledPlate | None = None
        self._executor: tuple[object, WellExecutor] | None = None
        self._task: Task | None = None
        self._cancel_requests: set[str | None] = set()

    @property
    def state(self) -> OrchestratorState:
        """The current state."""
        return self._state

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline, with the file it was loaded from."""
        return self._pipeline

    @property
    def plate(self) -> Plate:
        """The opened plate.

        Raises:
            LifecycleError: ``initialize`` has not been called.
        """
        if self._plate is None:
            raise LifecycleError("the plate is not open yet: call initialize() first")
        return self._plate

    def initialize(self, *, warns: bool = True) -> Plate:
        """Open the plate and list its images.

        Args:
            warns: log the problems of the plate as warnings.

        Raises:
            PlateError: the folder is not a plate that can be read.
        """
        self._require(
            "initialize", OrchestratorState.CREATED, OrchestratorState.INITIALIZED, OrchestratorState.COMPILED
        )
        if self._kept is None or self._kept.nursery is None:
            warm_up_for(self.global_config)
        with self._in_task() as task, _reported(task, ProgressPhase.INIT):
            self._plate = self.open_plate()
            self._compiled = None
            for problem in self._plate.problems if warns else ():
                task.log.warning(problem.message)
        self._state = OrchestratorState.INITIALIZED
        return self._plate

    def open_plate(self) -> Plate:
        """Open the plate as it is now, without any other effect.

        Raises:
            PlateError: the folder is not a plate that can be read.
        """
        config = self.pipeline_config
        return open_plate(self.plate_path, pattern=config.pattern, format=config.plate_format, pages=config.pages)

    def compile(self) -> CompiledPlate:
        """Check everything that can be checked and plan each well.

        Raises:
            CompileError: with all problems.
            OutputError: the only problem is that the output folder is not writable; ``DiskFullError`` if that is
                because the disk is full.
        """
        self._require("compile", OrchestratorState.INITIALIZED, OrchestratorState.COMPILED)
        with self._in_task() as task, _reported(task, ProgressPhase.COMPILE), importable(self._modules_dir):
            compiled = self._compiled = self._compile()
        self._state = OrchestratorState.COMPILED
        return compiled

    def execute(self, choice: RunChoice | None = None, *, resume: bool = False) -> PlateResult:
        """Process all wells. A failed well doesn't stop the others.

        The run gets a folder of its own (see ``openhcs_runtime.outputs.runs``), unless ``PipelineConfig.output_dir``
        names one. Wells that an earlier run of the plate made from the same images, with the same pipeline, settings
        and versions, are taken over from that run.

        Args:
            choice: how the run begins [default: a new run that takes over unchanged wells].
            resume: short for ``RunChoice(resume=True)``.

        Returns:
            How each well ended.

        Raises:
            OutputError: the named folder already contains results, or the run to resume was made by another pipeline
                or with other settings.
            WorkerError: worker processes can't be started.
        """
        self._require("execute", OrchestratorState.COMPILED)
        compiled = self._compiled
        assert compiled is not None
        self._state = OrchestratorState.EXECUTING
        try:
            with self._in_task() as task, importable(self._modules_dir):
                return self._execute(task, compiled, choice or RunChoice(resume=resume))
        finally:
            with self._lock:
                self._task = None
                self._state = OrchestratorState.COMPILED

    def run(self, choice: RunChoice | None = None, *, resume: bool = False) -> PlateResult:
        """Call ``initialize``, ``compile`` and ``execute``."""
        self.initialize()
        self.compile()
        return self.execute(choice, resume=resume)

    def cancel(self, axis_id: str | None = None) -> None:
        """Stop the run, or one well, at the next pattern group. Can be called from any thread.

        This also applies to later runs, until ``reset_cancellation`` is called.
        """
        with self._lock:
            self._cancel_requests.add(axis_id)
            task = self._task
        if task is not None:
            task.request_cancel(axis_id)

    def reset_cancellation(self) -> None:
        """Forget earlier calls of ``cancel``; a cancelled server task stays cancelled.

        Raises:
            LifecycleError: a run is in progress.
        """
        with self._lock:
            if self._state is OrchestratorState.EXECUTING:
                raise LifecycleError(
                    "the cancellation of a run can't be undone: call reset_cancellation() after it has ended"
                )
            self._cancel_requests.clear()

    def close(self) -> None:
        """End the worker processes; can be called more than once. The orchestrator can't be used afterwards."""
        self._state = OrchestratorState.CLOSED
        if self._executor is not None:
            self._executor[1].close()
            self._executor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _compile(self) -> CompiledPlate:
        named = self.pipeline_config.output_dir
        output_dir = _absolute(named) if named else self._results_root()
        unwritable: OutputError | None = None
        try:
            plate = self.plate.path
            if not (isinstance(plate, Path) and output_dir.is_relative_to(plate)):
                check_folder(output_dir)
        except OutputError as error:
            unwritable = error
        known = [str(unwritable)] if unwritable else []
        try:
            return compile_plate(
                self.plate,
                self.steps,
                self.global_config,
                self.pipeline_config,
                output_dir,
                known,
                self._pipeline.file,
                gets_own_folder=not named,
            )
        except CompileError as error:
            if unwritable is not None and list(error.problems) == known:
                raise unwritable from None
            raise

    def _execute(self, task: Task, compiled: CompiledPlate, choice: RunChoice) -> PlateResult:
        with self._lock:
            self._task = task
            requests = list(self._cancel_requests)
        for axis_id in requests:
            task.request_cancel(axis_id)
        run = PlateRun(task, compiled, self._pipeline, self.global_config, self.pipeline_config, choice)
        return run.run(lambda: self._executor_for(compiled))

    def _executor_for(self, compiled: CompiledPlate) -> WellExecutor:
        model_memory()  # before any well, which would fail with the same error
        config = self.global_config
        devices = devices_for(compiled.job.steps, config.gpus, is_remote=config.is_remote)
        if self._kept is not None and compiled.mode is ExecutionMode.PROCESSES:
            return self._kept.executor(compiled, devices)
        wanted = (compiled.mode, compiled.workers, config.dask, devices)
        if self._executor is not None and self._executor[0] != wanted:
            self._executor[1].close()
            self._executor = None
        if self._executor is None:
            self._executor = (wanted, make_executor(*wanted))
        return self._executor[1]

    def _results_root(self) -> Path:
        given = self.pipeline_config.results_dir
        return _absolute(given) if given else results_root(self.plate.path)

    def _require(self, call: str, *states: OrchestratorState) -> None:
        if self._state not in states:
            order = "initialize(), compile(), execute()"
            raise LifecycleError(f"{call}() can't be called in state {self._state.value}; the order is {order}")

    @contextlib.contextmanager
    def _in_task(self) -> Iterator[Task]:
        """Enter the server task this code is running in, or a task of its own."""
        outer = current_task()
        if self._callback is None and outer.execution_id:
            yield outer
            return
        relay = _Relay(outer if outer.execution_id else None, self._callback)
        with local_task(relay.on_event, plate_id=str(self.plate_path)) as task, outer.on_cancel(task.request_cancel):
            yield task


def _absolute(path: str) -> Path:
    return Path(path).expanduser().resolve()


class _Relay:
    """Passes reports on to the progress callback and, inside a server task, to that task as well."""

    def __init__(self, outer: Task | None, callback: ProgressCallback | None) -> None:
        self._outer = outer
        self._callback = callback

    def on_event(self, event: ProgressUpdate | LogLine) -> None:
        """Pass an event on; called on another thread, one event at a time."""
        if isinstance(event, LogLine):
            self._pass_line_on(event)
            return
        if self._outer is not None:
            outer = self._outer
            ids = {"execution_id": outer.execution_id, "plate_id": outer.plate_id}
            outer.send_progress(msgspec.structs.replace(event, **ids))
        if self._callback is not None:
            self._callback(event.axis_id, event.step_name, event.status.value, event.to_dict())

    def _pass_line_on(self, line: LogLine) -> None:
        """Pass on a line; without a server it is printed or logged here, as it was in the other process."""
        if self._outer is not None:
            self._outer.send_line(line.level, line.logger, line.text, line.axis_id)
        elif line.logger in PRINTED:
            print(line.text, file=getattr(sys, line.logger))
        else:
            logging.getLogger(line.logger).log(logging.getLevelNamesMapping()[line.level.name], line.text)


@contextlib.contextmanager
def _reported(task: Task, phase: ProgressPhase) -> Iterator[None]:
    report_plate(task, phase, ProgressStatus.STARTED)
    try:
        yield
    except OpenHCSError as error:
        report_plate(task, phase, ProgressStatus.ERROR, error=str(error))
        raise
    report_plate(task, phase, ProgressStatus.COMPLETED)
