"""Methods of earlier versions, as mixins for client and server; each one forwards to its current name."""

from collections.abc import Generator, Mapping
from typing import Any, Protocol, Self

import msgspec

from zmqruntime.compat import Reply
from zmqruntime.control_client import ControlClient
from zmqruntime.messages import (
    EXECUTIONS,
    CancelResponse,
    ErrorCode,
    ErrorResponse,
    ExecutionSnapshot,
    Message,
    PingRequest,
    ProgressUpdate,
    Request,
    StatusRequest,
)
from zmqruntime.server import ZMQServer

__all__ = ["EarlierClientCalls", "EarlierServerCalls", "ProgressQueue", "SubmittedId"]


class SubmittedId(str):
    """The id of an execution, which can also be awaited and then returns itself."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, Self]:
        return self
        yield


class _Client(Protocol):
    def submit(self, task: Any, config: Any = None) -> str: ...

    def wait(self, execution_id: str, timeout: float | None = None) -> ExecutionSnapshot | Reply: ...

    def cancel(
        self, execution_id: str, axis_id: str | None = None, grace_seconds: float | None = None
    ) -> CancelResponse: ...

    def unended(self) -> list[str]: ...


class EarlierClientCalls:
    """Earlier methods of the client."""

    def submit_execution(self: _Client, task: Any, config: Any = None) -> Reply:
        """Call ``submit``; the id is ``["execution_id"]`` of the reply."""
        return Reply(_Submitted(execution_id=str(self.submit(task, config))))

    def wait_for_completion(
        self: _Client,
        execution_id: str,
        poll_interval: float | None = None,
        max_consecutive_errors: int | None = None,
        timeout: float | None = None,
    ) -> Reply:
        """Call ``wait``; ``poll_interval`` and ``max_consecutive_errors`` are accepted and ignored."""
        ended = self.wait(execution_id, timeout)
        return ended if isinstance(ended, Reply) else Reply(ended)

    def request_stop(self: _Client) -> Reply:
        """Cancel all running and queued executions of this client; each stops at its next check."""
        return _stopped([self.cancel(execution_id) for execution_id in self.unended()])

    def force_stop(self: _Client) -> Reply:
        """Cancel all running and queued executions of this client with a grace of 0 s; each is killed at once."""
        return _stopped([self.cancel(execution_id, grace_seconds=0) for execution_id in self.unended()])


class _Submitted(msgspec.Struct):
    execution_id: str
    status: str = "accepted"


class _Stopped(msgspec.Struct):
    status: str
    execution_ids: list[str]


def _stopped(replies: list[CancelResponse]) -> Reply:
    is_ok = all(reply.status != "refused" for reply in replies)
    return Reply(_Stopped("ok" if is_ok else "error", [reply.execution_id for reply in replies]))


class ProgressQueue:
    """Queue that a task puts its progress into; updates are sent at once, so it is always empty."""

    def __init__(self, server: "EarlierServerCalls") -> None:
        self._server = server

    def put(self, update: ProgressUpdate | Mapping[str, Any], block: bool = True, timeout: float | None = None) -> None:
        """Call ``send_progress_update``.

        Raises:
            InvalidProgressError: The update violates the schema.
        """
        self._server.send_progress_update(update)

    put_nowait = put

    def qsize(self) -> int:
        """Return the number of waiting updates, which is 0."""
        return 0

    def empty(self) -> bool:
        """Whether no updates are waiting, which is always true."""
        return True


class _Caller(ControlClient):
    """Asks an execution server."""

    vocabulary = EXECUTIONS


class EarlierServerCalls(ZMQServer):
    """Earlier methods of the server."""

    def send_progress_update(self, update: ProgressUpdate | Mapping[str, Any]) -> None:
        """See :meth:`ExecutionServer.send_progress_update`."""
        raise NotImplementedError

    def handle_control_message(self, message: Mapping[str, Any] | Request) -> Reply:
        """Return the reply to a request given as a mapping with its ``type``; from any thread.

        If the message is invalid, the reply has the status ``error`` and says why.
        """
        plain = dict(message.to_dict() if isinstance(message, msgspec.Struct) else message)
        plain.setdefault("protocol", 1)
        try:
            request: Request = msgspec.convert(plain, Request)
        except msgspec.ValidationError as error:
            return _as_reply(ErrorResponse(code=ErrorCode.INVALID, message=str(error)))
        return _as_reply(self._reply_to(request))

    def get_status_info(self) -> Reply:
        """Return the identity and the workload of the server in one mapping."""
        work = self._reply_to(StatusRequest(limit=0))
        return Reply(self._reply_to(PingRequest()), Reply(work))

    @property
    def active_executions(self) -> dict[str, Reply]:
        """Executions that have not ended, by id."""
        work = self._reply_to(StatusRequest(limit=0))
        return {each.execution_id: Reply(each) for each in getattr(work, "executions", [])}

    @property
    def progress_queue(self) -> ProgressQueue:
        """Progress queue for code running in :meth:`ExecutionServer.execute_task`."""
        return ProgressQueue(self)

    def _reply_to(self, request: Message) -> Message:
        """Reply directly on the loop's thread; from others as any client, so that what a reply promises is on disk."""
        if self.loop.is_current:
            return self.handle_request(request)
        client = _Caller(
            self.port,
            host=self.host if self.transport_mode == "tcp" else None,
            transport_mode=self.transport_mode,
            config=self.config,
        )
        with client:
            return client.send_request(request).result(self.config.request_timeout)


def _as_reply(response: Message) -> Reply:
    more = {"status": "error", "error": response.message} if isinstance(response, ErrorResponse) else {}
    return Reply(response, more)
