"""Log files of executions: plain text with a limited size."""

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
    """Appends lines to a file that is rotated, so that the latest part of a long log is kept.

    Once the file has reached half of ``limit``, it is renamed to ``path`` + ``.1`` and replaces an older one. If the
    disk cannot be written, lines are missing in the file, but the execution continues.

    Args:
        path: The log file.
        limit: Maximum size of both files together, in bytes.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._half = limit // 2
        self._file: BinaryIO | None = None
        self._size = 0

    def write(self, lines: list[LogLine]) -> None:
        """Append lines; the first call creates the file."""
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
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def log_dir(config: ZMQConfig, port: int) -> Path:
    """Return the folder with the logs of the server on ``port``, one file ``<execution id>.log`` per execution."""
    return config.server_dir(port) / "logs"


def log_paths(path: Path) -> list[Path]:
    """Return the existing files of a log, older lines first."""
    return [part for part in (older(path), path) if part.is_file()]


def remove_logs(path: Path) -> None:
    """Delete a log."""
    for part in (older(path), path):
        part.unlink(missing_ok=True)


def older(path: Path) -> Path:
    """Return the path of the older half of a log."""
    return path.with_name(path.name + ".1")


def format_line(line: LogLine) -> str:
    """Format a line of the file, including its line ending."""
    when = datetime.fromtimestamp(line.timestamp, UTC).isoformat(timespec="milliseconds")
    return f"{when} {line.level.upper():8} {speaker(line.axis_id, line.logger)}: {line.text}\n"
