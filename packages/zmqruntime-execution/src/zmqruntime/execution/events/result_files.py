"""Results that are too large for a message: a worker writes them to a file, and clients fetch it in pieces.

A worker can write a file while the server is doing other things, and pieces of it can be read without the rest. So
neither the server's memory nor the response time for other clients depends on the size of a result.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from zmqruntime.config import ZMQConfig
from zmqruntime.exceptions import MessageError, UnsendableError
from zmqruntime.messages import ErrorCode, ExecutionSnapshot, ResultRequest, ResultResponse
from zmqruntime.shape import MAX_RESULT_ELEMENTS, problem_in
from zmqruntime.transport import prepare_private_dir

__all__ = [
    "INLINE_RESULT_BYTES",
    "PIECE_BYTES",
    "ResultPieces",
    "keep_result",
    "lacks_result",
    "read_piece",
    "remove_result",
    "result_dir",
    "with_result",
]

PIECE_BYTES = 1024 * 1024
_WRITE_BYTES = 8 * 1024 * 1024


def result_dir(config: ZMQConfig, port: int) -> Path:
    """Return the folder for large results of the server on ``port``, with one file ``<execution id>.result`` each."""
    return config.server_dir(port) / "results"


def keep_result(path: Path, data: bytes) -> None:
    """Write a file completely and durably, or not at all.

    Raises:
        UnsendableError: The file cannot be written, for example because the disk is full.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        prepare_private_dir(path.parent)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            for begin in range(0, len(data), _WRITE_BYTES):
                _write_all(descriptor, memoryview(data)[begin : begin + _WRITE_BYTES])
                os.fsync(descriptor)  # in parts, so that the server's own writes do not wait for all of it
        finally:
            os.close(descriptor)
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise UnsendableError(
            f"cannot write the result of the task ({len(data):,} bytes) to {path}: {error.strerror or error}"
        ) from error


def read_piece(path: Path, offset: int) -> bytes:
    """Read a piece of a result file.

    Raises:
        OSError: The file does not exist or cannot be read.
    """
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(PIECE_BYTES)


def remove_result(path: Path) -> None:
    """Delete a result file, if it exists."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def lacks_result(snapshot: ExecutionSnapshot) -> bool:
    """Whether the execution has a result that is too large to be part of the snapshot."""
    return snapshot.result is None and (snapshot.result_bytes or 0) > INLINE_RESULT_BYTES


class ResultPieces:
    """Assembles a large result from replies.

    Send :attr:`request` and :meth:`add` the reply until it is None.
    """

    def __init__(self, snapshot: ExecutionSnapshot) -> None:
        self._snapshot = snapshot
        self._data = bytearray()

    @property
    def request(self) -> ResultRequest | None:
        """Next request to send; None if the result is complete."""
        if not lacks_result(self._snapshot) or len(self._data) == self._snapshot.result_bytes:
            return None
        return ResultRequest(execution_id=self._snapshot.execution_id, offset=len(self._data))

    def add(self, reply: ResultResponse) -> None:
        """Append a piece.

        Raises:
            MessageError: It is not the next piece.
        """
        is_next = reply.offset == len(self._data) and reply.total == self._snapshot.result_bytes and reply.data
        if not is_next or len(self._data) + len(reply.data) > reply.total:
            name = self._snapshot.execution_id
            raise MessageError(
                ErrorCode.INVALID, f"the result of execution {name} has changed or is damaged at byte {reply.offset:,}"
            )
        self._data += reply.data

    def complete(self) -> ExecutionSnapshot:
        """Return the snapshot with its result.

        Raises:
            MessageError: The bytes are not an encoded value.
        """
        if not lacks_result(self._snapshot):
            return self._snapshot
        data = bytes(self._data)
        self._data.clear()
        problem = problem_in(data, max_elements=MAX_RESULT_ELEMENTS)
        if problem is not None:
            text = f"the result of execution {self._snapshot.execution_id} cannot be read: {problem}"
            raise MessageError(ErrorCode.INVALID, text)
        return msgspec.structs.replace(self._snapshot, result=msgspec.msgpack.decode(data))


def with_result(
    snapshot: ExecutionSnapshot, ask: Callable[[ResultRequest, type[ResultResponse]], ResultResponse]
) -> ExecutionSnapshot:
    """Return the snapshot with its result; ``ask`` fetches a large one piece by piece."""
    pieces = ResultPieces(snapshot)
    while (request := pieces.request) is not None:
        pieces.add(ask(request, ResultResponse))
    return pieces.complete()


def _write_all(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


INLINE_RESULT_BYTES = 64 * 1024
"""Larger results are kept in a file and sent in pieces."""
