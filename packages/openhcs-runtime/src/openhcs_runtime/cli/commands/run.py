"""``run``: submit a pipeline and a plate, watch, and say what came of it."""

import ast
import os
import signal
import warnings
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import FrameType
from typing import Self

from openhcs_runtime.cli.connection import Place, connected
from openhcs_runtime.cli.failures import CommandError, ErrorKind, ExitCode
from openhcs_runtime.cli.output import Output
from openhcs_runtime.cli.summary import error_of, kept_text, print_summary, run_document
from openhcs_runtime.cli.watching import watching
from openhcs_runtime.client import PlateExecution, ZMQExecutionClient, read_pipeline_file
from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.plate_tasks import PlateTask
from zmqruntime.exceptions import ServerLostError
from zmqruntime.execution import WaitTimeoutError
from zmqruntime.messages import ExecutionStatus

__all__ = ["RunOptions", "run_plate"]

_CANCEL_SECONDS = 60.0
_BUILTIN = "nuclei_count.py"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What was typed."""

    plate: Path
    pipeline: Path | None
    output: Path | None
    workers: int | None
    place: Place


def run_plate(options: RunOptions, *, as_json: bool) -> int:
    """Run a pipeline over a plate to its end."""
    output = Output(as_json)
    task = _task(options)
    with connected(options.place) as client, _Interrupts() as interrupts:
        execution_id = client.submit_task(task).execution_id
        name = options.pipeline or "the built-in nuclei count"
        output.line(f"Running {name} over {task.plate_path}")
        output.line(f"Execution {execution_id}, server process {client.server.pid}")
        with watching(client, execution_id, quiet=as_json) as board:
            execution, was_interrupted = _wait(client, execution_id, output, interrupts)
        has_started_server = client.has_started_server
    view = board.view()
    document = run_document(execution, view)
    if was_interrupted and execution.status is ExecutionStatus.CANCELLED:
        message = f"cancelled with Ctrl-C, {kept_text(view, execution)}"
        return output.document(document, CommandError(ErrorKind.CANCELLED, message, ExitCode.INTERRUPTED))
    if not as_json:
        print_summary(execution)
    if has_started_server:
        output.line(f"\nThe server stays for the next run; 'openhcs-runtime stop{options.place.options}' ends it.")
    return output.document(document, error_of(execution))


def _wait(
    client: ZMQExecutionClient, execution_id: str, output: Output, interrupts: "_Interrupts"
) -> tuple[PlateExecution, bool]:
    """Wait for the end, which Ctrl-C brings about; true if it did."""
    try:
        interrupts.allow()
        return client.wait(execution_id), False
    except KeyboardInterrupt:
        return _cancel(client, execution_id, output), True
    except ServerLostError as error:
        log = client.config.server_dir(client.port) / "server.log"
        raise CommandError(
            ErrorKind.SERVER_LOST,
            f"the server (process {client.server.pid}) ended during the run; wells that were done are kept, "
            f"the same command starts over; its log is {log}",
            ExitCode.FAILED,
        ) from error


def _cancel(client: ZMQExecutionClient, execution_id: str, output: Output) -> PlateExecution:
    try:
        output.line("Cancelling; Ctrl-C again leaves at once.")
        client.cancel(execution_id)
        return client.wait(execution_id, _CANCEL_SECONDS)
    except KeyboardInterrupt:
        how = "left at once; the server goes on cancelling"
    except WaitTimeoutError:
        how = f"not stopped within {_CANCEL_SECONDS:g} s; the server goes on cancelling"
    message = f"{how} execution {execution_id}, 'openhcs-runtime status' shows it"
    raise CommandError(ErrorKind.INTERRUPTED, message, ExitCode.INTERRUPTED)


class _Interrupts:
    """In its block Ctrl-C is only noted until :meth:`allow`: before, nobody knows what there is to cancel."""

    def __init__(self) -> None:
        self._was_interrupted = False

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *exc_info: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def allow(self) -> None:
        """From now on Ctrl-C raises KeyboardInterrupt, at once if it was pressed before."""
        signal.signal(signal.SIGINT, self._before)
        if self._was_interrupted:
            raise KeyboardInterrupt

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self._was_interrupted = True


def _task(options: RunOptions) -> PlateTask:
    """What to submit; finds out what is wrong with it as far as that can be seen here and at once."""
    plate = options.plate.expanduser()
    if options.place.is_local:
        if not plate.exists():
            raise CommandError(ErrorKind.PLATE, f"no such plate: {plate} (name the folder that holds the images)")
        plate = plate.resolve()
    source, name = _source(options.pipeline)
    return PlateTask(
        plate_path=str(plate),
        source=source,
        source_name=name,
        num_workers=options.workers,
        output_dir=str(options.output) if options.output else None,
        base_dir=os.getcwd(),
    )


def _source(path: Path | None) -> tuple[str, str]:
    if path is None:
        # Not through openhcs_runtime.builtin, which loads image libraries to be able to load pipelines.
        file = resources.files("openhcs_runtime").joinpath("builtin", _BUILTIN)
        return file.read_text(encoding="utf-8"), _BUILTIN
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
