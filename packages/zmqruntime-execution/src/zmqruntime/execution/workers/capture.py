"""Capture of all output of a task, line by line."""

import codecs
import contextlib
import ctypes
import io
import os
import sys
import threading
from typing import Final

from zmqruntime.execution.events.lines import LineSplitter
from zmqruntime.execution.tasks.logging import LineTaker
from zmqruntime.execution.workers.descriptors import Descriptors
from zmqruntime.loop import SocketLoop
from zmqruntime.messages import LogLevel

__all__ = ["OutputCapture"]

_READ_BYTES: Final = 64 * 1024

_C_LIBRARY: Final = ctypes.CDLL(None) if os.name == "posix" else None


class OutputCapture:
    """Captures standard output and error of this process, including output of C code and of child processes.

    Args:
        loop: Loop that reads the output, on its thread.
        take: Called with each line, on that thread or that which drains.
    """

    def __init__(self, loop: SocketLoop, take: LineTaker) -> None:
        self._loop = loop
        self._reading = threading.RLock()
        self.server_log = os.dup(2)
        """The original standard error of the process."""
        self._pipes: list[_Pipe] = []
        if os.name == "posix":  # elsewhere pipes cannot be polled, and only logged output is captured
            for stream in (sys.stdout, sys.stderr):
                if isinstance(stream, io.TextIOWrapper):
                    stream.reconfigure(line_buffering=True)  # otherwise output arrives after the task has ended
            self._pipes = [_Pipe(1, "stdout", LogLevel.INFO, take), _Pipe(2, "stderr", LogLevel.WARNING, take)]
        self._writers = Descriptors((1, 2) if self._pipes else ())
        for pipe in self._pipes:
            loop.call_soon(lambda pipe=pipe: loop.add_reader(pipe, lambda: self._read(pipe)))  # type: ignore[misc]

    @staticmethod
    def flush() -> None:
        """Flush all output buffers of the process; call it in the thread that ran the task."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # a task may have replaced them by anything, even None
                stream.flush()
        if _C_LIBRARY is not None:
            _C_LIBRARY.fflush(None)

    def why_broken(self) -> str | None:
        """Why the output of the next task could not be captured, as text; None if it can be."""
        return None if self._writers.are_whole else "its standard output or error was closed or replaced"

    def drain(self) -> None:
        """Read all output written so far, including an incomplete last line."""
        with self._reading:
            for pipe in list(self._pipes):
                self._read(pipe)
                pipe.end_line()

    def _read(self, pipe: "_Pipe") -> None:
        """Read what was written; stop watching a pipe that no process can write to, which would always be ready."""
        with self._reading:
            if not pipe.read() and pipe in self._pipes:
                self._pipes.remove(pipe)
                self._loop.call_soon(lambda: self._loop.remove(pipe))


class _Pipe:
    """One standard stream, replaced by a pipe that is read here."""

    def __init__(self, descriptor: int, name: str, level: LogLevel, take: LineTaker) -> None:
        self._name = name
        self._level = level
        self._take = take
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._lines = LineSplitter(self._emit)
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.dup2(writer, descriptor)
        os.close(writer)

    def fileno(self) -> int:
        return self._reader

    def read(self) -> bool:
        """Read what was written so far; return whether more can come."""
        try:
            while chunk := os.read(self._reader, _READ_BYTES):
                self._lines.feed(self._decode(chunk))
        except BlockingIOError:
            return True
        except OSError:  # a task has closed this end
            return False
        return False

    def end_line(self) -> None:
        self._lines.feed(self._decode(b"", True))
        if self._lines.has_rest:
            self._lines.end()

    def _emit(self, line: str) -> None:
        self._take(self._level, self._name, line)
