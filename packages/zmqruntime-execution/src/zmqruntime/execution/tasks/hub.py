"""The hub of an execution: all its reports pass through it and are numbered there, also those of other processes.

The process that runs a task has the hub. Other processes, such as those of a pool, join it over their own socket.
"""

import contextlib
import errno
import functools
import itertools
import os
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping

import msgspec
import zmq

from zmqruntime.codec import Decoder, encode
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.exceptions import MessageError
from zmqruntime.execution.callbacks import call_guarded
from zmqruntime.execution.tasks.cancel import CancelFlags
from zmqruntime.execution.tasks.outbox import PendingReports
from zmqruntime.execution.tasks.task import Task, TaskLink, TaskReport, entered
from zmqruntime.loop import SocketLoop, receive_ready
from zmqruntime.messages import LogLine, Message, ProgressUpdate
from zmqruntime.transport import LOOPBACK, get_default_transport_mode, prepare_private_dir

__all__ = [
    "TaskHub",
    "local_task",
    "sweep_task_sockets",
    "task_socket_pattern",
]


_LINGER_MS = 1000
_REPORTS_AT_ONCE = 200
_CHARACTERS_AT_ONCE = 256 * 1024


class Hello(Message, frozen=True, kw_only=True, tag="hello"):
    """Sent by a process that joins; the token proves that it was given the link."""

    token: str


class Welcome(Message, frozen=True, kw_only=True, tag="welcome"):
    """State of the task, sent to a process that joins."""

    cancelled: bool
    cancelled_axes: list[str]
    checkpoints: dict[str, msgspec.Raw]


class Reports(Message, frozen=True, kw_only=True, tag="reports"):
    """Progress updates and log lines that are not numbered yet."""

    reports: list[ProgressUpdate | LogLine]


class Checkpoint(Message, frozen=True, kw_only=True, tag="checkpoint"):
    """A value to keep for a resumed execution."""

    key: str
    value: msgspec.Raw


class Cancel(Message, frozen=True, kw_only=True, tag="cancel_task"):
    """A request to stop one axis, or everything (None). Sent in both directions."""

    axis_id: str | None


class Leave(Message, frozen=True, kw_only=True, tag="leave"):
    """A joined process is done; sent back once all its earlier messages have been processed."""


ToHub = Hello | Reports | Checkpoint | Cancel | Leave
FromHub = Welcome | Cancel | Leave

_decode: Decoder[ToHub] = Decoder(ToHub)


class TaskHub:
    """Numbers the reports of one execution and passes them, in order, to ``deliver`` on the loop's thread.

    Args:
        loop: A running loop; the hub adds its socket to it when a link is requested.
        execution_id: Id of the execution, for the task and its links.
        plate_id: Label of what the task works on.
        deliver: Receives lists of numbered reports.
        on_checkpoint: Receives checkpoints to keep, on the loop's thread.
        may_deliver: Called before each delivery; while it returns False, reports wait here and are merged if there
            are many.
        checkpoints: Checkpoints of an interrupted run.
        numbered: Numbers of progress updates and of log lines that the execution has had so far.
        config: Determines the folder for sockets.
    """

    def __init__(
        self,
        loop: SocketLoop,
        execution_id: str,
        plate_id: str,
        deliver: Callable[[list[TaskReport]], None],
        *,
        on_checkpoint: Callable[[str, msgspec.Raw], None] = lambda key, value: None,
        may_deliver: Callable[[], bool] = lambda: True,
        checkpoints: Mapping[str, msgspec.Raw] | None = None,
        numbered: tuple[int, int] = (0, 0),
        config: ZMQConfig | None = None,
    ) -> None:
        self.flags = CancelFlags()
        self.task = Task(execution_id, plate_id, self, self.flags, checkpoints)
        self._loop = loop
        self._deliver = deliver
        self._on_checkpoint = on_checkpoint
        self._may_deliver = may_deliver
        self._config = config or ZMQConfig()
        self._lock = threading.Lock()
        self._pending = PendingReports()
        self._progress_numbers = itertools.count(numbered[0] + 1)
        self._log_numbers = itertools.count(numbered[1] + 1)
        self._stack = contextlib.ExitStack()
        self._link: TaskLink | None = None
        self._joined: set[bytes] = set()
        self._is_closed = False
        self._delivering = threading.RLock()
        self._is_delivering = False

    # --- TaskChannel, from any thread ----------------------------------------------------------------------------

    def report(self, report: TaskReport) -> None:
        """Accept a report; it is dropped after the task has ended."""
        if self._is_closed:
            return
        self.task.pass_to_listeners(report)
        if self._pending.add_report(report):
            self._loop.call_soon(self.flush)

    def request_cancel(self, axis_id: str | None) -> None:
        """Set the flag here and in all joined processes."""
        self.flags.set(axis_id)
        self._loop.call_soon(lambda: self._broadcast(Cancel(axis_id=axis_id)))

    def save_checkpoint(self, key: str, value: msgspec.Raw) -> None:
        """Pass on a value to keep, ahead of all reports made after it."""
        if self._pending.add_checkpoint(key, value):
            self._loop.call_soon(self.flush)

    def link(self) -> TaskLink:
        """Return a link for other processes; the first call opens the socket."""
        with self._lock:
            if self._is_closed:
                raise RuntimeError(f"execution {self.task.execution_id} has ended, so it cannot be joined")
            if self._link is None:
                self._link = self._listen()
            return self._link

    def seal(self) -> bool:
        """Accept nothing more; return whether :meth:`close` can be called on any thread, because there is no link."""
        with self._lock:
            self._is_closed = self._link is None
            return self._is_closed

    # --- on the loop's thread; without a link, on any one ---------------------------------------------------------

    def flush(self) -> None:
        """Number and deliver all waiting reports, if there is room for them."""
        if self._may_deliver():
            self._deliver_pending()

    def close(self) -> None:
        """Deliver all waiting reports and close the socket; no process can join any more. Idempotent."""
        with self._lock:
            self._is_closed = True
        self._deliver_pending()
        self._joined.clear()
        self._stack.close()

    def _deliver_pending(self) -> None:
        with self._delivering:
            if self._is_delivering:  # a delivery that is sent at once triggers another flush from inside this one
                return
            self._is_delivering = True
            try:
                checkpoints, reports = self._pending.take()
                for key, value in checkpoints.items():
                    self._on_checkpoint(key, value)
                for some in _parcels(reports):
                    self._deliver([self._number(report) for report in some])
            finally:
                self._is_delivering = False

    def _number(self, report: TaskReport) -> TaskReport:
        numbers = self._progress_numbers if isinstance(report, ProgressUpdate) else self._log_numbers
        return msgspec.structs.replace(report, sequence=next(numbers))

    def _listen(self) -> TaskLink:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        sock = context.socket(zmq.ROUTER)
        sock.linger = _LINGER_MS
        if get_default_transport_mode() is TransportMode.IPC:
            folder = prepare_private_dir(self._config.home / self._config.ipc_socket_dir)
            path = folder / task_socket_pattern(_group()).replace("*", secrets.token_hex(4))
            sock.bind(f"ipc://{path}")
            self._stack.callback(path.unlink, missing_ok=True)
        else:
            sock.bind(f"tcp://{LOOPBACK}:*")
        self._stack.callback(context.term)
        self._stack.callback(sock.close)
        self._stack.callback(self._loop.remove, sock)
        self._socket = sock
        self._loop.call_soon(lambda: self._loop.add_reader(sock, self._on_readable))
        return TaskLink(
            url=sock.getsockopt_string(zmq.LAST_ENDPOINT),
            token=secrets.token_hex(16),
            execution_id=self.task.execution_id,
            plate_id=self.task.plate_id,
        )

    def _on_readable(self) -> None:
        for peer, *body in receive_ready(self._socket):
            with contextlib.suppress(MessageError):  # a peer that does not speak the protocol was not given the link
                message = _decode(body[-1])
                if peer in self._joined or isinstance(message, Hello):
                    self._on_message(peer, message)

    def _on_message(self, peer: bytes, message: ToHub) -> None:
        match message:
            case Hello(token=token):
                if self._link is not None and secrets.compare_digest(token, self._link.token):
                    self._joined.add(peer)
                    self._send(peer, self._welcome())
            case Reports(reports=reports):
                for report in reports:
                    self.report(report)
            case Checkpoint(key=key, value=value):
                self.task.keep_packed(key, value.copy())
            case Cancel(axis_id=axis_id):
                self.flags.set(axis_id)
                self._broadcast(message)
            case Leave():
                self._joined.discard(peer)
                self._send(peer, message)

    def _welcome(self) -> Welcome:
        return Welcome(
            cancelled=self.flags.is_set(None),
            cancelled_axes=self.flags.axes(),
            checkpoints=self.task.packed_checkpoints(),
        )

    def _broadcast(self, message: Cancel) -> None:
        for peer in self._joined:
            self._send(peer, message)

    def _send(self, peer: bytes, message: FromHub) -> None:
        self._socket.send_multipart([peer, encode(message)], zmq.NOBLOCK)


def _parcels(reports: list[TaskReport]) -> Iterator[list[TaskReport]]:
    """Split the reports, in order, into parts that fit into one message each."""
    parcel: list[TaskReport] = []
    size = 0
    for report in reports:
        parcel.append(report)
        size += _length_of(report)
        if len(parcel) >= _REPORTS_AT_ONCE or size > _CHARACTERS_AT_ONCE:
            yield parcel
            parcel, size = [], 0
    if parcel:
        yield parcel


def _length_of(report: TaskReport) -> int:
    if isinstance(report, LogLine):
        return len(report.text)
    return sum(len(text or "") for text in (report.message, report.error, report.traceback, report.pattern))


@contextlib.contextmanager
def local_task(
    on_event: Callable[[TaskReport], None] | None = None,
    *,
    plate_id: str = "",
    config: ZMQConfig | None = None,
    execution_id: str | None = None,
    numbered: tuple[int, int] = (0, 0),
) -> Iterator[Task]:
    """Run the block as a task of this process, without a server.

    Args:
        on_event: Called with each progress update and log line, in order, in a separate thread.
        plate_id: Label of what the task works on.
        config: Determines the folder for sockets, in case a link is requested.
        execution_id: Id of the task; a new one by default.
        numbered: Numbers of progress updates and of log lines that the execution has had so far.

    Yields:
        The task.
    """
    loop = SocketLoop("local-task")

    def deliver(reports: list[TaskReport]) -> None:
        for report in reports:
            if on_event is not None:
                call_guarded(functools.partial(on_event, report))

    own_id = execution_id or secrets.token_hex(16)
    hub = TaskHub(loop, own_id, plate_id, deliver, numbered=numbered, config=config)
    loop.at_end = hub.close
    loop.start()
    try:
        with entered(hub.task):
            yield hub.task
    finally:
        loop.stop()
        loop.join()


def sweep_task_sockets(config: ZMQConfig) -> None:
    """Remove the sockets of tasks whose process was killed: those with no listener."""
    for path in (config.home / config.ipc_socket_dir).glob(task_socket_pattern("*")):
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == errno.ECONNREFUSED:
                path.unlink(missing_ok=True)


def task_socket_pattern(group: int | str) -> str:
    """Return the pattern of the socket files of a process group; for a worker, the group is its guard's process id."""
    return f"task-{group}-*.sock"


def _group() -> int:
    return os.getpid() if sys.platform == "win32" else os.getpgrp()
