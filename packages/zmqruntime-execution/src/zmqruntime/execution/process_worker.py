"""A worker that is a process of its own, which nothing that its tasks do can make outlive its server."""

import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
import threading

from zmqruntime.codec import Decoder, encode
from zmqruntime.execution.frames import FrameStream
from zmqruntime.execution.hub import task_socket_pattern
from zmqruntime.execution.pool import WorkerHandle, WorkerPool, WorkerState
from zmqruntime.execution.worker_protocol import FROM_STDIN, Assign, CancelAssigned, Finished, FromWorker, Setup
from zmqruntime.identity import kill_tree
from zmqruntime.launch import ServerSpec

__all__ = ["ProcessWorker"]

_GUARD_SECONDS = 1.0


class ProcessWorker(WorkerHandle):
    """One worker process.

    Args:
        pool: whose worker it is.
        spec: how the process makes its own object of the server's class.
    """

    def __init__(self, pool: WorkerPool, spec: ServerSpec) -> None:
        super().__init__(pool)
        self._config = spec.config
        self._decode: Decoder[FromWorker] = Decoder(FromWorker)
        self._reaping = threading.Lock()
        self._is_killed = False
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = _start_process(theirs)
        self._stream = FrameStream(pool.loop, ours, self._on_frame, lambda: None)
        self._stream.send(encode(Setup(spec=spec)))
        self._waiter = threading.Thread(target=self._wait, name=f"worker-{self.process.pid}-wait", daemon=True)
        self._waiter.start()

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
        self._stream.receive(math.inf)  # what it said before it ended comes first
        self._stream.close()
        self._sweep()
        self._pool.forget(self, _describe_exit(self.process.returncode))

    def _on_frame(self, frame: bytes) -> None:
        message = self._decode(frame)
        if self._is_killed and isinstance(message, Finished):
            return  # it will never be idle again; what it ran ends with it, when nothing of it is left
        self._hear(message)

    def _sweep(self) -> None:
        """Remove the sockets that a killed worker could not remove itself."""
        folder = self._config.home / self._config.ipc_socket_dir
        for path in folder.glob(task_socket_pattern(self.process.pid)):
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
