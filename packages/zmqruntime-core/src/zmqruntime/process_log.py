"""Log files of child processes: opening, rotating, and reading the end."""

import os
from pathlib import Path
from typing import BinaryIO

from zmqruntime.exceptions import ConfigurationError, ServerStartError
from zmqruntime.transport import prepare_private_file

__all__ = ["log_tail", "open_log"]

_ROTATE_BYTES = 5 * 1024 * 1024
_TAIL_BYTES = 4096


def open_log(path: Path, owner: str) -> BinaryIO:
    """Open a log for appending that only this user can read; one of more than 5 MiB is first renamed ``<name>.1``.

    Args:
        path: the file; its folder is created if necessary.
        owner: the program that the log belongs to, for the error message, for example "the server".

    Raises:
        ServerStartError: the log cannot be written.
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
    """Return the end of a log, at most ``nbytes`` and nothing before ``begin``; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(begin, size - nbytes))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""
