"""A worker in a separate process, which never outlives its server, whatever its tasks do."""

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

import msgspec

from zmqruntime.codec import Decoder, encode
from zmqruntime.environment import TaskEnvironment
from zmqruntime.exceptions import MessageError
from zmqruntime.execution.events.worker_messages import FROM_STDIN, Assign, CancelAssigned, Finished, FromWorker, Setup
from zmqruntime.execution.tasks.hub import task_socket_pattern
from zmqruntime.execution.workers.begun import begun_dir
from zmqruntime.execution.workers.descriptors import CHANNEL_CLOSED
from zmqruntime.execution.workers.frames import FrameStream
from zmqruntime.execution.workers.orphans import end_orphans, started_at
from zmqruntime.execution.workers.pool import BadEnvironmentError, WorkerHandle, WorkerPool, WorkerState
from zmqruntime.execution.workers.work_queue import ELSEWHERE, WorkQueue
from zmqruntime.frozen import module_command, module_environment
from zmqruntime.identity import exit_text, kill_tree
from zmqruntime.launch import ServerSpec

__all__ = ["ProcessWorker"]

_log = logging.getLogger(__name__)

_GUARD_SECONDS = 1.0
_MAX_FRAME_BYTES = 64 * 1024 * 1024


class ProcessWorker(WorkerHandle):
    """One worker process.

    Args:
        pool: The pool it belongs to.
        environment: Environment of the process; None for the server's own.
        spec: How the process creates its own instance of the server's class.
        own_environment: The server's own environment; None to inherit that of this process.
        preload: Name of a module that it imports first; may be empty.

    Raises:
        OSError: It cannot be started at the moment.
        BadEnvironmentError: It can never be started in that environment.
    """

    def __init__(
        self,
        pool: WorkerPool,
        environment: TaskEnvironment | None,
        spec: ServerSpec,
        own_environment: TaskEnvironment | None,
        preload: str = "",
    ) -> None:
        super().__init__(pool, environment)
        own_variables = None if own_environment is None else own_environment.variables
        self._config = spec.config
        self._decode: Decoder[FromWorker] = Decoder(FromWorker)
        self._reaping = threading.Lock()
        self._is_killed = False
        self._nonsense = ""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self.process = _start_process(theirs, environment, own_variables, preload)
                self._queue = WorkQueue()
                self._queue.give_end_to(ours)
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
        folder = begun_dir(spec.config.server_dir(spec.port))
        notes = str(folder) if self._queue.is_usable else ""
        self._stream.send(encode(Setup(spec=spec, begun_dir=notes, environment=environment or own_environment)))
        self._waiter = threading.Thread(target=self._wait, name=f"worker-{self.process.pid}-wait", daemon=True)
        try:
            self._waiter.start()
        except RuntimeError as error:  # no more threads can be started
            kill_tree(self.process.pid)
            self.process.wait()
            self._stream.close()
            self._queue.close()
            raise OSError(errno.EAGAIN, str(error)) from error

    @property
    def gave_up(self) -> bool:
        """Whether it ended on its own, without being killed."""
        return (self.process.returncode or 0) > 0

    def pause(self) -> None:
        """Leave its messages in the pipe."""
        self._stream.pause()

    def resume(self) -> None:
        """Receive its messages again."""
        self._stream.resume()

    def kill(self) -> None:
        """Kill the process and all its descendants: its guard does that, or this process if the guard cannot."""
        self._is_killed = True
        self.give_back()
        with self._reaping:
            if self.process.returncode is None and os.name == "posix":
                self.process.terminate()
        self._pool.loop.call_later(_GUARD_SECONDS, self._kill_tree)

    def end(self) -> None:
        """Let an idle worker end on its own, and kill a busy one."""
        if self.state is WorkerState.IDLE:
            self._stream.close()
        else:
            self.kill()

    def join(self) -> None:
        """Wait until the process has been reaped, and release its resources."""
        self._waiter.join(2 * _GUARD_SECONDS)
        self._kill_tree()
        self._waiter.join()
        self._stream.close()
        self._queue.close()
        self._sweep()

    def hear_all(self) -> None:
        """Handle the messages that have arrived from it."""
        self._stream.receive(math.inf)

    def _give(self, assign: Assign) -> bytes:
        if packet := self._give_ahead(assign):
            return packet
        self._stream.send(_packed(assign))
        if self._queue.is_usable:
            self._queue.put(ELSEWHERE)
        return b""

    def _give_ahead(self, assign: Assign) -> bytes | None:
        packet = _packed(assign)
        return packet if self._queue.fits(packet) and self._queue.put(packet) else None

    def _recall(self) -> list[bytes]:
        return self._queue.take_back()

    def _put_back(self, packet: bytes) -> None:
        self._queue.put(packet)

    def _pass_on(self, axis_id: str | None) -> None:
        if self.execution_id is not None:
            cancel = CancelAssigned(execution_id=self.execution_id, attempt=self._attempt, axis_id=axis_id)
            self._stream.send(encode(cancel))

    def _kill_tree(self) -> None:
        """Kill all its processes that can be found, including the guard."""
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
            self._stream.receive(math.inf)  # messages sent before it ended come first
            self._stream.close()
            self._sweep()
            self._end_what_is_left()
        finally:
            self._pool.forget(self, self._nonsense or self._how_it_ended())
            self._queue.close()
            self._pool.listener.on_worker_gone(self.process.pid)

    def _how_it_ended(self) -> str:
        if self.process.returncode == CHANNEL_CLOSED:
            return "was cut off, because a function closed descriptors that it had not opened (os.closerange?),"
        return f"ended: {exit_text(self.process.returncode)}"

    def _end_what_is_left(self) -> None:
        """End orphans of its tasks; necessary only if its guard, which normally does that, was killed."""
        if self.process.returncode == -signal.SIGKILL:
            ended = end_orphans({self.process.pid, *self._pool.pids}, self._began)
            if ended:
                _log.warning("ended processes %s, left behind by killed worker %d", ended, self.process.pid)

    @property
    def pid(self) -> int:
        """Id of its process."""
        return self.process.pid

    def _on_frame(self, frame: bytes) -> None:
        try:
            message = self._decode(frame)
        except MessageError as error:
            self._on_nonsense(f"sent an unreadable message ({error})")
            return
        if self._is_killed and isinstance(message, Finished):
            return  # it will never be idle again; its execution ends when all its processes have ended
        try:
            self._hear(message)
        except Exception:  # noqa: BLE001 - it must not affect the next execution, whatever it is
            _log.exception("cannot handle a message of worker %d", self.process.pid)
            self._on_nonsense("sent a message that could not be handled (see the log of the server)")

    def _on_nonsense(self, how: str) -> None:
        """Kill the worker and fail its execution: none of its messages can be trusted any more."""
        self._nonsense = self._nonsense or how
        _log.error("worker %d %s; killing it", self.process.pid, how)
        self.kill()

    def _sweep(self) -> None:
        """Remove sockets that a killed worker could not remove itself; the next start of a server tries again."""
        folder = self._config.home / self._config.ipc_socket_dir
        with contextlib.suppress(OSError):
            for path in folder.glob(task_socket_pattern(self.process.pid)):
                path.unlink(missing_ok=True)


def _packed(assign: Assign) -> bytes:
    """Encode an assignment without the environment, which the worker has from its start."""
    if assign.request.environment is not None:
        request = msgspec.structs.replace(assign.request, environment=None)
        assign = msgspec.structs.replace(assign, request=request, in_environment=True)
    return encode(assign)


def _kill_group(pid: int) -> None:
    """Kill the rest of the worker's process group, before the worker is reaped and its pid can be reused."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def _start_process(
    theirs: socket.socket, environment: TaskEnvironment | None, own_variables: dict[str, str] | None, preload: str
) -> "subprocess.Popen[bytes]":
    if environment is None:
        return _popen(theirs, own_variables, None, preload)
    try:
        return _popen(theirs, environment.variables, environment.folder, preload)
    except OSError as error:
        if error.filename == environment.folder:
            text = f"its working folder {environment.folder} cannot be used: {error.strerror}"
            raise BadEnvironmentError(f"{text}; recreate it, or submit from another folder") from error
        if error.errno == errno.E2BIG:
            text = "its environment variables are too large for this system; unset some of them"
            raise BadEnvironmentError(text) from error
        raise


def _popen(
    theirs: socket.socket, variables: dict[str, str] | None, folder: str | None, preload: str
) -> "subprocess.Popen[bytes]":
    command = module_command("zmqruntime.execution.workers.main")
    variables = module_environment(variables)
    if sys.platform == "win32":
        process = subprocess.Popen([*command, FROM_STDIN, preload], stdin=subprocess.PIPE, env=variables, cwd=folder)
        assert process.stdin is not None
        process.stdin.write(theirs.share(process.pid))
        process.stdin.close()
        return process
    descriptor = theirs.fileno()
    return subprocess.Popen(
        [*command, str(descriptor), preload],
        stdin=subprocess.DEVNULL,
        pass_fds=(descriptor,),
        start_new_session=True,
        env=variables,
        cwd=folder,
    )
