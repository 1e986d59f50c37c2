"""What a worker does: load the server's class once, then run one task after the other."""

import functools
import logging
import os
import queue
import socket
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from zmqruntime.codec import Decoder, encode
from zmqruntime.exceptions import ZMQRuntimeError
from zmqruntime.execution.capture import OutputCapture, TaskLogHandler
from zmqruntime.execution.exceptions import TaskCancelled, TaskFailed
from zmqruntime.execution.frames import FrameStream
from zmqruntime.execution.hub import TaskHub
from zmqruntime.execution.logfile import LogFile
from zmqruntime.execution.task import TaskReport, entered
from zmqruntime.execution.usage import UsageMeter
from zmqruntime.execution.worker_protocol import (
    Assign,
    CancelAssigned,
    Finished,
    KeepCheckpoint,
    Outcome,
    Ready,
    Setup,
    TaskReports,
    ToWorker,
)
from zmqruntime.loop import SocketLoop
from zmqruntime.messages import LogLevel, LogLine, Message

if TYPE_CHECKING:
    from zmqruntime.execution.server import ExecutionServer

__all__ = ["Worker"]

_STOP_REPORTS_ABOVE = 1024 * 1024
_MAX_ERROR_CHARACTERS = 4_000
_MAX_TRACEBACK_CHARACTERS = 40_000


class Worker:
    """Runs the tasks that arrive on ``sock``, in the calling thread, until the other end is gone."""

    def __init__(self, sock: socket.socket) -> None:
        self._inbox: queue.SimpleQueue[Setup | Assign | None] = queue.SimpleQueue()
        self._decode: Decoder[ToWorker] = Decoder(ToWorker)
        self._hub: TaskHub | None = None
        self._log: LogFile | None = None
        self._meter = UsageMeter()
        self._loop = SocketLoop("worker")
        self._capture = OutputCapture(self._loop, self._take_line)
        logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[TaskLogHandler(self._take_line)])
        self._stream = FrameStream(self._loop, sock, self._on_frame, self._on_server_gone, self._on_drained)
        self._loop.start()

    def run(self) -> None:
        """Return when the server is gone; exit if its class cannot be loaded."""
        setup = self._inbox.get()
        if not isinstance(setup, Setup):
            return
        try:
            server = cast("ExecutionServer", setup.spec.build())
        except ZMQRuntimeError as error:
            self._fail_to_start(str(error))
        except BaseException as error:  # noqa: BLE001 - whatever a module raises when it is imported
            self._fail_to_start(f"{setup.spec.target} cannot be loaded: {_describe(error)}")
        self._send(Ready())
        while isinstance(assign := self._inbox.get(), Assign):
            self._run_task(server, assign)

    def _run_task(self, server: "ExecutionServer", assign: Assign) -> None:
        request = assign.request
        hub = TaskHub(
            self._loop,
            request.submission_id,
            request.plate_id,
            functools.partial(self._deliver, [assign.progress_count, assign.log_count]),
            on_checkpoint=lambda key, value: self._stream.send(encode(KeepCheckpoint(key=key, value=value))),
            may_deliver=lambda: self._stream.backlog < _STOP_REPORTS_ABOVE,
            checkpoints=assign.checkpoints,
            numbered=(assign.progress_count, assign.log_count),
            config=server.config,
        )
        self._log = LogFile(Path(assign.log_path), assign.log_limit)
        self._hub = hub
        self._meter.begin()
        finished = self._outcome(server, hub, request.submission_id, assign)
        usage = self._meter.end()
        finished = msgspec.structs.replace(
            finished, cpu_seconds=usage.cpu_seconds, peak_memory_bytes=usage.peak_memory_bytes
        )
        self._capture.flush()

        def close() -> None:
            self._capture.drain()
            hub.close()
            self._hub = None
            if self._log is not None:
                self._log.close()
            self._stream.send(encode(finished))

        self._loop.call_soon(close)

    def _outcome(self, server: "ExecutionServer", hub: TaskHub, execution_id: str, assign: Assign) -> Finished:
        try:
            with entered(hub.task):
                result = server.execute_task(execution_id, assign.request)
            encode(result)  # here, so that what cannot travel is the task's failure and not the worker's
        except TaskFailed as error:
            return Finished(outcome=Outcome.FAILED, error=str(error), result=error.result)
        except TaskCancelled as error:
            if hub.flags.is_set(None):
                return Finished(outcome=Outcome.CANCELLED, error=str(error))
            return _failure(error)
        except BaseException as error:  # noqa: BLE001 - also SystemExit: a task must not end its worker
            return _failure(error)
        return Finished(outcome=Outcome.COMPLETE, result=result)

    # --- the loop's thread, apart from _send ---------------------------------------------------------------------

    def _send(self, message: Message) -> None:
        data = encode(message)
        self._loop.call_soon(lambda: self._stream.send(data))

    def _deliver(self, counts: list[int], reports: list[TaskReport]) -> None:
        for report in reports:
            counts[isinstance(report, LogLine)] = report.sequence
        lines = [report for report in reports if isinstance(report, LogLine)]
        if lines and self._log is not None:
            self._log.write(lines)
        self._stream.send(encode(TaskReports(reports=reports, progress_count=counts[0], log_count=counts[1])))

    def _take_line(self, level: LogLevel, logger: str, text: str) -> None:
        """A line that this process, or one that its task started, printed or logged; from any thread."""
        hub = self._hub
        if hub is not None:
            hub.task.send_line(level, logger, text)
        else:
            os.write(self._capture.server_log, f"worker {os.getpid()}: {logger}: {text}\n".encode())

    def _on_drained(self) -> None:
        if self._hub is not None:
            self._hub.flush()

    def _on_server_gone(self) -> None:
        """End: at once in the middle of a task, whose remains the guard sees to, else in good order."""
        if self._hub is not None:
            os._exit(1)
        self._inbox.put(None)

    def _on_frame(self, frame: bytes) -> None:
        match self._decode(frame):
            case CancelAssigned(axis_id=axis_id):
                if self._hub is not None:
                    self._hub.request_cancel(axis_id)
            case Setup() | Assign() as message:
                self._inbox.put(message)

    def _fail_to_start(self, reason: str) -> None:
        self._send(Ready(error=reason))
        self._loop.stop()
        self._loop.join()
        sys.exit(1)


def _failure(error: BaseException) -> Finished:
    text = "".join(traceback.format_exception(error))
    return Finished(
        outcome=Outcome.FAILED,
        error=_describe(error),
        traceback=text[-_MAX_TRACEBACK_CHARACTERS:],
    )


def _describe(error: BaseException) -> str:
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return text[:_MAX_ERROR_CHARACTERS]
