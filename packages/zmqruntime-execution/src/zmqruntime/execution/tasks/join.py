"""Joining a task of another process on this machine, over the socket of the task's hub."""

import concurrent.futures
import contextlib
from collections import deque
from collections.abc import Iterator

import msgspec
import zmq

from zmqruntime.codec import Decoder, encode
from zmqruntime.exceptions import ConnectionFailedError
from zmqruntime.execution.tasks.cancel import CancelFlags
from zmqruntime.execution.tasks.hub import Cancel, Checkpoint, FromHub, Hello, Leave, Reports, ToHub, Welcome
from zmqruntime.execution.tasks.outbox import PendingReports
from zmqruntime.execution.tasks.task import Task, TaskLink, TaskReport, entered
from zmqruntime.loop import SocketLoop, receive_ready

__all__ = ["join_task"]

_JOIN_SECONDS = 10.0


@contextlib.contextmanager
def join_task(link: TaskLink) -> Iterator[Task]:
    """Join a task of another process on this machine: within the block, ``current_task()`` returns that task.

    When the block ends, everything reported in it has reached the task's own process.

    Args:
        link: Link from :meth:`Task.link` in the other process.

    Yields:
        The task.

    Raises:
        ConnectionFailedError: The other process does not answer because the task has ended.
    """
    loop = SocketLoop("task-member")
    member = _Member(loop, link)
    loop.start()
    try:
        try:
            welcome = member.welcome.result(_JOIN_SECONDS)
        except TimeoutError as error:
            raise ConnectionFailedError(f"task {link.execution_id} does not answer at {link.url}") from error
        task = Task(link.execution_id, link.plate_id, member, member.flags, welcome.checkpoints)
        try:
            with entered(task):
                yield task
        finally:
            with contextlib.suppress(TimeoutError):
                member.leave()
    finally:
        loop.stop()
        loop.join()


class _Member:
    """The channel of a task in a process that joined it."""

    def __init__(self, loop: SocketLoop, link: TaskLink) -> None:
        self.flags = CancelFlags()
        self.welcome: concurrent.futures.Future[Welcome] = concurrent.futures.Future()
        self.left: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._link = link
        self._loop = loop
        self._pending = PendingReports()
        self._outbox: deque[bytes] = deque()
        self._decode: Decoder[FromHub] = Decoder(FromHub)
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = context.socket(zmq.DEALER)
        self._socket.linger = 0
        self._socket.connect(link.url)
        stack = contextlib.ExitStack()
        stack.callback(context.term)
        stack.callback(self._socket.close)
        loop.at_end = stack.close
        loop.add_reader(self._socket, self._on_readable)
        loop.call_soon(lambda: self._send(Hello(token=link.token)))

    def report(self, report: TaskReport) -> None:
        """Pass the report to the hub, together with other waiting ones."""
        if self._pending.add_report(report):
            self._loop.call_soon(self._flush)

    def request_cancel(self, axis_id: str | None) -> None:
        """Send the request to the hub, which forwards it to all other processes."""
        self._loop.call_soon(lambda: self._send(Cancel(axis_id=axis_id)))

    def save_checkpoint(self, key: str, value: msgspec.Raw) -> None:
        """Pass the value to the hub, ahead of all reports made after it."""
        if self._pending.add_checkpoint(key, value):
            self._loop.call_soon(self._flush)

    def link(self) -> TaskLink:
        """Return the link this process joined with."""
        return self._link

    def leave(self) -> None:
        """Wait until the hub has processed all messages of this process."""
        self._loop.call_soon(self._flush)
        self._loop.call_soon(lambda: self._send(Leave()))
        self.left.result(_JOIN_SECONDS)

    def _flush(self) -> None:
        if self._outbox:
            return  # the hub is behind: reports wait and are merged until it has caught up
        checkpoints, reports = self._pending.take()
        for key, value in checkpoints.items():
            self._outbox.append(encode(Checkpoint(key=key, value=value)))
        if reports:
            self._outbox.append(encode(Reports(reports=reports)))
        if self._outbox:
            self._drain()

    def _send(self, message: ToHub) -> None:
        self._outbox.append(encode(message))
        self._drain()

    def _drain(self) -> None:
        while self._outbox:
            try:
                self._socket.send(self._outbox[0], zmq.NOBLOCK)
            except zmq.Again:
                self._loop.add_writer(self._socket, self._drain)
                return
            self._outbox.popleft()
        self._loop.remove_writer(self._socket)
        self._flush()

    def _on_readable(self) -> None:
        for frames in receive_ready(self._socket):
            match self._decode(frames[-1]):
                case Welcome() as welcome:
                    if welcome.cancelled:
                        self.flags.set(None)
                    for axis_id in welcome.cancelled_axes:
                        self.flags.set(axis_id)
                    self.welcome.set_result(welcome)
                case Cancel(axis_id=axis_id):
                    self.flags.set(axis_id)
                case Leave():
                    self.left.set_result(None)
