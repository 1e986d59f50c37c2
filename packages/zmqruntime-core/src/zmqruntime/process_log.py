"""The log file of a child process: opened for it to write, rotated, and read from its end."""

import os
from pathlib import Path
from typing import BinaryIO

from zmqruntime.exceptions import ConfigurationError, ServerStartError
from zmqruntime.transport import prepare_private_file

__all__ = ["log_tail", "open_log"]

_ROTATE_BYTES = 5 * 1024 * 1024
_TAIL_BYTES = 4096


def open_log(path: Path, owner: str) -> BinaryIO:
    """Open a log that only this user can read, at its end; one of more than 5 MiB is kept as ``<name>.1`` first.

    Args:
        path: the file; its folder is made.
        owner: whose log it is, for the error, for example "the server".

    Raises:
        ServerStartError: it cannot be written.
    """
    try:
        if path.exists() and path.stat().st_size > _ROTATE_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
        prepare_private_file(path)
        return path.open("ab")
    except ConfigurationError as error:
        raise ServerStartError(str(error)) from error
    except OSError as error:
        raise ServerStartError(f"cannot write the log of {owner}, {path}: {error.strerror or error}") from error


def log_tail(path: Path, begin: int = 0, nbytes: int = _TAIL_BYTES) -> str:
    """The end of a log, at most ``nbytes`` of it and nothing before ``begin``; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(begin, size - nbytes))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""
