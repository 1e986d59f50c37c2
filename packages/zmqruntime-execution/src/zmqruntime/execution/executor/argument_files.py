"""Large arguments, and large functions by value, in files of the server's folder, until their execution has ended."""

import contextlib
import os
import time
from pathlib import Path
from typing import Final

from zmqruntime.exceptions import UnsendableError
from zmqruntime.execution.executor.calls import StoredArguments, digest_of
from zmqruntime.shape import MAX_RESULT_ELEMENTS, problem_in
from zmqruntime.transport import prepare_private_dir

__all__ = [
    "LARGEST_INLINE",
    "MOST_STORED",
    "arguments_dir",
    "read_arguments",
    "remove_arguments",
    "store_arguments",
    "stored_ids",
]

LARGEST_INLINE: Final = 256 * 1024
"""Arguments of more bytes go to a file."""
MOST_STORED: Final = 8 * 1024**3
"""How many bytes of arguments of open executions one server keeps."""
_SUFFIX = ".arguments"
_NEW_SECONDS = 600.0


def arguments_dir(server_dir: Path) -> Path:
    """Return the folder of these files."""
    return server_dir / "arguments"


def store_arguments(server_dir: Path, execution_id: str, data: bytes) -> StoredArguments:
    """Write the arguments of an execution to a file, completely or not at all.

    Raises:
        UnsendableError: The folder is full, or cannot be written.
    """
    folder = arguments_dir(server_dir)
    try:
        prepare_private_dir(folder)
        taken = sum(map(_size_of, folder.glob(f"*{_SUFFIX}")))
        if taken + len(data) > MOST_STORED:
            raise UnsendableError(
                f"a call of {len(data):,} bytes does not fit: {taken:,} of {MOST_STORED:,} bytes are taken by "
                "executions that have not ended; wait for some of them, or write files and pass their paths"
            )
        digest = digest_of(data)
        name = f"{execution_id}.{digest[:8]}{_SUFFIX}"  # with a digest, as a key may be tried with other arguments
        _write(folder / name, data)
    except OSError as error:
        raise UnsendableError(f"cannot write a call of {len(data):,} bytes to {folder}: {error.strerror}") from None
    return StoredArguments(name=name, length=len(data), digest=digest)


def read_arguments(server_dir: Path, stored: StoredArguments) -> bytes:
    """Return stored arguments, as they were packed.

    Raises:
        UnsendableError: The file is missing or damaged.
    """
    path = arguments_dir(server_dir) / Path(stored.name).name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnsendableError(
            f"the arguments in {path} cannot be read: {error.strerror}; submit the call again"
        ) from None
    problem = (
        problem_in(data, max_elements=MAX_RESULT_ELEMENTS) if digest_of(data) == stored.digest else "it is damaged"
    )
    if problem is not None:
        raise UnsendableError(f"the arguments in {path} cannot be read: {problem}; submit the call again")
    return data


def stored_ids(server_dir: Path) -> list[tuple[str, bool]]:
    """Return the ids of executions whose arguments are stored, and whether that was just now."""
    found, now = [], time.time()
    with contextlib.suppress(OSError):
        for path in arguments_dir(server_dir).iterdir():
            found.append((path.name.partition(".")[0], abs(now - path.stat().st_mtime) < _NEW_SECONDS))
    return found


def remove_arguments(server_dir: Path, execution_id: str) -> None:
    """Delete the stored arguments of an execution, also those that were not written completely."""
    with contextlib.suppress(OSError):
        for path in arguments_dir(server_dir).glob(f"{execution_id}.*"):
            path.unlink(missing_ok=True)


def _size_of(path: Path) -> int:
    """Return the size of a file; 0 if the server has just deleted it, because its execution has ended."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
