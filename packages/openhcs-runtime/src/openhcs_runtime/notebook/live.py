"""Runs a plate, or follows one on a server, with its progress in the output of the notebook cell."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType

from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.engine.plate_run import RunChoice
from openhcs_runtime.notebook.content import RunContent
from openhcs_runtime.results import PlateResult, ResultStatus
from openhcs_runtime.service.client import PlateExecution, ZMQExecutionClient
from openhcs_runtime.terminal.progress import RunProgress
from zmqruntime.client import Standing
from zmqruntime.exceptions import ZMQRuntimeError
from zmqruntime.execution import Task, local_task
from zmqruntime.execution.helpers.patience import patience_text
from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.execution.notebook.live import LiveView
from zmqruntime.execution.notebook.output import Output
from zmqruntime.messages import Event, ExecutionSnapshot, ExecutionStatus, LogLine, ProgressUpdate

__all__ = ["run", "watch"]

_LAST_EVENTS_SECONDS = 5.0
_ENDS = {
    ResultStatus.COMPLETE: ExecutionStatus.COMPLETE,
    ResultStatus.FAILED: ExecutionStatus.FAILED,
    ResultStatus.CANCELLED: ExecutionStatus.CANCELLED,
}


def run(
    orchestrator: PipelineOrchestrator, choice: RunChoice | None = None, *, output: Output | None = None
) -> PlateResult:
    """Run a plate in this process, like ``orchestrator.run(choice)``, and show its progress.

    An interrupt of the cell cancels the run: the wells that are done are kept, and KeyboardInterrupt is raised when the
    others have stopped. A second one is raised at once.

    Args:
        orchestrator: the plate and its pipeline. Its own ``progress_callback``, if any, is called as well.
        choice: how the run begins; see :meth:`PipelineOrchestrator.execute`.
        output: where to show it [default: the output of the cell, or standard output].

    Returns:
        How each well ended.

    Raises:
        OpenHCSError: the errors of ``initialize``, ``compile`` and ``execute``.
        KeyboardInterrupt: the cell was interrupted.
    """
    board, ended = RunProgress(), _Ended()
    board.note_status(ExecutionStatus.RUNNING)
    plate_path = str(orchestrator.plate_path)
    with LiveView(lambda: RunContent(board.view(), plate_path, ended.result), output) as view:

        def take(event: ProgressUpdate | LogLine) -> None:
            board.apply(event)
            view.note_change()

        try:
            with local_task(take, plate_id=plate_path) as task, _cancelled_by_interrupt(task):
                ended.result = orchestrator.run(choice)
        finally:
            board.note_status(ExecutionStatus.FAILED if ended.result is None else _ENDS[ended.result.status])
        return ended.result


def watch(client: ZMQExecutionClient, execution_id: str, *, output: Output | None = None) -> PlateExecution:
    """Show a run on a server until it has ended; interrupting the cell stops only the watching.

    Args:
        client: connected to the server.
        execution_id: id of the run, from ``client.submit_pipeline`` of any program.
        output: where to show it [default: the output of the cell, or standard output].

    Returns:
        How it ended, as from ``client.wait``.

    Raises:
        RequestRefusedError: the server has no such execution.
        ServerLostError: the server has ended and no successor appeared; the run is not lost: call it again.
    """
    board, ended = RunProgress(), _Ended()
    snapshot = client.snapshot_of(execution_id)
    with LiveView(lambda: RunContent(board.view(), snapshot.plate_id, ended.result), output) as view:

        def take(event: Event) -> None:
            board.apply(event)
            view.note_change()

        def note(standing: Standing) -> None:
            board.note_waiting(patience_text(standing))
            view.note_change()

        with _listening(client, note), _fed(client, snapshot, take):
            execution = client.wait(execution_id)
        ended.result = execution.plate
        return execution


@contextlib.contextmanager
def _cancelled_by_interrupt(task: Task) -> Iterator[None]:
    """Let the task stop at the first interrupt in the block, and raise it at the end of the block; a second at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    was_interrupted = False

    def on_interrupt(signum: int, frame: FrameType | None) -> None:
        nonlocal was_interrupted
        if was_interrupted:
            raise KeyboardInterrupt
        was_interrupted = True
        task.request_cancel()

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if was_interrupted:
        raise KeyboardInterrupt


class _Ended:
    """How a run ended, for the last picture."""

    result: PlateResult | None = None


@contextlib.contextmanager
def _listening(client: ZMQExecutionClient, note: Callable[[Standing], None]) -> Iterator[None]:
    remove = client.add_listener(note)
    try:
        yield
    finally:
        remove()


@contextlib.contextmanager
def _fed(client: ZMQExecutionClient, snapshot: ExecutionSnapshot, take: Callable[[Event], None]) -> Iterator[None]:
    """Pass on the events of the run within the block; after its regular end, all of them have been passed on."""
    is_over = has_ended(snapshot.status, snapshot.resumable)
    with client.opened(snapshot.execution_id, 0, is_over) as sink:
        thread = threading.Thread(target=_pass_on, args=(sink, take), name="watch-plate", daemon=True)
        thread.start()
        try:
            yield
            thread.join(_LAST_EVENTS_SECONDS)
        finally:
            sink.end()
            thread.join()


def _pass_on(events: Iterable[Event], take: Callable[[Event], None]) -> None:
    with contextlib.suppress(ZMQRuntimeError):  # raised by the wait as well
        for event in events:
            take(event)
