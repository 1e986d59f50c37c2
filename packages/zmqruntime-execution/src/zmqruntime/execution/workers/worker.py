"""A worker: loads the server's class once, then runs one task after the other."""

import logging
import os
import queue
import socket
import sys
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
from zmqruntime.execution.workers.capture import OutputCapture
from zmqruntime.execution.workers.descriptors import CHANNEL_CLOSED, Descriptors
from zmqruntime.execution.workers.frames import FrameStream
from zmqruntime.execution.workers.loaded_code import LoadedModules
from zmqruntime.execution.workers.process_state import WorkerState
from zmqruntime.execution.workers.task_run import TaskRun, describe_error
from zmqruntime.execution.workers.usage import UsageMeter
from zmqruntime.loop import SocketLoop
from zmqruntime.messages import LogLevel, Message

if TYPE_CHECKING:
    from zmqruntime.execution.server.server import ExecutionServer

__all__ = ["Worker"]

_STOP_REPORTS_ABOVE = 1024 * 1024


class Worker:
    """Runs the tasks that arrive on a socket, in the calling thread, until the other end is closed.

    Args:
        sock: The socket.
        modules: Tells whether the code that this process has loaded is still that of the files.
    """

    def __init__(self, sock: socket.socket, modules: LoadedModules) -> None:
        self._inbox: queue.SimpleQueue[Setup | TaskRun | None] = queue.SimpleQueue()
        self._decode: Decoder[ToWorker] = Decoder(ToWorker)
        self._run: TaskRun | None = None
        self._config = ZMQConfig()
        self._meter = UsageMeter()
        self._modules = modules
        self._loop = SocketLoop("worker")
        self._capture = OutputCapture(self._loop, self._take_line)
        logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[TaskLogHandler(self._take_line)])
        self._channel = Descriptors([sock.fileno(), *self._loop.descriptors])
        self._loop.at_end = self._on_server_gone  # also if a task has closed what the loop needs
        self._stream = FrameStream(self._loop, sock, self._on_frame, self._on_server_gone, self._on_drained)
        self._loop.start()

    def run(self) -> None:
        """Run until the server is gone; exit the process if its class cannot be loaded."""
        setup = self._inbox.get()
        if not isinstance(setup, Setup):
            return
        try:
            server = cast("ExecutionServer", setup.spec.build())
        except ZMQRuntimeError as error:
            self._fail_to_start(str(error))
        except BaseException as error:  # noqa: BLE001 - importing a module can raise anything
            self._fail_to_start(f"{setup.spec.target} cannot be loaded: {describe_error(error)}")
        self._state = WorkerState()
        self._send(Ready())
        while isinstance(run := self._inbox.get(), TaskRun):
            unfit = self._why_unfit(run)
            if unfit is not None:
                self._decline(run, unfit)
                return
            self._run_task(server, run)

    def _why_unfit(self, run: TaskRun) -> str | None:
        """Why this process must not run the task, because of outdated code or a removed folder; None if it can."""
        edited = self._modules.look()
        if edited is not None:
            return f"{edited} was edited since it was loaded"
        return None if run.is_in_its_folder() else "its working folder was removed or replaced"

    def _decline(self, run: TaskRun, reason: str) -> None:
        def close() -> None:
            self._run = None
            run.close()
            self._stream.send(encode(run.not_run(reason)))
            self._loop.stop()

        self._loop.call_soon(close)
        self._loop.join()

    def _run_task(self, server: "ExecutionServer", run: TaskRun) -> None:
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
        )
        self._capture.flush()
        packed = _packed(finished)

        def close() -> None:
            self._capture.drain()
            run.close()
            self._run = None
            self._stream.send(packed)

        self._loop.call_soon(close)

    def _exit_if_cut_off(self) -> None:
        """End the process if the task has closed descriptors without which its end cannot reach the server."""
        if not self._channel.are_whole:
            os._exit(CHANNEL_CLOSED)

    # --- the loop's thread, apart from _send and _take_line ------------------------------------------------------

    def _send(self, message: Message) -> None:
        data = encode(message)
        self._loop.call_soon(lambda: self._stream.send(data))

    def _take_line(self, level: LogLevel, logger: str, text: str) -> None:
        """Handle a line printed or logged by this process or one started by its task; from any thread."""
        run = self._run
        if run is not None:
            run.hub.task.send_line(level, logger, text)
        else:
            os.write(self._capture.server_log, f"worker {os.getpid()}: {logger}: {text}\n".encode())

    def _on_drained(self) -> None:
        if self._run is not None:
            self._run.hub.flush()

    def _on_server_gone(self) -> None:
        """End immediately during a task, leaving the cleanup to the guard, otherwise cleanly."""
        if self._run is not None:
            self._exit_if_cut_off()
            os._exit(1)
        self._inbox.put(None)

    def _on_frame(self, frame: bytes) -> None:
        match self._decode(frame):
            case CancelAssigned(axis_id=axis_id):
                if self._run is not None:
                    self._run.hub.request_cancel(axis_id)
            case Assign() as assign:  # created before it runs, so that a cancel right after it is noticed
                self._run = TaskRun(self._loop, assign, self._say, self._may_say, self._config)
                self._inbox.put(self._run)
            case Setup() as setup:
                self._config = setup.spec.config
                self._inbox.put(setup)

    def _say(self, message: Message) -> None:
        self._stream.send(encode(message))

    def _may_say(self) -> bool:
        return self._stream.backlog < _STOP_REPORTS_ABOVE

    def _fail_to_start(self, reason: str) -> None:
        self._send(Ready(error=reason))
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
