"""``run``, ``resume`` and ``rerun``: submit, watch, and say what came of it; ``compile``: only see whether it would."""

import ast
import contextlib
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import msgspec

from openhcs_runtime.cli.commands.runs import find_results
from openhcs_runtime.cli.connection import Endpoint, connected, full_id
from openhcs_runtime.cli.failures import CommandError, ErrorKind, ExitCode, interrupted
from openhcs_runtime.cli.interrupts import Interrupts, cancelling
from openhcs_runtime.cli.options import read_diameter
from openhcs_runtime.cli.output import Output
from openhcs_runtime.cli.summary import error_of, kept_text, print_summary, run_document
from openhcs_runtime.cli.viewer import show_viewer
from openhcs_runtime.cli.watching import shown, watching
from openhcs_runtime.config import AUTO
from openhcs_runtime.exceptions import CompileError, OutputError, PipelineError, PlateError
from openhcs_runtime.service.client import PlateExecution, ZMQExecutionClient, folder_of, read_pipeline_file, rerun_task
from openhcs_runtime.tasks import PlateTask, TaskAction, wants_server
from openhcs_runtime.terminal.progress import BoardView
from zmqruntime.config import TransportMode
from zmqruntime.exceptions import RequestTimeoutError, ServerLostError
from zmqruntime.execution import WaitTimeoutError
from zmqruntime.execution.text import plural
from zmqruntime.messages import ExecutionStatus

__all__ = ["ResultFolders", "RunOptions", "compile_run", "repeat_run", "resume_run", "run_compiled", "run_plate"]

_CANCEL_SECONDS = 60.0
_BUILTIN = "nuclei_count.py"


@dataclass(frozen=True, slots=True)
class ResultFolders:
    """Where results go: `output` is the folder of the run, `results_dir` the one in which it gets its own."""

    output: Path | None = None
    results_dir: Path | None = None
    replace: bool = False


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What was typed."""

    plate: Path
    pipeline: Path | None
    folders: ResultFolders
    workers: str | None
    place: Endpoint
    pattern: str | None = None
    dask: str | None = None
    view: str | None = None
    components: Mapping[str, str] = field(default_factory=dict)
    fresh: bool = False
    seed: int | None = None
    channel: str | None = None
    diameter: str | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """An execution to watch, and what it is in words."""

    execution_id: str
    title: str


Begin = Callable[[ZMQExecutionClient], Begun]


def run_plate(options: RunOptions, *, as_json: bool) -> int:
    """Run a pipeline over a plate to its end."""
    task = _task(options)
    if options.view is not None:
        show_viewer(options.view, options.components, Output(as_json))
    if not _wants_server():
        return _run_here(task, as_json=as_json)
    title = f"Running {options.pipeline or 'the built-in nuclei count'} over {task.plate_path}"
    return _follow(options.place, lambda client: Begun(client.submit_task(task).execution_id, title), as_json=as_json)


def _wants_server() -> bool:
    try:
        return wants_server()
    except PipelineError as error:
        raise CommandError(ErrorKind.USAGE, str(error)) from error


def _run_here(task: PlateTask, *, as_json: bool) -> int:
    """The same in this process; the first Ctrl-C cancels, another one leaves at once."""
    # Loads image libraries, which a client of a server never needs.
    from openhcs_runtime.service.local import run_locally  # noqa: PLC0415

    output = Output(as_json)
    output.line(f"Running over {task.plate_path} in this process, without a server")
    with shown(quiet=as_json) as (board, take), contextlib.ExitStack() as stack:
        board.note_status(ExecutionStatus.RUNNING)
        execution = run_locally(task, take, lambda here: stack.enter_context(cancelling(here)))
        board.note_status(execution.status)
    was_interrupted = execution.status is ExecutionStatus.CANCELLED
    return _tell_end(execution, board.view(), output, was_interrupted=was_interrupted, hint="")


def run_compiled(place: Endpoint, compiled_id: str, *, as_json: bool) -> int:
    """Run what was compiled before."""

    def begin(client: ZMQExecutionClient) -> Begun:
        known = full_id(client, compiled_id)
        try:
            return Begun(client.submit_compiled(known).execution_id, f"Running what {known} compiled")
        except CompileError as error:
            raise CommandError(ErrorKind.COMPILE, "; ".join(error.problems)) from error

    return _follow(place, begin, as_json=as_json)


def resume_run(place: Endpoint, execution_id: str, *, as_json: bool) -> int:
    """Do what a run has left undone, or watch it if it goes on by itself."""

    def begin(client: ZMQExecutionClient) -> Begun:
        known = full_id(client, execution_id)
        resumed = client.resume(known).execution_id
        title = f"{known} goes on by itself" if resumed == known else f"Doing what {known} has left undone"
        return Begun(resumed, title)

    return _follow(place, begin, as_json=as_json)


def repeat_run(place: Endpoint, folder: Path, into: Path | None, *, as_json: bool) -> int:
    """Repeat the run that has written a folder, into another one."""
    try:
        run = find_results(folder, Output(as_json))
        task = rerun_task(run.folder, into)
    except OutputError as error:
        raise CommandError(ErrorKind.OUTPUT, str(error)) from error
    title = f"Repeating the run in {run.folder} over {task.plate_path}"
    return _follow(place, lambda client: Begun(client.submit_task(task).execution_id, title), as_json=as_json)


def compile_run(options: RunOptions, *, as_json: bool) -> int:
    """Check everything that can be checked before an image is read."""
    output = Output(as_json)
    task = msgspec.structs.replace(_task(options), action=TaskAction.COMPILE)
    with connected(options.place) as client:
        execution = client.wait(client.submit_task(task).execution_id)
    report = execution.compiled
    document = {"execution_id": execution.execution_id, "status": execution.status.value}
    if report is None:
        return output.document({**document, "compiled": None}, error_of(execution))
    lacking = f", {len(report.incomplete_wells)} of them without all images" if report.incomplete_wells else ""
    output.line(
        f"{plural(len(report.wells), 'well')}{lacking}; {plural(len(report.steps), 'step')}: {', '.join(report.steps)}"
    )
    if report.memory_per_well_bytes:
        output.line(
            f"{plural(report.workers, 'worker')}, each with up to {report.memory_per_well_bytes / 1e9:.3g} GB of memory"
        )
    for warning in report.warnings:
        output.line(f"Note: {warning}")
    output.line(f"Results would go to {'a new folder in ' if report.gets_own_folder else ''}{report.output_dir}")
    output.line(
        f"Compiled; 'openhcs-runtime run --compiled {report.compile_artifact_id}{options.place.options}' runs it."
    )
    return output.document({**document, "compiled": msgspec.to_builtins(report)})


def _follow(place: Endpoint, begin: Begin, *, as_json: bool) -> int:
    """Submit something and watch it to its end."""
    output = Output(as_json)
    with Interrupts() as interrupts:
        with connected(place) as client:
            if interrupts.were_noted:
                raise _never_begun(client)
            begun = begin(client)
            execution_id = begun.execution_id
            output.line(begun.title)
            output.line(f"Execution {execution_id}, server process {client.server.pid}")
            with watching(client, execution_id, quiet=as_json) as board:
                execution, was_interrupted = _wait(client, execution_id, output, interrupts)
            stays = client.has_started_server
        hint = f"\nThe server stays for the next run; 'openhcs-runtime stop{place.options}' ends it."
        return _tell_end(execution, board.view(), output, was_interrupted=was_interrupted, hint=hint if stays else "")


def _tell_end(
    execution: PlateExecution, view: BoardView, output: Output, *, was_interrupted: bool, hint: str
) -> ExitCode:
    """What came of the run."""
    document = run_document(execution, view)
    if was_interrupted and execution.status is ExecutionStatus.CANCELLED:
        message = f"cancelled with Ctrl-C, {kept_text(view, execution)}"
        return output.document(document, CommandError(ErrorKind.CANCELLED, message, ExitCode.INTERRUPTED))
    if not output.as_json:
        print_summary(execution)
    if hint:
        output.line(hint)
    return output.document(document, error_of(execution))


def _never_begun(client: ZMQExecutionClient) -> CommandError:
    """Ctrl-C came before anything was submitted: a server that was started for it, and is idle, ends again."""
    message = "interrupted before the run was submitted"
    if client.has_started_server:
        report = client.status(limit=0)
        if not report.running + report.queued:
            client.shutdown_server()
            message += "; the server that was started for it has ended"
    return interrupted(message)


def _wait(
    client: ZMQExecutionClient, execution_id: str, output: Output, interrupts: Interrupts
) -> tuple[PlateExecution, bool]:
    """Wait for the end, which Ctrl-C brings about; true if it did. What then is told is not broken off by another."""
    try:
        interrupts.allow()
        execution, was_interrupted = client.wait(execution_id), False
        interrupts.hold()
    except KeyboardInterrupt:
        execution, was_interrupted = _cancel(client, execution_id, output), True
        interrupts.hold()
    except ServerLostError as error:
        raise _lost(client, execution_id) from error
    return execution, was_interrupted


def _lost(client: ZMQExecutionClient, execution_id: str) -> CommandError:
    log = client.config.server_dir(client.port) / "server.log"
    place = Endpoint(client.port, None if client.transport_mode is TransportMode.IPC else client.host)
    what = client.standing.text or f"the server on port {client.port} ended"
    return CommandError(
        ErrorKind.SERVER_LOST,
        f"{what} during the run, and no other one took its place; wells that were done are kept, and the next server "
        f"goes on with it: 'openhcs-runtime resume {execution_id}{place.options}' starts one; its log is {log}",
        ExitCode.FAILED,
    )


def _cancel(client: ZMQExecutionClient, execution_id: str, output: Output) -> PlateExecution:
    try:
        output.line("Cancelling; Ctrl-C again leaves at once.")
        client.cancel(execution_id)
        return client.wait(execution_id, _CANCEL_SECONDS)
    except KeyboardInterrupt:
        how = "left at once; the server goes on cancelling"
    except RequestTimeoutError:
        how = "the server does not answer, so it may not have heard of the cancel; left"
    except WaitTimeoutError:
        how = f"not stopped within {_CANCEL_SECONDS:g} s; the server goes on cancelling"
    raise interrupted(f"{how} execution {execution_id}, 'openhcs-runtime status' shows it")


def _task(options: RunOptions) -> PlateTask:
    """What to submit; finds out what is wrong with it as far as that can be seen here and at once."""
    plate = options.plate.expanduser()
    if options.place.is_local:
        if not plate.exists():
            raise CommandError(ErrorKind.PLATE, f"no such plate: {plate} (name the folder that holds the images)")
        plate = plate.resolve()
    source, name = _source(options)
    try:
        return _plate_task(options, plate, source, name)
    except PlateError as error:
        raise CommandError(ErrorKind.PLATE, str(error)) from error


def _plate_task(options: RunOptions, plate: Path, source: str, name: str) -> PlateTask:
    return PlateTask(
        plate_path=str(plate),
        source=source,
        source_name=name,
        source_dir=folder_of(options.pipeline) if options.pipeline else "",
        num_workers=AUTO if options.workers == AUTO else int(options.workers) if options.workers else None,
        dask=options.dask,
        output_dir=str(options.folders.output) if options.folders.output else None,
        results_dir=str(options.folders.results_dir) if options.folders.results_dir else None,
        replace=options.folders.replace,
        fresh=options.fresh,
        base_dir=os.getcwd(),
        pattern=options.pattern,
        view=options.view,
        seed=options.seed,
    )


def _builtin_source(channel: str | None, diameter: str | None) -> str:
    """The text of the built-in pipeline with what was chosen in it."""
    # Not through openhcs_runtime.builtin, which loads image libraries to be able to load pipelines.
    text = resources.files("openhcs_runtime").joinpath("builtin", _BUILTIN).read_text(encoding="utf-8")
    chosen: dict[str, object] = {}
    if channel is not None:
        chosen["CHANNEL"] = int(channel) if channel.isascii() and channel.isdigit() else channel
    if diameter is not None:
        length, in_pixels = read_diameter(diameter)
        chosen["DIAMETER_PX" if in_pixels else "DIAMETER_UM"] = length
    lines = text.splitlines()
    for name, value in chosen.items():
        number = next(number for number, line in enumerate(lines) if line.startswith(f"{name} = "))
        lines[number] = f"{name} = {value!r}"
    return "\n".join(lines) + "\n"


def _source(options: RunOptions) -> tuple[str, str]:
    path = options.pipeline
    if path is None:
        return _builtin_source(options.channel, options.diameter), _BUILTIN
    if options.channel is not None or options.diameter is not None:
        message = "--channel and --diameter are for the built-in count: set them in the pipeline file, or leave it out"
        raise CommandError(ErrorKind.USAGE, message)
    try:
        source = read_pipeline_file(path)
        with warnings.catch_warnings(action="ignore"):
            ast.parse(source)
    except PipelineError as error:
        raise CommandError(ErrorKind.PIPELINE, str(error)) from error
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        message = f"{path}:{line}: syntax error: {getattr(error, 'msg', error)}"
        raise CommandError(ErrorKind.PIPELINE, message) from error
    return source, str(path)
