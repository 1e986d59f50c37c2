"""The preview process: makes one preview after the other until the window closes its end of the socket.

Started by ``openhcs_runtime.preview.process`` with the descriptor of the socket as its argument.
"""

import contextlib
import importlib
import os
import queue
import signal
import socket
import sys
import threading

import psutil

from openhcs_runtime.engine.executors.preload import loaded_modules
from openhcs_runtime.engine.printing import logs_to_tasks, prints_to_tasks
from openhcs_runtime.pipeline.patches import patches_here
from openhcs_runtime.pipeline.process_state import process_keeper
from openhcs_runtime.pipeline.used_files import UsedFiles, read_recorder
from openhcs_runtime.preview.messages import (
    FROM_STDIN,
    Cancel,
    Done,
    Ready,
    Run,
    Stale,
    StepBegun,
    ToChild,
    Wire,
    done_with,
)
from openhcs_runtime.preview.runner import PreviewRunner
from zmqruntime.execution import die_with_parent

__all__ = ["main"]


def main(argument: str) -> None:
    """Serve the window at the other end of the socket given by ``argument``: a descriptor, or ``FROM_STDIN``."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the window's to handle
    if argument == FROM_STDIN and sys.platform == "win32":
        sock = socket.fromshare(sys.stdin.buffer.read())
    else:
        sock = socket.socket(fileno=int(argument))
    _Child(Wire(sock, ToChild)).serve()


class _Child:
    """Previews on the main thread, which alone may run everything that functions may do; messages on another one."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._number = 0
        self._cancelled = 0
        """Number of the newest preview that is not wanted any more."""
        self._runner = PreviewRunner(lambda step: self._wire.send(StepBegun(self._number, step)))
        self._waiting: queue.SimpleQueue[Run] = queue.SimpleQueue()
        self._used = UsedFiles()

    def serve(self) -> None:
        """Make previews until the socket is closed."""
        logs_to_tasks()
        threading.Thread(target=self._listen, name="preview-messages", daemon=True).start()
        _load_functions()
        loaded_modules.note_fork()
        with prints_to_tasks(), contextlib.suppress(OSError):
            self._wire.send(Ready())
            while self._make(self._waiting.get()):
                pass
        _end()

    def _listen(self) -> None:
        read_recorder().pause_here()
        while True:
            try:
                message, _ = self._wire.receive()
            except EOFError:
                _end()
            if isinstance(message, Cancel):
                self._cancelled = message.number
                self._runner.cancel()
            else:
                self._waiting.put(message)

    def _make(self, run: Run) -> bool:
        """Make one preview; return whether the process can make another one."""
        if self._number and (reason := self._why_stale()):
            self._wire.send(Stale(run.number, reason))
            return False
        self._number = run.number
        result = self._runner.run(run.request, lambda: self._cancelled >= run.number)
        memory, is_leaving = psutil.Process().memory_info().rss, process_keeper.is_spoilt
        self._used = read_recorder().used([])
        if result is None:
            done = Done(number=run.number, is_cancelled=True, memory_bytes=memory, is_leaving=is_leaving)
            self._wire.send(done)
        else:
            self._wire.send(*done_with(run.number, result, memory, is_leaving=is_leaving))
        return not is_leaving

    def _why_stale(self) -> str:
        """Return what was edited or patched since it was loaded; empty if this process can go on."""
        if patched := patches_here().found():
            return patched
        edited = loaded_modules.look() or self._used.changed()
        return f"{edited} was edited" if edited else ""


def _load_functions() -> None:
    """Import the built-in functions, which takes half a second, before the first preview needs them."""
    library = importlib.import_module("openhcs_runtime.functions")
    for name in library.__all__:
        getattr(library, name)


def _end() -> None:
    """End this process at once, with all that functions have started in it."""
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)
