"""From calls to submissions: ids and keys, options, environment, and large arguments in files."""

import hashlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from zmqruntime.environment import TaskEnvironment
from zmqruntime.exceptions import RequestRefusedError, UnsendableError
from zmqruntime.execution.client.options import SubmitOptions
from zmqruntime.execution.exceptions import KeyUsedError
from zmqruntime.execution.executor.argument_files import LARGEST_INLINE
from zmqruntime.execution.executor.binding import CallMaker, name_of
from zmqruntime.execution.executor.calls import Call, packed_arguments, read_call
from zmqruntime.execution.executor.canonical import content_of, digest_of_values
from zmqruntime.execution.executor.differences import key_used_text
from zmqruntime.execution.executor.futures import TaskFuture
from zmqruntime.execution.executor.link import Link
from zmqruntime.execution.executor.option_rules import check_key
from zmqruntime.execution.executor.options import (
    Declared,
    TaskOptions,
    retry_references,
    submit_options,
    task_environment,
)
from zmqruntime.execution.executor.places import Links
from zmqruntime.execution.executor.values import Pickler
from zmqruntime.messages import ErrorCode, ExecuteRequest, Schedule, ScheduleRequest

__all__ = ["Submitter", "Timing"]

_BATCH_BYTES = 8 * 1024 * 1024

After = Sequence[TaskFuture[Any] | str]


class Timing(NamedTuple):
    """When a schedule is due; see :meth:`Executor.schedule`."""

    every: float | None
    cron: str | None
    timezone: str | None


class Submitter:
    """Submits the calls of an executor.

    Args:
        links: Connect to its server.
        pickler: Sends what has no other way; None to refuse it.
    """

    def __init__(self, links: Links, pickler: Pickler | None) -> None:
        self._links = links
        self._calls = CallMaker(pickler)

    @property
    def link(self) -> Link:
        """The connection at the moment."""
        return self._links.now

    def submit(
        self,
        fn: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        options: TaskOptions,
        *,
        key: str | None = None,
        after: After = (),
    ) -> TaskFuture[Any]:
        """Submit one call; see :meth:`Executor.submit`."""
        self.link.check_open()
        options = _with_own(fn, options)
        call = self._calls.call(fn, args, kwargs)
        if key is not None:
            return self._submit_once(fn, call, options, key, after)
        return self._send([call], name_of(fn), options, after)[0]

    def batches(
        self, fn: Callable[..., Any], options: TaskOptions, after: After, *, in_chunks: bool
    ) -> Callable[[Sequence[Sequence[tuple[Any, ...]]]], list[TaskFuture[Any]]]:
        """Return a function that submits several calls of ``fn`` at once, each for one or more tuples of arguments."""
        name, options = name_of(fn), _with_own(fn, options)

        def submit(chunks: Sequence[Sequence[tuple[Any, ...]]]) -> list[TaskFuture[Any]]:
            self.link.check_open()
            calls = [self._chunk(fn, each, in_chunks) for each in chunks]
            return self._send(calls, name, options, after)

        return submit

    def schedule(
        self, name: str, fn: Callable[..., Any], args: Sequence[Any], options: TaskOptions, timing: Timing
    ) -> Schedule:
        """Have the server call a function again and again; see :meth:`Executor.schedule`."""
        self.link.check_open()
        options = _with_own(fn, options)
        call = self._calls.call(fn, args, {})
        if len(packed_arguments(call)) > LARGEST_INLINE:
            raise UnsendableError(
                f"a schedule cannot have arguments, or a function by value, of more than {LARGEST_INLINE:,} bytes: "
                "write what is large to a file, and pass its path"
            )
        (execution_id,) = self.link.new_ids(1)
        request, _ = self._request(call, options, _given(options, name_of(fn), ()), execution_id)
        environment = task_environment(self.link.environment, options)
        request = msgspec.structs.replace(request, environment=environment)
        return self.link.schedule(
            ScheduleRequest(name=name, request=request, every=timing.every, cron=timing.cron, timezone=timing.timezone)
        )

    def check_no_clash(self, fn: Callable[..., Any], kwargs: dict[str, Any]) -> None:
        """Check that ``key`` and ``after`` are not parameters of the function.

        Raises:
            TypeError: One of them is.
        """
        signature = self._calls.target(fn).signature
        for word in ("key", "after"):
            parameter = None if signature is None else signature.parameters.get(word)
            if word in kwargs and parameter is not None and parameter.kind is not inspect.Parameter.POSITIONAL_ONLY:
                raise TypeError(
                    f"{name_of(fn)} has a parameter {word!r} of its own: pass it by position, "
                    f"and what submit takes as executor.options({word}=...).submit(...)"
                )

    def _chunk(self, fn: Callable[..., Any], items: Sequence[tuple[Any, ...]], in_chunks: bool) -> Call:
        calls = [self._calls.call(fn, item, {}) for item in items]
        return self._calls.many(calls) if in_chunks else calls[0]

    def _send(self, calls: list[Call], name: str, options: TaskOptions, after: After) -> list[TaskFuture[Any]]:
        given, environment = _given(options, name, after), task_environment(self.link.environment, options)
        futures: list[TaskFuture[Any]] = []
        some: list[ExecuteRequest] = []
        size = 0
        for call, execution_id in zip(calls, self.link.new_ids(len(calls)), strict=True):
            request, length = self._request(call, options, given, execution_id)
            if some and size + length > _BATCH_BYTES:
                futures += self.link.submit(some, environment, name)
                some, size = [], 0
            some.append(request)
            size += length
        return futures + self.link.submit(some, environment, name)

    def _request(
        self, call: Call, options: TaskOptions, given: SubmitOptions, execution_id: str, *, has_key: bool = False
    ) -> tuple[ExecuteRequest, int]:
        """Return a submission, whose arguments are in a file if they are large, and its approximate size."""
        if "retry_on" in options or options.get("bars"):
            call = msgspec.structs.replace(call, retry_on=retry_references(options), bars=options.get("bars", False))
        with_id: SubmitOptions = {**given, "submission_id": execution_id}
        request = ExecuteRequest(payload=call, **with_id)
        data = packed_arguments(call)
        if len(data) > LARGEST_INLINE:
            stored = self.link.store(request.submission_id, data)
            if stored is not None:
                if has_key:
                    stored = msgspec.structs.replace(stored, values=digest_of_values(call))
                return msgspec.structs.replace(request, payload=call.without_arguments(stored)), 0
        return request, len(data) + len(call.pickled or b"")

    def _submit_once(
        self, fn: Callable[..., Any], call: Call, options: TaskOptions, key: str, after: After
    ) -> TaskFuture[Any]:
        """Submit a call unless its key was used before; return the future of the execution that has it."""
        execution_id = self.link.scope + _id_of(key)
        request, _ = self._request(call, options, _given(options, name_of(fn), after), execution_id, has_key=True)
        if not self._is_accepted(request, task_environment(self.link.environment, options)):
            self._check_same(execution_id, key, call, name_of(fn))
        return self.link.attach(execution_id, name_of(fn))

    def _is_accepted(self, request: ExecuteRequest, environment: TaskEnvironment | None) -> bool:
        """Submit a request; return False if its id belongs to another one."""
        try:
            self.link.submit_once(request, environment)
        except RequestRefusedError as error:
            if error.code is not ErrorCode.CONFLICT:
                raise
            return False
        return True

    def _check_same(self, execution_id: str, key: str, call: Call, name: str) -> None:
        submission = self.link.submission_of(execution_id)
        known = read_call(submission.payload)
        if content_of(known) != content_of(call):
            raise KeyUsedError(key_used_text(key, known, call, (submission.name, name)))


def _given(options: TaskOptions, name: str, after: After) -> SubmitOptions:
    ids = [each if isinstance(each, str) else each.execution_id for each in after]
    return {**submit_options(options, name), "after": ids}


def _with_own(fn: Callable[..., Any], options: TaskOptions) -> TaskOptions:
    """Return the options of the function, and those of the executor, which come first."""
    return TaskOptions(**{**fn.options, **options}) if isinstance(fn, Declared) else options


def _id_of(key: str) -> str:
    check_key(key)
    return f"key-{hashlib.blake2b(key.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"
