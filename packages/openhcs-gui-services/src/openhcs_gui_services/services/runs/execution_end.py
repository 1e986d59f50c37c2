"""The events of an execution of any server, and its end as a future, for views that must not wait."""

import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from zmqruntime.client import checked
from zmqruntime.exceptions import RequestRefusedError, ZMQRuntimeError
from zmqruntime.execution import ExecutionClient, TaskFailed
from zmqruntime.execution.client.followers import IteratorSink
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus, Message, StatusRequest, StatusResponse

__all__ = ["ExecutionEnd"]


class ExecutionEnd:
    """One execution of a server, to be followed by :class:`TaskSignals`.

    Args:
        client: connected to the server.
        execution_id: id of the execution.
    """

    def __init__(self, client: ExecutionClient, execution_id: str) -> None:
        self._client = client
        self._execution_id = execution_id

    @contextlib.contextmanager
    def opened(self) -> Iterator[IteratorSink]:
        """Provide its events from the first one, as they arrive; an unknown execution has none."""
        with self._client.opened(self._execution_id, 0) as sink:
            known = self._client.send_request(StatusRequest(execution_id=self._execution_id))
            known.add_done_callback(lambda reply: _check(reply, sink))
            yield sink

    def add_done_callback(self, tell: Callable[[concurrent.futures.Future[Any]], object], /) -> None:
        """Call ``tell`` with its outcome, in another thread, once it has ended."""
        threading.Thread(target=lambda: tell(self._outcome()), name="execution-end", daemon=True).start()

    def _outcome(self) -> "concurrent.futures.Future[Any]":
        outcome: concurrent.futures.Future[Any] = concurrent.futures.Future()
        try:
            _set(outcome, self._client.wait(self._execution_id))
        except ZMQRuntimeError as error:
            outcome.set_exception(error)
        return outcome


def _check(reply: "concurrent.futures.Future[Message]", sink: IteratorSink) -> None:
    """End the events of an execution that the server does not know; anything else the events tell by themselves."""
    if reply.cancelled() or reply.exception() is not None:
        return
    try:
        checked(reply.result(), StatusResponse)
    except RequestRefusedError as error:
        sink.fail(error)


def _set(outcome: "concurrent.futures.Future[Any]", end: ExecutionSnapshot) -> None:
    match end.status:
        case ExecutionStatus.COMPLETE:
            outcome.set_result(end.result)
        case ExecutionStatus.CANCELLED:
            outcome.cancel()
        case _:
            outcome.set_exception(TaskFailed(end.error or end.status.value))
