"""The server behind an executor: each task is a call of a function."""

import contextlib
import functools
import os
import sys
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from zmqruntime.config import Security, TransportMode, ZMQConfig
from zmqruntime.environment import TaskEnvironment
from zmqruntime.exceptions import ConfigurationError
from zmqruntime.execution.executor.argument_files import read_arguments, remove_arguments, stored_ids
from zmqruntime.execution.executor.calls import Call, read_call, with_arguments
from zmqruntime.execution.executor.environment import with_search_path
from zmqruntime.execution.executor.messages import (
    FUNCTIONS_SERVER,
    DescribeRequest,
    DescribeResponse,
    PackedCallsRequest,
)
from zmqruntime.execution.executor.nested import running_on
from zmqruntime.execution.executor.pickling import CloudPickler
from zmqruntime.execution.executor.running import run_call
from zmqruntime.execution.executor.values import Values
from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.execution.server.server import ExecutionServer
from zmqruntime.messages import ExecuteRequest, Message, PackedBatchRequest, PackedExecuteRequest, PongResponse

__all__ = ["FunctionServer", "default_workers"]

_MOST_WORKERS = 16
_SWEEP_SECONDS = 1.0


class FunctionServer(ExecutionServer):
    """Runs functions that an executor submits, each in a worker process.

    Args:
        port: Data port of the server; see :class:`zmqruntime.ZMQServer`.
        name: Name of the executor.
        max_workers: How many functions run at the same time; by default one for each CPU, at most 16.
        allow_pickle: Whether to run pickled functions and read pickled arguments, which may hold any code.
        python_path: Folders from which functions are imported in the environment of this server.
        options: Further options of :class:`ExecutionServer`.

    Raises:
        ConfigurationError: Pickles are asked for on a TCP port without keys.
    """

    vocabulary = FUNCTIONS_SERVER
    reruns_lost_tasks: ClassVar[bool] = True

    def __init__(
        self,
        port: int | None = None,
        *,
        name: str = "",
        max_workers: int | None = None,
        allow_pickle: bool = False,
        python_path: Sequence[str] = (),
        **options: Any,
    ) -> None:
        workers = default_workers() if max_workers is None else max_workers
        super().__init__(port, max_concurrent=workers, **options)
        self.name = name
        self.allow_pickle = allow_pickle
        self._python_path = list(python_path)
        if allow_pickle:
            check_pickle_is_safe(self.transport_mode, self.config)
        self._values = Values(CloudPickler() if allow_pickle else None)

    def worker_options(self) -> dict[str, Any]:
        """Return what the workers need to know."""
        return {"name": self.name, "allow_pickle": self.allow_pickle, "max_workers": self.max_concurrent}

    def own_environment(self) -> TaskEnvironment | None:
        """Return the environment of this process, with the search path of the program that started it."""
        own = super().own_environment()
        return None if own is None else with_search_path(own, self._python_path)

    def execute_task(self, execution_id: str, request: ExecuteRequest) -> Any:
        """Call the function; see :func:`zmqruntime.execution.executor.running.run_call`."""
        with running_on(self.port, self.max_concurrent):
            return run_call(read_call(request.payload), self._values, self._completed)

    def _completed(self, call: Call) -> Call:
        """Return the call with what of it is in a file."""
        if call.stored is None:
            return call
        return with_arguments(call, read_arguments(self.config.server_dir(self.port), call.stored))

    def handle_request(self, request: Message) -> Message:
        """Answer requests about executions, and those of an executor."""
        if isinstance(request, PackedCallsRequest):
            return super().handle_request(PackedBatchRequest(requests=_each_with_environment(request)))
        if isinstance(request, DescribeRequest):
            return DescribeResponse(
                name=self.name,
                max_workers=self.max_concurrent,
                allow_pickle=self.allow_pickle,
                resources=self.resources,
            )
        return super().handle_request(request)

    def on_open(self, stack: contextlib.ExitStack) -> None:
        """Open the server, and look for stored arguments of executions that have ended in the meantime."""
        self._has_sweep_due = False
        super().on_open(stack)
        self.loop.call_soon(self._sweep)

    def _on_ended(self) -> None:
        super()._on_ended()
        if not self._has_sweep_due:  # whether anything is stored is not worth a look for each of many
            self._has_sweep_due = True
            self.loop.call_later(_SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Delete stored arguments of executions that have ended, or were never submitted."""
        self._has_sweep_due = False
        folder = self.config.server_dir(self.port)
        for execution_id, is_new in stored_ids(folder):
            record = self._ledger.find(execution_id)
            is_over = not is_new if record is None else has_ended(record.status, record.resumable)
            if is_over:
                remove_arguments(folder, execution_id)

    @functools.cached_property
    def _pong(self) -> PongResponse:
        """Also tell the name of the executor, which ``zmqruntime list`` shows."""
        pong = super()._pong
        return msgspec.structs.replace(pong, server=f"Executor {self.name}") if self.name else pong


def _each_with_environment(request: PackedCallsRequest) -> list[PackedExecuteRequest]:
    if request.environment is None:
        return request.requests
    return [msgspec.structs.replace(each, environment=request.environment) for each in request.requests]


def default_workers() -> int:
    """Return the number of CPUs that this process may use, at most 16."""
    if sys.platform == "linux":
        return min(len(os.sched_getaffinity(0)), _MOST_WORKERS)
    return min(os.cpu_count() or 1, _MOST_WORKERS)


def check_pickle_is_safe(transport_mode: TransportMode, config: ZMQConfig) -> None:
    """Check that nobody but this user, or the owner of a trusted key, can send a pickle.

    Raises:
        ConfigurationError: Anybody who reaches the port could.
    """
    if transport_mode is TransportMode.TCP and config.security is Security.NONE:
        raise ConfigurationError(
            "allow_pickle=True is refused on a TCP port without keys, where anybody could run code: "
            "use Security.CURVE, or the socket of the same user (no host)"
        )
