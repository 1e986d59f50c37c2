"""Submit pipelines to an OpenHCS execution server from Python, and wait for what comes of them."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

import msgspec

import openhcs_runtime
from openhcs_runtime.config import GlobalConfig, PipelineConfig
from openhcs_runtime.exceptions import CompileError, OutputError, PipelineError
from openhcs_runtime.outputs.runs import find_run
from openhcs_runtime.results import PlateResult
from openhcs_runtime.tasks import OPENHCS_CONFIG, CompileReport, PlateTask, Refusal, TaskAction, read_result
from zmqruntime.compat import Reply
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.execution import ExecutionClient, SubmitOptions, TaskEnvironment
from zmqruntime.execution.compat import SubmittedId
from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus, ProgressUpdate
from zmqruntime.transport import LOOPBACK

if TYPE_CHECKING:
    from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
    from openhcs_runtime.pipeline.source import Pipeline
    from openhcs_runtime.pipeline.step import FunctionStep

    PipelineSteps: TypeAlias = Pipeline | Sequence[FunctionStep] | str | os.PathLike[str]

__all__ = [
    "CancelReply",
    "PlateExecution",
    "StatusReport",
    "SubmitResponse",
    "ZMQExecutionClient",
    "environment_for",
    "folder_of",
    "read_pipeline_file",
]

_THIS_MACHINE = (LOOPBACK, "localhost", "::1")


class _Submitted(msgspec.Struct, frozen=True):
    execution_id: str
    status: str = "accepted"


class SubmitResponse(Reply):
    """A submission that is on the server's disk: a mapping whose entries, ``status`` among them, are attributes too."""

    if TYPE_CHECKING:
        execution_id: str
        status: str

    def __init__(self, execution_id: str) -> None:
        super().__init__(_Submitted(str(execution_id)))


class PlateExecution(Reply):
    """An execution of a pipeline over a plate: a mapping (``execution["status"]``) whose entries are attributes too.

    As attributes ``status`` is an ``ExecutionStatus``, and there are also ``plate``, ``compiled`` and ``refusal``.
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
        """The same execution with what is known about plates."""
        return snapshot if isinstance(snapshot, PlateExecution) else cls(snapshot)

    @property
    def message(self) -> str:
        """Why it failed, else the status in a word."""
        return self.error or self.status.value

    @property
    def plate(self) -> PlateResult | None:
        """How each well ended and where the results are; None when no well was worked on."""
        result = read_result(self.result)
        return result if isinstance(result, PlateResult) else None

    @property
    def compiled(self) -> CompileReport | None:
        """What a run would do, when it was only compiled."""
        result = read_result(self.result)
        return result if isinstance(result, CompileReport) else None

    @property
    def refusal(self) -> Refusal | None:
        """Why no well was worked on, where that is so."""
        result = read_result(self.result)
        return result if isinstance(result, Refusal) else None

    def __missing__(self, name: str) -> Any:
        if name not in ("plate", "refusal", "compiled"):
            raise KeyError(name)
        return getattr(self, name)

    def get(self, name: str, default: Any = None) -> Any:
        """What ``execution[name]`` gives, or ``default`` if there is no such thing."""
        try:
            return self[name]
        except KeyError:
            return default


class ZMQExecutionClient(ExecutionClient):
    """Runs pipelines on the server of ``port``, which it starts when none answers.

        with ZMQExecutionClient(port=7777) as client:
            response = client.execute_pipeline(plate_id="/data/plate", pipeline_steps=steps)
            print(response["status"], response["message"])

    Args:
        port: the server's data port; 7777 when None.
        persistent: whether a server that this client starts outlives it.
        host: where a TCP server is; naming one selects TCP.
        progress_callback: called, in a thread of its own, with every :class:`zmqruntime.ProgressUpdate` of what this
            client submits.
        transport_mode, config: as for :class:`zmqruntime.ZMQClient`.
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
        """Whether the server is one that this client started."""
        return self._process is not None

    def execute_pipeline(
        self,
        plate_id: str | os.PathLike[str],
        pipeline_steps: "PipelineSteps",
        global_config: GlobalConfig | None = None,
        pipeline_config: PipelineConfig | None = None,
        *,
        timeout: float | None = None,
    ) -> PlateExecution:
        """:meth:`submit_pipeline`, then :meth:`wait`. A failed plate is in the response's status, not raised."""
        accepted = self.submit_pipeline(plate_id, pipeline_steps, global_config, pipeline_config)
        return self.wait(accepted.execution_id, timeout)

    def submit_pipeline(
        self,
        plate_id: str | os.PathLike[str],
        pipeline_steps: "PipelineSteps",
        global_config: GlobalConfig | None = None,
        pipeline_config: PipelineConfig | None = None,
    ) -> SubmitResponse:
        """Hand a pipeline and a plate to the server, and return once that is on its disk.

        Args:
            plate_id: folder of the plate; relative to the current folder.
            pipeline_steps: a list of ``FunctionStep``; a loaded ``Pipeline``; the path of a pipeline file (a path
                object, or a text that ends in ``.py``), which may import modules beside it; or the source text of one.
            global_config, pipeline_config: take the place of the pipeline's own.

        Raises:
            PipelineError: the steps can't be written as source, or the file can't be read.
            RequestRefusedError: the server could not write the submission to disk.
            RequestTimeoutError: no reply in time.
        """
        return self.submit_task(self.plate_task(plate_id, pipeline_steps, global_config, pipeline_config))

    def plate_task(
        self,
        plate_id: str | os.PathLike[str],
        pipeline_steps: "PipelineSteps",
        global_config: GlobalConfig | None = None,
        pipeline_config: PipelineConfig | None = None,
    ) -> PlateTask:
        """What :meth:`submit_pipeline` submits. Raises PipelineError."""
        source, name, folder = _source_of(pipeline_steps)
        return PlateTask(
            plate_path=os.fspath(plate_id),
            source=source,
            source_name=name,
            source_dir=folder,
            global_config=global_config,
            pipeline_config=pipeline_config,
            base_dir=os.getcwd(),
        )

    def submit_task(self, task: PlateTask, environment: TaskEnvironment | None = None) -> SubmitResponse:
        """Hand over a task that is put together already; raises as :meth:`submit_pipeline` does.

        If the server is killed under it, the next one goes on with it by itself.

        Args:
            task: what to run.
            environment: the variables and the working folder that it runs with [default: those of this process, or
                of the server where that is on another machine].

        Raises:
            ConfigurationError: a variable or the working folder of this process is not text.
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
    ) -> SubmitResponse:
        """Submit an execution that only compiles; raises as :meth:`submit_pipeline` does.

        Its id is the ``compile_artifact_id`` for :meth:`submit_compiled` once it is complete, and its
        ``PlateExecution.compiled`` says what a run would do.
        """
        task = self.plate_task(plate_id, pipeline_steps, global_config, pipeline_config)
        return self.submit_task(msgspec.structs.replace(task, action=TaskAction.COMPILE))

    def submit_compiled(self, compile_artifact_id: str, *, resume: bool = False) -> SubmitResponse:
        """Run what was compiled. What is needed travels with the submission, so it can wait in the queue for ever.

        Raises:
            RequestRefusedError: the server has no such execution.
            CompileError: that execution is not a compilation that is complete.
        """
        execution = self.poll_status(compile_artifact_id)
        if execution.compiled is None:
            raise CompileError([f"execution {compile_artifact_id} is no complete compilation: {execution.message}"])
        task = msgspec.structs.replace(
            self.task_of(compile_artifact_id),
            action=TaskAction.RUN,
            resume=resume,
            compile_artifact_id=compile_artifact_id,
            expected_signature=execution.compiled.signature,
        )
        return self.submit_task(task)

    def resume(self, execution_id: str) -> SubmitResponse:
        """Do what an execution has left undone, as a new one in the same folder: wells that it finished are kept.

        One that has not ended goes on by itself: its own id is given back. A pipeline, a module next to it, a setting
        or a library that has changed since is not mixed with what is done: the new execution fails and names it.

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
        """Repeat the run that has written a folder: the same pipeline, settings and plate.

        Args:
            output_dir: the folder, with its ``provenance.json``.
            into: where the results go. None: a new folder next to that run, or ``<output_dir>_rerun`` for a folder
                that was named.

        Raises:
            OutputError: the folder has no such document, one that cannot be run, or a module that the pipeline
                imports has changed since.
        """
        return self.submit_task(rerun_task(Path(output_dir), None if into is None else Path(into)))

    def task_of(self, execution_id: str) -> PlateTask:
        """What was submitted for an execution. Raises RequestRefusedError."""
        return msgspec.convert(self.submission_of(execution_id).payload, PlateTask)

    def wait(  # type: ignore[override]  # a mapping with the attributes of a snapshot, as earlier documents have it
        self, execution_id: str, timeout: float | None = None
    ) -> PlateExecution:
        """Wait until an execution has ended; see :meth:`zmqruntime.execution.ExecutionClient.wait`."""
        return PlateExecution.of(super().wait(execution_id, timeout))

    def poll_status(self, execution_id: str) -> PlateExecution:  # type: ignore[override]  # as for wait
        """What the execution is now. Raises RequestRefusedError."""
        return PlateExecution.of(super().poll_status(execution_id))

    def status(self, limit: int = 20) -> "StatusReport":  # type: ignore[override]  # as for wait
        """All executions that have not ended and the latest ``limit`` that have; see ``ExecutionClient.status``."""
        return StatusReport(super().status(limit))

    def cancel_execution(self, execution_id: str, axis_id: str | None = None) -> "CancelReply":
        """Ask an execution, or one well of it, to stop; ``["status"]`` is ``ok`` if it will."""
        return CancelReply(self.cancel(execution_id, axis_id))

    def submit(  # orchestrator and global_config are the words of earlier documents
        self,
        task: Any = None,
        config: Any = None,
        *,
        orchestrator: "PipelineOrchestrator | None" = None,
        global_config: GlobalConfig | None = None,
        timeout: float | None = None,
        **options: Unpack[SubmitOptions],
    ) -> str:
        """Hand over a task, or what an orchestrator would do; see ``ExecutionClient.submit``.

        Args:
            task, config, timeout, options: as there.
            orchestrator: in place of a task: its plate and pipeline. The id can then be awaited, and gives itself.
            global_config: takes the place of the orchestrator's own.
        """
        if orchestrator is not None:
            plate_task = self.plate_task(
                orchestrator.plate_path,
                orchestrator.pipeline,
                global_config or orchestrator.global_config,
                orchestrator.pipeline_config,
            )
            return SubmittedId(self.submit_task(plate_task).execution_id)
        return super().submit(task, config, timeout=timeout, **options)


class StatusReport(Reply):
    """What the server has to do: a mapping whose entries are attributes too, those of a ``StatusResponse``."""

    if TYPE_CHECKING:
        executions: list[ExecutionSnapshot]
        queued: int
        running: int
        workers: int
        paused: bool
        draining: bool
        ended: dict[ExecutionStatus, int]


class CancelReply(Reply):
    """What will happen: a mapping whose entries are attributes too, those of a ``CancelResponse``."""

    if TYPE_CHECKING:
        execution_id: str
        status: str
        execution_status: ExecutionStatus
        message: str


def environment_for(client: ExecutionClient) -> TaskEnvironment | None:
    """What a run should be started with: the variables and folder of this process, as its user sees them.

    None where the server is on another machine: paths and programs differ there, and its own environment holds.

    Raises:
        ConfigurationError: a variable or the working folder is not text.
    """
    is_here = client.transport_mode is TransportMode.IPC or client.host in _THIS_MACHINE
    return TaskEnvironment.current() if is_here else None


def rerun_task(output_dir: Path, into: Path | None = None) -> PlateTask:
    """What repeats the run that has written a folder; see :meth:`ZMQExecutionClient.rerun`. Raises OutputError."""
    # Loads image libraries, which nothing else here needs.
    from openhcs_runtime.outputs.provenance import FILE_NAME, is_unchanged, read_provenance  # noqa: PLC0415

    folder = find_run(output_dir).run.folder
    known = read_provenance(folder)
    if not known.pipeline_source:
        raise OutputError(f"{folder} was made by a pipeline that has no source: {known.no_source}")
    if changed := [module.path for module in known.modules if not is_unchanged(module)]:
        raise OutputError(
            f"{', '.join(changed)} changed since the run in {folder}: restore it (its text is in {FILE_NAME} there)"
        )
    has_own_folder = into is None and known.pipeline_config.output_dir is None
    target = into.expanduser().resolve() if into else folder.with_name(f"{folder.name}_rerun")
    return PlateTask(
        plate_path=known.plate_path,
        source=known.pipeline_source,
        source_name=known.pipeline_name,
        source_dir=known.pipeline_folder,
        global_config=known.global_config,
        pipeline_config=known.pipeline_config,
        output_dir=None if has_own_folder else str(target),
        results_dir=str(folder.parent) if has_own_folder else None,
        fresh=True,
    )


def read_pipeline_file(path: str | os.PathLike[str]) -> str:
    """The text of a pipeline file, which is not run.

    Raises PipelineError when it can't be read.
    """
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise PipelineError(f"pipeline file {path} is no text in UTF-8: save it as UTF-8") from error
    except FileNotFoundError as error:
        raise PipelineError(
            f"no such pipeline file: {path} (name a Python file that defines pipeline_steps)"
        ) from error
    except OSError as error:
        raise PipelineError(f"pipeline file {path} can't be read: {error.strerror or error}") from error


def _source_of(pipeline: "PipelineSteps") -> tuple[str, str, str]:
    """The source text of a pipeline, its name, and the folder of its file."""
    if isinstance(pipeline, os.PathLike) or (isinstance(pipeline, str) and _looks_like_path(pipeline)):
        return read_pipeline_file(pipeline), os.fspath(pipeline), folder_of(pipeline)
    if isinstance(pipeline, str):
        return pipeline, "pipeline.py", ""
    source = openhcs_runtime.to_source(pipeline)
    file = getattr(pipeline, "file", None)
    return (source, file.name, file.folder) if file is not None else (source, "pipeline.py", "")


def folder_of(path: str | os.PathLike[str]) -> str:
    """The folder that a pipeline file lies in, where a symbolic link leads to the file it stands for."""
    return str(Path(path).expanduser().resolve().parent)


def _looks_like_path(text: str) -> bool:
    return "\n" not in text and text.endswith(".py")
