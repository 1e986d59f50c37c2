"""Spans of OpenTelemetry for submissions, waits in the queue and runs; needs the extra ``tracing``.

Nothing here costs anything in a program that does not use OpenTelemetry: it is used only if the program has imported
it, or if a task was submitted as part of a trace. The context of a trace travels as a ``traceparent`` of the W3C
recommendation "Trace Context" in the field ``trace`` of a submission. The attributes follow the semantic conventions of
OpenTelemetry for messaging.
"""

import contextlib
import importlib
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

from msgspec.structs import replace

from zmqruntime.execution.exceptions import TaskCancelled
from zmqruntime.messages import ExecuteRequest, Message

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

__all__ = ["TRACING_VARIABLE", "RunTraces", "current_trace", "traced_run", "traced_submission"]

TRACING_VARIABLE = "ZMQRUNTIME_TRACING"
"""Names a function, as ``module:function``, that configures OpenTelemetry in the processes of a server."""

_SYSTEM = "zmqruntime"
_NANOSECONDS = 1_000_000_000
_log = logging.getLogger(__name__)


def current_trace() -> str:
    """Return the context of the current span, to submit something as part of its trace; empty if there is none."""
    api = sys.modules.get("opentelemetry.trace")
    return "" if api is None else _packed(api.set_span_in_context(api.get_current_span()))


@contextlib.contextmanager
def traced_submission(message: Message) -> Iterator[Message]:
    """Make a span of the submission in the block, and give its context to the requests that have none.

    Args:
        message: What is submitted: one request, or a message with ``requests``.

    Yields:
        The message to send.
    """
    requests: list[ExecuteRequest] = [message] if isinstance(message, ExecuteRequest) else message.get("requests", [])
    api = sys.modules.get("opentelemetry.trace")
    if api is None or all(request.trace for request in requests):
        yield message
        return
    attributes = _attributes(requests[0], "send")
    if len(requests) > 1:
        attributes["messaging.batch.message_count"] = len(requests)
    with _tracer(api).start_as_current_span(
        f"submit {_label(requests[0])}", kind=api.SpanKind.PRODUCER, attributes=attributes
    ):
        trace = current_trace()
        traced = [request if request.trace else replace(request, trace=trace) for request in requests]
        yield traced[0] if isinstance(message, ExecuteRequest) else replace(message, requests=traced)


@contextlib.contextmanager
def traced_run(request: ExecuteRequest, attempt: int) -> Iterator[None]:
    """Make a span of the run of a task in the block, which is current for the code of the task.

    An exception that the task raises is recorded. If the submission does not belong to a trace, nothing happens.

    Args:
        request: What is run.
        attempt: How often it was started, including this time.
    """
    api = _api_for(request.trace)
    if api is None:
        yield
        return
    context = _unpacked(request.trace)
    attributes = _attributes(request, "process") | {"zmqruntime.attempt": attempt, "process.pid": os.getpid()}
    with _tracer(api).start_as_current_span(
        f"run {_label(request)}",
        context=context,
        kind=api.SpanKind.CONSUMER,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield
        except TaskCancelled:
            span.set_attribute("zmqruntime.cancelled", True)
            raise
        except BaseException as error:
            _fail(api, span, error)
            raise


class RunTraces:
    """Makes the spans that only the server can: of the waits in its queue, and of runs whose worker ended.

    It remembers only running executions, and those that wait for a retry, that belong to a trace. For one thread.
    """

    def __init__(self) -> None:
        self._running: dict[str, ExecuteRequest] = {}
        self._queued_at: dict[str, float] = {}

    def on_start(self, request: ExecuteRequest, submitted_at: float, attempt: int) -> None:
        """Note that a run starts: its wait in the queue is over.

        Args:
            request: What is run.
            submitted_at: When it was submitted, in seconds since the epoch.
            attempt: How often it was started, including this time.
        """
        api = _api_for(request.trace)
        if api is None:
            return
        queued_at = self._queued_at.pop(request.submission_id, submitted_at if attempt == 1 else None)
        self._running[request.submission_id] = request
        if queued_at is not None:
            _span(api, "queue", request, attempt, queued_at).end()

    def on_end(self, execution_id: str, *, is_retried: bool) -> None:
        """Note that a run has ended, and whether the execution is in the queue again."""
        if self._running.pop(execution_id, None) is not None and is_retried:
            self._queued_at[execution_id] = time.time()

    def on_lost(self, execution_id: str, started_at: float | None, attempt: int, error: str) -> None:
        """Make the span of a run whose worker has ended, so that it could not make it itself."""
        request = self._running.get(execution_id)
        api = None if request is None else _api_for(request.trace)
        if api is None or request is None:
            return
        span = _span(api, "run", request, attempt, started_at or time.time())
        span.set_status(api.StatusCode.ERROR, error)
        span.end()


def _span(api: ModuleType, what: str, request: ExecuteRequest, attempt: int, began: float) -> "Span":
    """Return a span that began at a time in seconds since the epoch."""
    kind = api.SpanKind.CONSUMER if what == "run" else api.SpanKind.INTERNAL
    operation = "process" if what == "run" else "receive"
    attributes = _attributes(request, operation) | {"zmqruntime.attempt": attempt}
    span: Span = _tracer(api).start_span(
        f"{what} {_label(request)}",
        context=_unpacked(request.trace),
        kind=kind,
        attributes=attributes,
        start_time=int(began * _NANOSECONDS),
    )
    return span


def _fail(api: ModuleType, span: "Span", error: BaseException) -> None:
    span.record_exception(error)
    span.set_status(api.StatusCode.ERROR, f"{type(error).__name__}: {error}")


def _label(request: ExecuteRequest) -> str:
    return request.name or request.queue


def _attributes(request: ExecuteRequest, operation: str) -> dict[str, str | int]:
    return {
        "messaging.system": _SYSTEM,
        "messaging.operation.type": operation,
        "messaging.destination.name": request.queue,
        "messaging.message.id": request.submission_id,
        "zmqruntime.name": request.name,
    }


# --- OpenTelemetry itself -----------------------------------------------------------------------------------------


def _tracer(api: ModuleType) -> "Tracer":
    tracer: Tracer = api.get_tracer("zmqruntime.execution")
    return tracer


def _api_for(trace: str) -> ModuleType | None:
    """Return the API for something that belongs to a trace, configured for this process; None if there is nothing."""
    if not trace:
        return None
    _configuration.apply()
    try:
        return importlib.import_module("opentelemetry.trace")
    except ImportError:  # the client has it, but not the server
        return None


def _packed(context: "Context") -> str:
    propagation = importlib.import_module("opentelemetry.trace.propagation.tracecontext")
    carrier: dict[str, str] = {}
    propagation.TraceContextTextMapPropagator().inject(carrier, context)
    return carrier.get("traceparent", "")


def _unpacked(trace: str) -> "Context":
    propagation = importlib.import_module("opentelemetry.trace.propagation.tracecontext")
    context: Context = propagation.TraceContextTextMapPropagator().extract({"traceparent": trace})
    return context


class _Configuration:
    """Calls the function that configures OpenTelemetry, once in each process of a server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_done = False

    def apply(self) -> None:
        """Call the function, if one is named and this was not done before; an error is logged and ends nothing."""
        with self._lock:
            if self._is_done:
                return
            self._is_done = True
            target = os.environ.get(TRACING_VARIABLE, "")
            if not target:
                return
            module, _, function = target.partition(":")
            try:
                getattr(importlib.import_module(module), function)()
            except Exception:  # noqa: BLE001 - it can raise anything
                _log.exception("%s=%s is not a module:function that can be called", TRACING_VARIABLE, target)


_configuration = _Configuration()
