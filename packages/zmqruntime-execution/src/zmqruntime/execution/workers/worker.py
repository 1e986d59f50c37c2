"""A worker: loads the server's class once, then runs one task after the other."""

import contextlib
import logging
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from zmqruntime.codec import Decoder, clean_text, encode
from zmqruntime.config import ZMQConfig
from zmqruntime.exceptions import ZMQRuntimeError
from zmqruntime.execution.events.worker_messages import (
    Assign,
    CancelAssigned,
    Finished,
    Outcome,
    Ready,
    Setup,
    ToWorker,
)
from zmqruntime.execution.tasks.logging import TaskLogHandler
from zmqruntime.execution.tasks.task import owning_process
from zmqruntime.execution.workers.begun import BegunNotes
from zmqruntime.execution.workers.capture import OutputCapture
from zmqruntime.execution.workers.descriptors import CHANNEL_CLOSED, Descriptors
from zmqruntime.execution.workers.frames import FrameStream
from zmqruntime.execution.workers.loaded_code import LoadedModules
from zmqruntime.execution.workers.process_state import WorkerState
from zmqruntime.execution.workers.task_run import TaskRun, describe_error
from zmqruntime.execution.workers.usage import UsageMeter
from zmqruntime.execution.workers.work_queue import Inbox, receive_end
from zmqruntime.loop import SocketLoop
from zmqruntime.messages import LogLevel, Message

if TYPE_CHECKING:
    from zmqruntime.execution.server.server import ExecutionServer

__all__ = ["Worker"]

_STOP_REPORTS_ABOVE = 1024 * 1024
_LOOK_AGAIN_SECONDS = 0.05


class Worker:
    """Runs the tasks that arrive on a socket, in the calling thread, until the other end is closed.

    The thread that runs them takes them from the queue, and reports their ends, itself; that of the loop is for what
    happens meanwhile: reports, output and cancel requests.

    Args:
        sock: The socket.
        modules: Tells whether the code that this process has loaded is still that of the files.
    """

    def __init__(self, sock: socket.socket, modules: LoadedModules) -> None:
        self._inbox = Inbox(receive_end(sock))
        self._begun: BegunNotes | None = None
        self._wave = 0
        self._looked_at = 0.0
        self._over = threading.Event()
        self._drained = threading.Event()
        self._cancelling = threading.Lock()
        self._early_cancels: dict[tuple[str, int], list[str | None]] = {}
        self._server_end = sock.fileno()
        self._decode: Decoder[ToWorker] = Decoder(ToWorker)
        self._run: TaskRun | None = None
        self._config = ZMQConfig()
        self._meter = UsageMeter()
        self._modules = modules
        self._loop = SocketLoop("worker")
        self._capture = OutputCapture(self._loop, self._take_line)
        logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[TaskLogHandler(self._take_line)])
        self._channel = Descriptors([sock.fileno(), *self._inbox.descriptors, *self._loop.descriptors])
        self._loop.at_end = self._on_server_gone  # also if a task has closed what the loop needs
        self._stream = FrameStream(self._loop, sock, self._on_frame, self._on_server_gone, self._on_drained)
        self._loop.start()

    def run(self) -> None:
        """Run until the server is gone; exit the process if its class cannot be loaded."""
        setup = self._inbox.take_setup()
        if setup is None:
            return
        try:
            server = cast("ExecutionServer", setup.spec.build())
        except ZMQRuntimeError as error:
            self._fail_to_start(str(error))
        except BaseException as error:  # noqa: BLE001 - importing a module can raise anything
            self._fail_to_start(f"{setup.spec.target} cannot be loaded: {describe_error(error)}")
        self._state = WorkerState()
        self._environment = setup.environment
        self._begun = self._begin_notes(setup.begun_dir)
        self._stream.send(encode(Ready(takes_ahead=self._begun is not None)))
        while (assign := self._inbox.take()) is not None:
            run = self._prepare(assign)
            if (unfit := self._why_unfit(assign, run)) is not None:
                self._decline(run, unfit)
                return
            if not self._may_begin(assign):
                return
            if not self._run_task(server, run):
                self._over.wait()  # nothing else may run here
                return

    def _begin_notes(self, folder: str) -> BegunNotes | None:
        """Return where to note what begins; None if nothing can be handed over ahead."""
        if not folder or not self._inbox.descriptors:
            return None
        with contextlib.suppress(OSError):
            notes = BegunNotes(Path(folder), self._server_end)
            self._channel = Descriptors([*self._channel.numbers, notes.descriptor])
            return notes
        return None

    def _prepare(self, assign: Assign) -> TaskRun:
        """Make an execution the current one, also for cancel requests, of which some may have come before it."""
        if assign.in_environment:
            request = msgspec.structs.replace(assign.request, environment=self._environment)
            assign = msgspec.structs.replace(assign, request=request)
        run = TaskRun(self._loop, assign, self._say, self._may_say, self._config)
        with self._cancelling:
            self._run = run
            early = self._early_cancels.pop(run.key, ())
            self._early_cancels.clear()
        for axis_id in early:
            run.hub.request_cancel(axis_id)
        return run

    def _may_begin(self, assign: Assign) -> bool:
        return self._begun is None or self._begun.note(assign.number, assign.attempt)

    def _why_unfit(self, assign: Assign, run: TaskRun) -> str | None:
        """Why this process must not run the task, because of outdated code or a removed folder; None if it can.

        They are looked at once for all that was handed over at the same time, because it was submitted before that.
        """
        now = time.monotonic()
        if assign.wave == self._wave and now - self._looked_at <= _LOOK_AGAIN_SECONDS:
            return None
        self._wave, self._looked_at = assign.wave, now
        edited = self._modules.look()
        if edited is not None:
            return f"{edited} was edited since it was loaded"
        return None if run.is_in_its_folder() else "its working folder was removed or replaced"

    def _decline(self, run: TaskRun, reason: str) -> None:
        self._end(run, encode(run.not_run(reason)))
        self._loop.stop()
        self._loop.join()

    def _run_task(self, server: "ExecutionServer", run: TaskRun) -> bool:
        """Run a task and report its end; return whether another one can run in this process."""
        began = time.monotonic()
        self._meter.begin()
        with owning_process(run.hub.task):
            finished = run.execute(server.execute_task)
        self._exit_if_cut_off()
        usage = self._meter.end()
        self._capture.flush()
        finished = msgspec.structs.replace(
            finished,
            cpu_seconds=usage.cpu_seconds,
            peak_memory_bytes=usage.peak_memory_bytes,
            unclean=_clean(self._state.restore()) or self._capture.why_broken() or server.why_unfit(),
            seconds=time.monotonic() - began,
        )
        self._capture.flush()
        self._end(run, _packed(finished))
        return finished.unclean is None

    def _end(self, run: TaskRun, packed: bytes) -> None:
        """Send the end of a run, after all its output and reports; it has left this process on return."""
        self._capture.drain()
        self._drained.clear()
        if run.hub.seal():
            self._close(run, packed)
        else:
            self._loop.call_soon(lambda: self._close(run, packed))
            self._drained.wait()
        while self._stream.backlog and not self._over.is_set():
            self._drained.wait()
            self._drained.clear()

    def _close(self, run: TaskRun, packed: bytes) -> None:
        run.close()
        self._run = None
        self._stream.send(packed)

    def _exit_if_cut_off(self) -> None:
        """End the process if the task has closed descriptors without which its end cannot reach the server."""
        if not self._channel.are_whole:
            os._exit(CHANNEL_CLOSED)

    # --- the loop's thread, apart from _take_line, _on_drained and _say ------------------------------------------

    def _take_line(self, level: LogLevel, logger: str, text: str) -> None:
        """Handle a line printed or logged by this process or one started by its task; from any thread."""
        run = self._run
        if run is not None:
            run.hub.task.send_line(level, logger, text)
        else:
            os.write(self._capture.server_log, f"worker {os.getpid()}: {logger}: {text}\n".encode())

    def _on_drained(self) -> None:
        run = self._run
        if run is not None:
            run.hub.flush()
        self._drained.set()

    def _on_server_gone(self) -> None:
        """End immediately during a task, leaving the cleanup to the guard, otherwise cleanly."""
        if self._run is not None:
            self._exit_if_cut_off()
            os._exit(1)
        self._over.set()
        self._drained.set()
        self._inbox.end()

    def _on_frame(self, frame: bytes) -> None:
        match self._decode(frame):
            case CancelAssigned() as cancel:
                self._cancel(cancel)
            case Assign() as assign:
                self._inbox.put(assign)
            case Setup() as setup:
                self._config = setup.spec.config
                self._inbox.put(setup)

    def _cancel(self, cancel: CancelAssigned) -> None:
        key = cancel.execution_id, cancel.attempt
        with self._cancelling:
            run = self._run
            if run is None or run.key != key:
                self._early_cancels.setdefault(key, []).append(cancel.axis_id)
                return
        run.hub.request_cancel(cancel.axis_id)

    def _say(self, message: Message) -> None:
        self._stream.send(encode(message))

    def _may_say(self) -> bool:
        return self._stream.backlog < _STOP_REPORTS_ABOVE

    def _fail_to_start(self, reason: str) -> None:
        self._stream.send(encode(Ready(error=reason)))
        self._loop.stop()
        self._loop.join()
        sys.exit(1)


def _clean(text: str | None) -> str | None:
    return None if text is None else clean_text(text)


def _packed(finished: Finished) -> bytes:
    """Encode the end of a task; if that fails, encode a failure instead, because every task must have an end."""
    try:
        return encode(finished)
    except Exception as error:  # noqa: BLE001 - any exception is a failure of this task
        text = ascii(f"its outcome cannot be encoded: {describe_error(error)}")
        return encode(
            Finished(
                execution_id=finished.execution_id,
                attempt=finished.attempt,
                outcome=Outcome.FAILED,
                error=text,
                unclean=text,
            )
        )
