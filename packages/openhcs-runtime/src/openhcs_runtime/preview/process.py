"""One preview process, seen from the window: started, asked, listened to, ended."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

import psutil
from numpy.typing import NDArray

from openhcs_runtime.preview.messages import FROM_STDIN, Cancel, FromChild, Run, Wire
from zmqruntime.frozen import module_command
from zmqruntime.identity import exit_text, kill_tree

__all__ = ["OnMessage", "PreviewProcess"]

OnMessage: TypeAlias = "Callable[[PreviewProcess, FromChild | None, list[NDArray[Any]]], None]"
"""Called on another thread with each message and its arrays; with None once the process has ended."""


class PreviewProcess:
    """A preview process.

    Args:
        on_message: called with its messages.

    Raises:
        OSError: it can't be started.
    """

    def __init__(self, on_message: OnMessage) -> None:
        self._on_message = on_message
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = _popen(theirs)
        except BaseException:
            ours.close()
            raise
        self._wire = Wire(ours, FromChild)
        self._reader = threading.Thread(target=self._read, name=f"preview-{self.pid}", daemon=True)
        self._reaping = threading.Lock()
        self.is_ready = False
        """Whether it has loaded its libraries; set by the owner."""
        self._reader.start()

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    def run(self, run: Run) -> None:
        """Ask for a preview; if the process has ended, ``on_message`` says so."""
        self._send(run)

    def cancel(self, number: int) -> None:
        """Ask it to end a preview at the next step or pattern group."""
        self._send(Cancel(number))

    def memory_bytes(self) -> int:
        """Return the memory that it uses; 0 if it has ended."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def kill(self) -> None:
        """End it at once, with all that it has started; ``on_message`` is called when it has ended."""
        with self._reaping:
            self._kill()

    def join(self) -> None:
        """Wait until it has ended and its last message was passed on; nothing is left of it."""
        self._reader.join()

    def how_it_ended(self) -> str:
        """Return how it ended, as in "killed by SIGSEGV"."""
        return exit_text(self._process.returncode)

    def _send(self, message: Run | Cancel) -> None:
        with contextlib.suppress(OSError):  # it has ended, which the reader notices
            self._wire.send(message)

    def _kill(self) -> None:
        """Kill the process and its group, unless it has been reaped: its id may belong to another process then."""
        if self._process.returncode is None:
            kill_tree(self.pid)
            if os.name == "posix":
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, signal.SIGKILL)

    def _read(self) -> None:
        while True:
            try:
                message, arrays = self._wire.receive()
            except EOFError:
                break
            self._on_message(self, message, arrays)
        with self._reaping:
            self._kill()
            self._process.wait()
        self._wire.close()
        self._on_message(self, None, [])


def _popen(theirs: socket.socket) -> "subprocess.Popen[bytes]":
    command = module_command("openhcs_runtime.preview")
    if sys.platform == "win32":
        process = subprocess.Popen([*command, FROM_STDIN], stdin=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(theirs.share(process.pid))
        process.stdin.close()
        return process
    descriptor = theirs.fileno()
    return subprocess.Popen(
        [*command, str(descriptor)], stdin=subprocess.DEVNULL, pass_fds=(descriptor,), start_new_session=True
    )
