"""A worker that is a process of its own, which nothing that its tasks do can make outlive its server."""

import contextlib
import errno
import logging
import math
import os
import signal
import socket
import subprocess
import sys
import threading

from zmqruntime.codec import Decoder, encode
from zmqruntime.environment import TaskEnvironment
from zmqruntime.exceptions import MessageError
from zmqruntime.execution.events.worker_messages import FROM_STDIN, Assign, CancelAssigned, Finished, FromWorker, Setup
from zmqruntime.execution.task.hub import task_socket_pattern
from zmqruntime.execution.workers.frames import FrameStream
from zmqruntime.execution.workers.orphans import end_orphans, started_at
from zmqruntime.execution.workers.pool import BadEnvironmentError, WorkerHandle, WorkerPool, WorkerState
from zmqruntime.identity import exit_text, kill_tree
from zmqruntime.launch import ServerSpec

__all__ = ["ProcessWorker"]

_log = logging.getLogger(__name__)

_GUARD_SECONDS = 1.0
_MAX_FRAME_BYTES = 64 * 1024 * 1024


class ProcessWorker(WorkerHandle):
    """One worker process.

    Args:
        pool: whose worker it is.
        environment: what the process is started with; None for the server's own.
        spec: how the process makes its own object of the server's class.
        own_variables: those of the server's own environment; None to pass on what this process has.

    Raises:
        OSError: it cannot be started now.
        BadEnvironmentError: it can never be started in that environment.
    """

    def __init__(
        self,
        pool: WorkerPool,
        environment: TaskEnvironment | None,
        spec: ServerSpec,
        own_variables: dict[str, str] | None,
    ) -> None:
        super().__init__(pool, environment)
        self._config = spec.config
        self._decode: Decoder[FromWorker] = Decoder(FromWorker)
        self._reaping = threading.Lock()
        self._is_killed = False
        self._nonsense = ""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self.process = _start_process(theirs, environment, own_variables)
        except BaseException:
            ours.close()
            raise
        self._began = started_at(self.process.pid)
        self._stream = FrameStream(
            pool.loop,
            ours,
            self._on_frame,
            lambda: None,
            on_nonsense=self._on_nonsense,
            max_frame_bytes=_MAX_FRAME_BYTES,
        )
        self._stream.send(encode(Setup(spec=spec)))
        self._waiter = threading.Thread(target=self._wait, name=f"worker-{self.process.pid}-wait", daemon=True)
        try:
            self._waiter.start()
        except RuntimeError as error:  # no more threads may be started
            kill_tree(self.process.pid)
            self.process.wait()
            self._stream.close()
            raise OSError(errno.EAGAIN, str(error)) from error

    @property
    def gave_up(self) -> bool:
        """Whether it ended by itself, and was not killed."""
        return (self.process.returncode or 0) > 0

    def pause(self) -> None:
        """Leave what it says in the pipe."""
        self._stream.pause()

    def resume(self) -> None:
        """Listen again."""
        self._stream.resume()

    def kill(self) -> None:
        """End the process and all that descends from it, at once: its guard does it, or we do if that one cannot."""
        self._is_killed = True
        with self._reaping:
            if self.process.returncode is None and os.name == "posix":
                self.process.terminate()
        self._pool.loop.call_later(_GUARD_SECONDS, self._kill_tree)

    def end(self) -> None:
        """Let an idle worker end by itself, and kill another."""
        if self.state is WorkerState.IDLE:
            self._stream.close()
        else:
            self.kill()

    def join(self) -> None:
        """Wait until the process has been reaped, and release what is ours of it."""
        self._waiter.join(2 * _GUARD_SECONDS)
        self._kill_tree()
        self._waiter.join()
        self._stream.close()
        self._sweep()

    def _give(self, assign: Assign) -> None:
        self._stream.send(encode(assign))

    def _pass_on(self, axis_id: str | None) -> None:
        self._stream.send(encode(CancelAssigned(axis_id=axis_id)))

    def _kill_tree(self) -> None:
        """End all processes that can be found, the guard among them."""
        with self._reaping:
            if self.process.returncode is None:
                kill_tree(self.process.pid)

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
        try:
            self._stream.receive(math.inf)  # what it said before it ended comes first
            self._stream.close()
            self._sweep()
            self._end_what_is_left()
        finally:
            self._pool.forget(self, self._nonsense or f"ended: {exit_text(self.process.returncode)}")

    def _end_what_is_left(self) -> None:
        """Its guard ends all that its tasks started, unless somebody killed the guard."""
        if self.process.returncode == -signal.SIGKILL:
            ended = end_orphans({self.process.pid, *self._pool.pids}, self._began)
            if ended:
                _log.warning("ended %s, which the killed worker %d had left", ended, self.process.pid)

    @property
    def pid(self) -> int:
        """Of its process."""
        return self.process.pid

    def _on_frame(self, frame: bytes) -> None:
        try:
            message = self._decode(frame)
        except MessageError as error:
            self._on_nonsense(f"sent what cannot be read ({error})")
            return
        if self._is_killed and isinstance(message, Finished):
            return  # it will never be idle again; what it ran ends with it, when nothing of it is left
        try:
            self._hear(message)
        except Exception:  # noqa: BLE001 - whatever it is, it must not become the next execution's
            _log.exception("a message of worker %d could not be handled", self.process.pid)
            self._on_nonsense("sent what could not be handled; the log of the server says why")

    def _on_nonsense(self, how: str) -> None:
        """Nothing that it says can be trusted any more: it ends, and its execution with it."""
        self._nonsense = self._nonsense or how
        _log.error("worker %d %s and is ended", self.process.pid, how)
        self.kill()

    def _sweep(self) -> None:
        """Remove the sockets that a killed worker could not remove itself; the next start of a server tries again."""
        folder = self._config.home / self._config.ipc_socket_dir
        with contextlib.suppress(OSError):
            for path in folder.glob(task_socket_pattern(self.process.pid)):
                path.unlink(missing_ok=True)


def _kill_group(pid: int) -> None:
    """Kill what is left of the process group that a worker leads, before the worker is reaped and its pid free."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def _start_process(
    theirs: socket.socket, environment: TaskEnvironment | None, own_variables: dict[str, str] | None
) -> "subprocess.Popen[bytes]":
    if environment is None:
        return _popen(theirs, own_variables, None)
    try:
        return _popen(theirs, environment.variables, environment.folder)
    except OSError as error:
        if error.filename == environment.folder:
            text = f"its working folder {environment.folder} cannot be used: {error.strerror}"
            raise BadEnvironmentError(f"{text}; make it again, or submit from another folder") from error
        if error.errno == errno.E2BIG:
            raise BadEnvironmentError("its environment variables are too long for this system; unset some") from error
        raise


def _popen(theirs: socket.socket, variables: dict[str, str] | None, folder: str | None) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-P", "-m", "zmqruntime.execution.workers.main"]
    if sys.platform == "win32":
        process = subprocess.Popen([*command, FROM_STDIN], stdin=subprocess.PIPE, env=variables, cwd=folder)
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
        env=variables,
        cwd=folder,
    )
