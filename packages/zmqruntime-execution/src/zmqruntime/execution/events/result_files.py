"""Results that are too long for a message: a worker writes them to a file of its server's, clients fetch pieces of it.

A file, since a worker can write it while its server does other things, and since a piece of it can be read without the
rest. So neither the server's memory nor the time that others wait depends on how long a result is.
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
    """Where the server on ``port`` keeps long results, one file ``<execution id>.result`` each."""
    return config.server_dir(port) / "results"


def keep_result(path: Path, data: bytes) -> None:
    """Write a file whole and durably, or not at all.

    Raises:
        UnsendableError: it cannot be written, for example because the disk is full.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        prepare_private_dir(path.parent)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            for begin in range(0, len(data), _WRITE_BYTES):
                _write_all(descriptor, memoryview(data)[begin : begin + _WRITE_BYTES])
                os.fsync(descriptor)  # bit by bit: the server's own writes must not wait for all of it
        finally:
            os.close(descriptor)
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise UnsendableError(
            f"the result of the task, {len(data):,} bytes, cannot be written to {path}: {error.strerror or error}"
        ) from error


def read_piece(path: Path, offset: int) -> bytes:
    """A piece of a kept result. Raises OSError if there is none."""
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(PIECE_BYTES)


def remove_result(path: Path) -> None:
    """Delete a kept result, if there is one."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def lacks_result(snapshot: ExecutionSnapshot) -> bool:
    """Whether it has a result that is too long to be in it."""
    return snapshot.result is None and (snapshot.result_bytes or 0) > INLINE_RESULT_BYTES


class ResultPieces:
    """Puts a long result together from replies.

    Ask for :attr:`request` and :meth:`add` the reply, as long as there is one.
    """

    def __init__(self, snapshot: ExecutionSnapshot) -> None:
        self._snapshot = snapshot
        self._data = bytearray()

    @property
    def request(self) -> ResultRequest | None:
        """What to ask for next; None if all is here."""
        if not lacks_result(self._snapshot) or len(self._data) == self._snapshot.result_bytes:
            return None
        return ResultRequest(execution_id=self._snapshot.execution_id, offset=len(self._data))

    def add(self, reply: ResultResponse) -> None:
        """Take a piece. Raises MessageError if it is not the next one."""
        is_next = reply.offset == len(self._data) and reply.total == self._snapshot.result_bytes and reply.data
        if not is_next or len(self._data) + len(reply.data) > reply.total:
            name = self._snapshot.execution_id
            raise MessageError(
                ErrorCode.INVALID, f"the result of execution {name} changed, or is damaged, at byte {reply.offset:,}"
            )
        self._data += reply.data

    def complete(self) -> ExecutionSnapshot:
        """The snapshot with its result. Raises MessageError if the bytes are no value."""
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
    """The snapshot with its result, also a long one, which ``ask`` fetches piece by piece."""
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
"""A longer result is a file, and travels in pieces."""
