"""Client that submits pipelines to an OpenHCS execution server and waits for the results."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, Unpack

import msgspec

import openhcs_runtime
from openhcs_runtime.config import GlobalConfig, PipelineConfig
from openhcs_runtime.exceptions import CompileError, OutputError, PipelineError
from openhcs_runtime.results import PlateResult
from openhcs_runtime.tasks import OPENHCS_CONFIG, CompileReport, PlateTask, Refusal, Setting, TaskAction, read_result
from zmqruntime.compat import Reply
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.execution import ExecutionClient, SubmitOptions, TaskEnvironment
from zmqruntime.execution.compat import SubmittedId
from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus, ProgressUpdate
from zmqruntime.transport import LOOPBACK

if TYPE_CHECKING:
    from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
    from openhcs_runtime.pipeline.plate_step import Step
    from openhcs_runtime.pipeline.source import Pipeline

    PipelineSteps: TypeAlias = Pipeline | Sequence[Step] | str | os.PathLike[str]

__all__ = [
    "CancelReply",
    "PlateExecution",
    "StatusReport",
    "SubmitResponse",
    "TaskOverrides",
    "ZMQExecutionClient",
    "environment_for",
    "folder_of",
    "read_pipeline_file",
]

_THIS_MACHINE = (LOOPBACK, "localhost", "::1")


class _Submitted(msgspec.Struct, frozen=True):
    execution_id: str
    status: str = "accepted"


class TaskOverrides(TypedDict, total=False):
    """What can be given for one submission, in place of the settings of its pipeline; see :class:`PlateTask`."""

    wells: tuple[str, ...]
    sites: tuple[int, ...]
    where: str
    plate_map: str
    sample: int
    settings: tuple[Setting, ...]
    keep: tuple[str, ...]


class SubmitResponse(Reply):
    """A submission stored on the server's disk: a mapping whose entries (such as ``status``) are also attributes."""

    if TYPE_CHECKING:
        execution_id: str
        status: str

    def __init__(self, execution_id: str) -> None:
        super().__init__(_Submitted(str(execution_id)))


class PlateExecution(Reply):
    """An execution of a pipeline on a plate: a mapping (``execution["status"]``) whose entries are also attributes.

    The attribute ``status`` is an ``ExecutionStatus``. The attributes ``plate``, ``compiled`` and ``refusal`` are
    additional.
    """

    if TYPE_CHECKING:
        execution_id: str
        plate_id: str
        status: ExecutionStatus
        submitted_at: float
        started_at: float | None
        ended_at: float | None
        error: str | None
        traceback: str | None
        result: Any
        event_count: int
        queue_position: int | None
        held: bool
        attempts: int
        resumable: bool
        cpu_seconds: float | None
        peak_memory_bytes: int | None

    def __init__(self, snapshot: ExecutionSnapshot) -> None:
        super().__init__(snapshot, {"message": snapshot.error or snapshot.status.value})
        self.snapshot = snapshot

    @classmethod
    def of(cls, snapshot: "ExecutionSnapshot | PlateExecution") -> "PlateExecution":
        """Return the execution as a ``PlateExecution``."""
        return snapshot if isinstance(snapshot, PlateExecution) else cls(snapshot)

    @property
    def message(self) -> str:
        """The error if it failed, otherwise the status."""
        return self.error or self.status.value

    def _repr_html_(self) -> str:
        plate = self.plate
        return self.snapshot._repr_html_() if plate is None else plate._repr_html_()

    @property
    def plate(self) -> PlateResult | None:
        """How each well ended and where the results are; None if no well was processed."""
        result = read_result(self.result)
        return result if isinstance(result, PlateResult) else None

    @property
    def compiled(self) -> CompileReport | None:
        """What a run would do; None if this is not a compilation that succeeded."""
        result = read_result(self.result)
        return result if isinstance(result, CompileReport) else None

    @property
    def refusal(self) -> Refusal | None:
        """Why no well was processed; None if that is not the case."""
        result = read_result(self.result)
        return result if isinstance(result, Refusal) else None

    def __missing__(self, name: str) -> Any:
        if name not in ("plate", "refusal", "compiled"):
            raise KeyError(name)
        return getattr(self, name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return ``execution[name]``, or ``default`` if there is no such entry."""
        try:
            return self[name]
        except KeyError:
            return default


class ZMQExecutionClient(ExecutionClient):
    """Runs pipelines on the server at ``port``, and starts a server there if none is running.

        with ZMQExecutionClient(port=7777) as client:
            response = client.execute_pipeline(plate_id="/data/plate", pipeline_steps=steps)
            print(response["status"], response["message"])

    Args:
        port: data port of the server [default: 7777].
        persistent: whether a server started by this client outlives it.
        host: host of a TCP server; giving one selects TCP.
        progress_callback: called in its own thread with every :class:`zmqruntime.ProgressUpdate` of executions that
            this client submitted.
        transport_mode: as for :class:`zmqruntime.ZMQClient`.
        config: as for :class:`zmqruntime.ZMQClient`.
    """

    server_target = "openhcs_runtime.service.server:OpenHCSExecutionServer"

    def __init__(
        self,
        port: int | None = None,
        persistent: bool = False,
        host: str | None = None,
        progress_callback: Callable[[ProgressUpdate], None] | None = None,
        *,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig | None = None,
    ) -> None:
        super().__init__(
            port,
            host=host,
            transport_mode=transport_mode,
            config=config or OPENHCS_CONFIG,
            persistent=persistent,
            progress_callback=progress_callback,
        )

    @property
    def has_started_server(self) -> bool:
        """Whether this client started the server."""
        return self._process is not None

    def execute_pipeline(
        self,
        plate_id: str | os.PathLike[str],
        pipeline_steps: "PipelineSteps",
        global_config: GlobalConfig | None = None,
        pipeline_config: PipelineConfig | None = None,
        *,
        timeout: float | None = None,
        **overrides: Unpack[TaskOverrides],
    ) -> PlateExecution:
        """Call :meth:`submit_pipeline`, then :meth:`wait`. A failed plate is reported in the status, not raised."""
        accepted = self.submit_pipeline(plate_id, pipeline_steps, global_config, pipeline_config, **overrides)
        return self.wait(accepted.execution_id, timeout)

    def submit_pipeline(
        self,
        plate_id: str | os.PathLike[str],
        pipeline_steps: "PipelineSteps",
        global_config: GlobalConfig | None = None,
        pipeline_config: PipelineConfig | None = None,
        **overrides: Unpack[TaskOverrides],
    ) -> SubmitResponse:
        """Submit a pipeline and a plate, and return once the submission is on the server's disk.

        Args:
            plate_id: folder of the plate, absolute or relative to the current folder.
            pipeline_steps: a list of ``FunctionStep``; a loaded ``Pipeline``; the path of a pipeline file (a path
                object, or a string ending in ``.py``), which may import modules next to it; or its source text.
            global_config: settings of the machine [default: those of the pipeline].
            pipeline_config: settings of the pipeline [default: those of the pipeline].
            **overrides: single settings in place of those of the pipeline, such as ``wells=("A01-A06",)``.

        Returns:
            The accepted submission, with its execution id.

        Raises:
            PipelineError: the steps can't be written as source, or the file can't be read.
            RequestRefusedError: the server could not write the submission to disk.
            RequestTimeoutError: no reply in time.
        """
        return self.submit_task(self.plate_task(plate_id, pipeline_steps, global_config, pipeline_config, **overrides))

    def plate_task(
        self,
        plate_id: str | os.PathLike[str],
        pipeline_steps: "PipelineSteps",
        global_config: GlobalConfig | None = None,
        pipeline_config: PipelineConfig | None = None,
        **overrides: Unpack[TaskOverrides],
    ) -> PlateTask:
        """Return the task that :meth:`submit_pipeline` submits.

        Raises:
            PipelineError: the steps can't be written as source, or the file can't be read.
        """
        source, name, folder = _source_of(pipeline_steps)
        return PlateTask(
            plate_path=os.fspath(plate_id),
            source=source,
            source_name=name,
            source_dir=folder,
            global_config=global_config,
            pipeline_config=pipeline_config,
            base_dir=os.getcwd(),
            **overrides,
        )

    def submit_task(self, task: PlateTask, environment: TaskEnvironment | None = None) -> SubmitResponse:
        """Submit a task; also raises the errors of :meth:`submit_pipeline`.

        If the server is killed while the task is running, the next server resumes it automatically.

        Args:
            task: the task.
            environment: environment variables and working folder of the run [default: those of this process, or
                those of the server if it is on another machine].

        Returns:
            The accepted submission, with its execution id.

        Raises:
            ConfigurationError: a variable or the working folder of this process is not valid text.
        """
        payload = msgspec.to_builtins(task)
        known = environment or environment_for(self)
        return SubmitResponse(
            execution_id=self.submit(payload, plate_id=task.plate_path, resumable=True, environment=known)
        )

    def compile_pipeline(
        self,
        plate_id: str | os.PathLike[str],
        pipeline_steps: "PipelineSteps",
        global_config: GlobalConfig | None = None,
        pipeline_config: PipelineConfig | None = None,
        **overrides: Unpack[TaskOverrides],
    ) -> SubmitResponse:
        """Submit an execution that only compiles; arguments and errors are those of :meth:`submit_pipeline`.

        Once it is complete, its id is the ``compile_artifact_id`` for :meth:`submit_compiled`, and its
        ``PlateExecution.compiled`` says what a run would do.
        """
        task = self.plate_task(plate_id, pipeline_steps, global_config, pipeline_config, **overrides)
        return self.submit_task(msgspec.structs.replace(task, action=TaskAction.COMPILE))

    def submit_compiled(self, compile_artifact_id: str, *, resume: bool = False) -> SubmitResponse:
        """Run what was compiled.

        Everything needed is part of the submission, so it can wait in the queue indefinitely.

        Args:
            compile_artifact_id: execution id of the compilation.
            resume: continue in the folder of the newest run of the same kind.

        Returns:
            The accepted submission, with its execution id.

        Raises:
            RequestRefusedError: the server has no such execution.
            CompileError: the execution is not a complete compilation.
        """
        execution = self.poll_status(compile_artifact_id)
        if execution.compiled is None:
            raise CompileError([f"execution {compile_artifact_id} is not a complete compilation: {execution.message}"])
        task = msgspec.structs.replace(
            self.task_of(compile_artifact_id),
            action=TaskAction.RUN,
            resume=resume,
            compile_artifact_id=compile_artifact_id,
            expected_signature=execution.compiled.signature,
        )
        return self.submit_task(task)

    def resume(self, execution_id: str) -> SubmitResponse:
        """Finish what an execution left undone, as a new execution in the same folder; finished wells are kept.

        An execution that has not ended continues on its own, and its own id is returned. If the pipeline, a module
        next to it, a setting or a library has changed, old and new results are not mixed: the new execution fails and
        names the change.

        Args:
            execution_id: the execution to resume.

        Returns:
            The accepted submission, with the id of the new execution.

        Raises:
            RequestRefusedError: the server has no such execution.
        """
        known = self.poll_status(execution_id)
        if not has_ended(known.status, known.resumable):
            return SubmitResponse(execution_id=execution_id)
        submission = self.submission_of(execution_id)
        task = msgspec.convert(submission.payload, PlateTask)
        return self.submit_task(
            msgspec.structs.replace(task, resume=True, resume_of=execution_id, action=TaskAction.RUN),
            submission.environment,
        )

    def rerun(self, output_dir: str | os.PathLike[str], into: str | os.PathLike[str] | None = None) -> SubmitResponse:
        """Repeat the run that wrote an output folder, with the same pipeline, settings and plate.

        Args:
            output_dir: the folder, which contains a ``provenance.json``.
            into: output folder [default: a new folder next to that of the run, or ``<output_dir>_rerun`` if the user
                had named it].

        Returns:
            The accepted submission, with its execution id.

        Raises:
            OutputError: the folder has no provenance or one without a pipeline, or a module imported by the pipeline
                has changed.
        """
        return self.submit_task(rerun_task(Path(output_dir), None if into is None else Path(into)))

    def task_of(self, execution_id: str) -> PlateTask:
        """Return the task that was submitted for an execution.

        Raises:
            RequestRefusedError: the server has no such execution.
        """
        return msgspec.convert(self.submission_of(execution_id).payload, PlateTask)

    def wait(  # type: ignore[override]  # a mapping with the attributes of a snapshot, for compatibility
        self, execution_id: str, timeout: float | None = None
    ) -> PlateExecution:
        """Wait until an execution has ended; see :meth:`zmqruntime.execution.ExecutionClient.wait`."""
        return PlateExecution.of(super().wait(execution_id, timeout))

    def poll_status(self, execution_id: str) -> PlateExecution:  # type: ignore[override]  # as for wait
        """Return the current state of an execution.

        Raises:
            RequestRefusedError: the server has no such execution.
        """
        return PlateExecution.of(super().poll_status(execution_id))

    def status(self, limit: int = 20) -> "StatusReport":  # type: ignore[override]  # as for wait
        """Return all active executions and the last ``limit`` ended ones; see ``ExecutionClient.status``."""
        return StatusReport(super().status(limit))

    def cancel_execution(self, execution_id: str, axis_id: str | None = None) -> "CancelReply":
        """Cancel an execution, or one of its wells; ``["status"]`` is ``ok`` if it will stop."""
        return CancelReply(self.cancel(execution_id, axis_id))

    def submit(  # orchestrator and global_config are for compatibility
        self,
        task: Any = None,
        config: Any = None,
        *,
        orchestrator: "PipelineOrchestrator | None" = None,
        global_config: GlobalConfig | None = None,
        timeout: float | None = None,
        **options: Unpack[SubmitOptions],
    ) -> str:
        """Submit a task, or the plate and pipeline of an orchestrator; see ``ExecutionClient.submit``.

        Args:
            task: as in ``ExecutionClient.submit``.
            config: as in ``ExecutionClient.submit``.
            orchestrator: submit its plate and pipeline instead of a task. The returned id can then be awaited, which
                returns the id itself.
            global_config: settings of the machine [default: those of the orchestrator].
            timeout: as in ``ExecutionClient.submit``.
            **options: as in ``ExecutionClient.submit``.

        Returns:
            The execution id.
        """
        if orchestrator is not None:
            plate_task = self.plate_task(
                str(orchestrator.plate_path),
                orchestrator.pipeline,
                global_config or orchestrator.global_config,
                orchestrator.pipeline_config,
            )
            return SubmittedId(self.submit_task(plate_task).execution_id)
        return super().submit(task, config, timeout=timeout, **options)


class StatusReport(Reply):
    """Status of the server: a mapping whose entries, those of a ``StatusResponse``, are also attributes."""

    if TYPE_CHECKING:
        executions: list[ExecutionSnapshot]
        queued: int
        running: int
        workers: int
        paused: bool
        draining: bool
        ended: dict[ExecutionStatus, int]


class CancelReply(Reply):
    """Reply to a cancellation: a mapping whose entries, those of a ``CancelResponse``, are also attributes."""

    if TYPE_CHECKING:
        execution_id: str
        status: str
        execution_status: ExecutionStatus
        message: str


def environment_for(client: ExecutionClient) -> TaskEnvironment | None:
    """Return the environment variables and working folder of this process, with which a run should be started.

    Returns:
        None if the server is on another machine, where paths and programs differ and its own environment is used.

    Raises:
        ConfigurationError: a variable or the working folder is not valid text.
    """
    is_here = client.transport_mode is TransportMode.IPC or client.host in _THIS_MACHINE
    return TaskEnvironment.current() if is_here else None


def rerun_task(output_dir: Path, into: Path | None = None) -> PlateTask:
    """Return the task that repeats a run; see :meth:`ZMQExecutionClient.rerun`.

    Raises:
        OutputError: the run can't be repeated.
    """
    # Imports image libraries, which nothing else here needs.
    from openhcs_runtime.outputs.provenance import FILE_NAME, is_unchanged, read_provenance  # noqa: PLC0415
    from openhcs_runtime.outputs.runs import find_run  # noqa: PLC0415
    from openhcs_runtime.tables.places import plate_map_copy  # noqa: PLC0415

    folder = find_run(output_dir).run.folder
    known = read_provenance(folder)
    if not known.pipeline_source:
        raise OutputError(f"{folder} was made by a pipeline that has no source: {known.no_source}")
    if changed := [module.path for module in known.modules if not is_unchanged(module)]:
        raise OutputError(
            f"{', '.join(changed)} has changed since the run in {folder}: restore it from {FILE_NAME} there"
        )
    for step in known.plate_steps:
        if path := step.used.changed():
            raise OutputError(
                f"{path}, which step {step.step!r} has read, has changed since the run in {folder}: restore it"
            )
    has_own_folder = into is None and known.pipeline_config.output_dir is None
    target = into.expanduser().resolve() if into else folder.with_name(f"{folder.name}_rerun")
    return PlateTask(
        plate_path=known.plate_path,
        source=known.pipeline_source,
        source_name=known.pipeline_name,
        source_dir=known.pipeline_folder,
        global_config=known.global_config,
        pipeline_config=_same_wells(known.pipeline_config, known.planned),
        settings=known.settings,
        plate_map=None if (plate_map := plate_map_copy(folder)) is None else str(plate_map),
        output_dir=None if has_own_folder else str(target),
        results_dir=str(folder.parent) if has_own_folder else None,
        fresh=True,
    )


def _same_wells(config: PipelineConfig, planned: Mapping[str, str]) -> PipelineConfig:
    """Return settings that choose the wells of a run by name, as the plate map may have changed since."""
    if config.where is None and config.sample is None:
        return config
    return dataclasses.replace(config, wells=tuple(planned), where=None, sample=None)


def read_pipeline_file(path: str | os.PathLike[str]) -> str:
    """Return the text of a pipeline file without running it.

    Raises:
        PipelineError: the file can't be read.
    """
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise PipelineError(f"pipeline file {path} is not UTF-8 text; save it as UTF-8") from error
    except FileNotFoundError as error:
        raise PipelineError(
            f"no such pipeline file: {path} (give a Python file that defines pipeline_steps)"
        ) from error
    except OSError as error:
        raise PipelineError(f"pipeline file {path} can't be read: {error.strerror or error}") from error


def _source_of(pipeline: "PipelineSteps") -> tuple[str, str, str]:
    """Return the source text of a pipeline, its name, and the folder of its file."""
    if isinstance(pipeline, os.PathLike) or (isinstance(pipeline, str) and _looks_like_path(pipeline)):
        return read_pipeline_file(pipeline), os.fspath(pipeline), folder_of(pipeline)
    if isinstance(pipeline, str):
        return pipeline, "pipeline.py", ""
    source = openhcs_runtime.to_source(pipeline)
    file = getattr(pipeline, "file", None)
    return (source, file.name, file.folder) if file is not None else (source, "pipeline.py", "")


def folder_of(path: str | os.PathLike[str]) -> str:
    """Return the folder of a pipeline file, following symbolic links."""
    return str(Path(path).expanduser().resolve().parent)


def _looks_like_path(text: str) -> bool:
    return "\n" not in text and text.endswith(".py")
