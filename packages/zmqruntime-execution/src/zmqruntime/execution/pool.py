"""The worker processes of a server: started, given one execution each, replaced when they end."""

import contextlib
import enum
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import Protocol

from zmqruntime.codec import Decoder, encode
from zmqruntime.config import ZMQConfig
from zmqruntime.execution.frames import FrameStream
from zmqruntime.execution.hub import task_socket_pattern
from zmqruntime.execution.worker_protocol import (
    FROM_STDIN,
    Assign,
    CancelAssigned,
    Finished,
    FromWorker,
    KeepCheckpoint,
    Ready,
    Setup,
    TaskReportsRaw,
)
from zmqruntime.identity import kill_tree
from zmqruntime.launch import ServerSpec
from zmqruntime.loop import SocketLoop

_GUARD_SECONDS = 1.0
_FAILED_STARTS = 3
_RESTART_SECONDS = 0.02
_LONGEST_RESTART_SECONDS = 10.0

__all__ = ["PoolListener", "WorkerHandle", "WorkerPool"]


class PoolListener(Protocol):
    """Who owns the pool; called on the loop's thread."""

    def on_reports(self, execution_id: str, reports: TaskReportsRaw) -> None:
        """A running task said something."""

    def on_checkpoint(self, execution_id: str, checkpoint: KeepCheckpoint) -> None:
        """A running task wants a value kept."""

    def on_finished(self, execution_id: str, finished: Finished) -> None:
        """A task ended; its worker is idle again."""

    def on_worker_lost(self, execution_id: str, how: str) -> None:
        """A worker process ended under a task."""

    def on_worker_ready(self) -> None:
        """A worker can be given an execution."""

    def on_worker_failed(self, reason: str) -> None:
        """A worker process could not be made ready."""


class WorkerState(enum.Enum):
    """What a worker is doing."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    ENDED = "ended"


class WorkerHandle:
    """One worker process as its server sees it."""

    def __init__(self, pool: "WorkerPool", spec: ServerSpec) -> None:
        self.state = WorkerState.STARTING
        self.execution_id: str | None = None
        self.failure: str | None = None
        self._pool = pool
        self._decode: Decoder[FromWorker] = Decoder(FromWorker)
        self._reaping = threading.Lock()
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = _start_process(theirs)
        self._stream = FrameStream(pool.loop, ours, self._on_frame, lambda: None)
        self._stream.send(encode(Setup(spec=spec)))
        self._waiter = threading.Thread(target=self._wait, name=f"worker-{self.process.pid}-wait", daemon=True)
        self._waiter.start()

    def reserve(self, execution_id: str) -> None:
        """Keep it for an execution that will be assigned as soon as that is on disk."""
        self.state = WorkerState.BUSY
        self.execution_id = execution_id

    def release(self) -> None:
        """It will not be assigned after all."""
        self.state, self.execution_id = WorkerState.IDLE, None

    def assign(self, assign: Assign) -> None:
        """Let it run the execution that it was reserved for."""
        self._stream.send(encode(assign))

    def cancel(self, axis_id: str | None) -> None:
        """Pass a wish to stop on to the task."""
        self._stream.send(encode(CancelAssigned(axis_id=axis_id)))

    def pause(self) -> None:
        """Leave what it says in the pipe, so that it waits, and merges progress, on its own side."""
        self._stream.pause()

    def resume(self) -> None:
        """Listen again."""
        self._stream.resume()

    def hang_up(self) -> None:
        """Let an idle worker end by itself."""
        self._stream.close()

    def kill(self) -> None:
        """End the process and all that descends from it, at once: its guard does it, or we do if that one cannot."""
        with self._reaping:
            if self.process.returncode is None and os.name == "posix":
                self.process.terminate()
        self._pool.loop.call_later(_GUARD_SECONDS, self.kill_tree)

    def kill_tree(self) -> None:
        """End all processes that can be found, the guard among them."""
        with self._reaping:
            if self.process.returncode is None:
                kill_tree(self.process.pid)

    def join(self) -> None:
        """Wait until the process has been reaped, and release what is ours of it."""
        self._waiter.join(2 * _GUARD_SECONDS)
        self.kill_tree()
        self._waiter.join()
        self._stream.close()

    def _wait(self) -> None:
        pid = self.process.pid
        if not hasattr(os, "waitid"):
            self.process.wait()
        else:
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with self._reaping:
            _kill_group(pid)
            self.process.wait()
        self._pool.loop.call_soon(self._on_exit)

    def _on_exit(self) -> None:
        self._stream.receive()  # what it said before it ended comes first
        self._stream.close()
        self._pool.forget(self)

    def _on_frame(self, frame: bytes) -> None:
        listener, execution_id = self._pool.listener, self.execution_id or ""
        match self._decode(frame):
            case Ready(error=error):
                self.failure = error
                if error is None:
                    self.state = WorkerState.IDLE
                    self._pool.note_ready()
            case TaskReportsRaw() as reports:
                listener.on_reports(execution_id, reports)
            case KeepCheckpoint() as checkpoint:
                listener.on_checkpoint(execution_id, checkpoint)
            case Finished() as finished:
                self.state, self.execution_id = WorkerState.IDLE, None
                listener.on_finished(execution_id, finished)


class WorkerPool:
    """Keeps ``size`` worker processes; all calls on the loop's thread.

    Attributes:
        listener: hears what the workers say; set it before :meth:`fill`.
    """

    def __init__(self, loop: SocketLoop, spec: ServerSpec, size: int, config: ZMQConfig) -> None:
        self.loop = loop
        self.listener: PoolListener
        self._spec = spec
        self._size = size
        self._config = config
        self._workers: list[WorkerHandle] = []
        self._closing = False
        self._failed_starts = 0

    def fill(self) -> None:
        """Start the workers that are missing."""
        while len(self._workers) < self._size and not self._closing:
            self._workers.append(WorkerHandle(self, self._spec))

    def idle(self) -> WorkerHandle | None:
        """A worker that can be given an execution."""
        return next((worker for worker in self._workers if worker.state is WorkerState.IDLE), None)

    def running(self, execution_id: str) -> WorkerHandle | None:
        """The worker that runs the execution."""
        return next((worker for worker in self._workers if worker.execution_id == execution_id), None)

    def pause(self) -> None:
        """Do not listen to the workers for a while."""
        for worker in self._workers:
            worker.pause()

    def resume(self) -> None:
        """Listen to them again."""
        for worker in self._workers:
            worker.resume()

    def __len__(self) -> int:
        return len(self._workers)

    def forget(self, worker: WorkerHandle) -> None:
        """A worker's process has ended: say so, and start another."""
        self._workers.remove(worker)
        state, worker.state = worker.state, WorkerState.ENDED
        self._sweep(worker.process.pid)
        if self._closing:
            return
        how = _describe_exit(worker.process.returncode)
        if state is WorkerState.STARTING:
            self._on_failed_start(worker.failure, how)
            return
        if worker.execution_id is not None:
            self.listener.on_worker_lost(worker.execution_id, how)
        self.fill()

    def note_ready(self) -> None:
        """A worker has loaded all that it needs."""
        self._failed_starts = 0
        self.listener.on_worker_ready()

    def _on_failed_start(self, failure: str | None, how: str) -> None:
        """Try again, ever less often; what says why it cannot load, or fails time after time, is worth an execution."""
        self._failed_starts += 1
        if failure is not None or self._failed_starts >= _FAILED_STARTS:
            self.listener.on_worker_failed(failure or f"the worker process {how} while it was starting")
        self.loop.call_later(min(_RESTART_SECONDS * 2.0**self._failed_starts, _LONGEST_RESTART_SECONDS), self.fill)

    def close(self) -> None:
        """End all workers with their descendants, idle ones in good order, and wait for them."""
        self._closing = True
        workers, self._workers = self._workers, []
        for worker in workers:
            if worker.state is WorkerState.IDLE:
                worker.hang_up()
            else:
                worker.kill()
        for worker in workers:
            worker.join()
            self._sweep(worker.process.pid)

    def _sweep(self, pid: int) -> None:
        """Remove the sockets that a killed worker could not remove itself."""
        folder = self._config.home / self._config.ipc_socket_dir
        for path in folder.glob(task_socket_pattern(pid)):
            path.unlink(missing_ok=True)


def _kill_group(pid: int) -> None:
    """Kill what is left of the process group that a worker leads, before the worker is reaped and its pid free."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def _start_process(theirs: socket.socket) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-P", "-m", "zmqruntime.execution.worker_process"]
    if sys.platform == "win32":
        process = subprocess.Popen([*command, FROM_STDIN], stdin=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(theirs.share(process.pid))
        process.stdin.close()
        return process
    descriptor = theirs.fileno()
    return subprocess.Popen(
        [*command, str(descriptor)],
        stdin=subprocess.DEVNULL,
        pass_fds=(descriptor,),
        start_new_session=True,
    )


def _describe_exit(code: int) -> str:
    if code < 0:
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"
    return f"ended with exit code {code}"
