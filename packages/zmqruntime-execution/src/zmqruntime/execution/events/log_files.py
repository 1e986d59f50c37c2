"""The log of an execution in a file: readable as it is, and never larger than it may be."""

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from zmqruntime.config import ZMQConfig
from zmqruntime.execution.text import speaker
from zmqruntime.messages import LogLine

__all__ = ["LogFile", "format_line", "log_dir", "log_paths", "remove_logs"]


class LogFile:
    """Appends lines to ``path``. When half of ``limit`` bytes are written, the file becomes ``path`` + ``.1`` in place
    of an older one, so that of a long log the latest part is kept.

    A disk that cannot be written loses lines of the file, never the execution.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._half = limit // 2
        self._file: BinaryIO | None = None
        self._size = 0

    def write(self, lines: list[LogLine]) -> None:
        """Append lines; the file is made at the first."""
        data = "".join(map(format_line, lines)).encode(errors="backslashreplace")
        with contextlib.suppress(OSError):
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._file = self._open()
                self._size = self._file.tell()
            if self._size + len(data) > self._half and self._size:
                self._file.close()
                self._path.replace(older(self._path))
                self._file = self._open()
                self._size = 0
            self._size += self._file.write(data[-self._half :])

    def _open(self) -> BinaryIO:
        return open(self._path, "ab", buffering=0, opener=lambda path, flags: os.open(path, flags, 0o600))

    def close(self) -> None:
        """Release the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def log_dir(config: ZMQConfig, port: int) -> Path:
    """Where the server on ``port`` keeps the logs of its executions, one file ``<execution id>.log`` each."""
    return config.server_dir(port) / "logs"


def log_paths(path: Path) -> list[Path]:
    """The files of a log that exist, older lines first."""
    return [part for part in (older(path), path) if part.is_file()]


def remove_logs(path: Path) -> None:
    """Delete a log."""
    for part in (older(path), path):
        part.unlink(missing_ok=True)


def older(path: Path) -> Path:
    """Where the older half of a log is."""
    return path.with_name(path.name + ".1")


def format_line(line: LogLine) -> str:
    """The line of the file, with its end."""
    when = datetime.fromtimestamp(line.timestamp, UTC).isoformat(timespec="milliseconds")
    return f"{when} {line.level.upper():8} {speaker(line.axis_id, line.logger)}: {line.text}\n"
