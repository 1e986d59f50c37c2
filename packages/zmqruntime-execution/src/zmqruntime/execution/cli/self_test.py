"""Runs a task that does nothing through queue, worker and result, on a server created for it and removed again."""

import contextlib
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.exceptions import ZMQRuntimeError
from zmqruntime.execution.client.client import ExecutionClient
from zmqruntime.execution.server.server import ExecutionServer
from zmqruntime.messages import ExecuteRequest, ExecutionStatus
from zmqruntime.transport import get_default_transport_mode

__all__ = ["TrialError", "TrialServer", "TrialTimes", "run_trial"]

_TARGET = "zmqruntime.execution.cli.self_test:TrialServer"
_START_SECONDS = 20.0
_RUN_SECONDS = 20.0


class TrialServer(ExecutionServer):
    """Returns its payload."""

    def execute_task(self, execution_id: str, request: ExecuteRequest) -> object:
        """The payload."""
        payload: object = request.payload
        return payload


class TrialError(Exception):
    """The task did not return what it should."""


@dataclass(frozen=True, slots=True)
class TrialTimes:
    """How many seconds the trial took: until the server answered, and until the task's result was there."""

    start: float
    run: float


def run_trial() -> TrialTimes:
    """Start a server with folders of its own, run a task on it, stop it, and remove the folders.

    Raises:
        TrialError: one of these steps failed; the message says which.
    """
    token = secrets.token_hex(8)
    with _own_folders() as config, contextlib.closing(_Trial(config)) as trial:
        try:
            begin = time.monotonic()
            trial.client.connect(_START_SECONDS)
            started = time.monotonic()
            end = trial.client.wait(trial.client.submit(token, timeout=_RUN_SECONDS), _RUN_SECONDS)
            ended = time.monotonic()
        except ZMQRuntimeError as error:
            raise TrialError(str(error)) from error
    if end.status is not ExecutionStatus.COMPLETE:
        raise TrialError(f"the task ended as {end.status}: {end.error}")
    if end.result != token:
        raise TrialError(f"the task returned {end.result!r} instead of {token!r}")
    return TrialTimes(started - begin, ended - started)


class _Trial:
    """A client that owns the server."""

    def __init__(self, config: ZMQConfig) -> None:
        has_ipc = get_default_transport_mode() is TransportMode.IPC
        port = config.default_port if has_ipc else _free_port(config.control_port_offset)
        self.client = ExecutionClient(port, server=_TARGET, persistent=False, config=config)
        self.close = self.client.disconnect


@contextlib.contextmanager
def _own_folders() -> Iterator[ZMQConfig]:
    """Next to those of other applications, to try the same disks and rights; with a name short enough for sockets."""
    config = ZMQConfig(app_name=f"d{secrets.token_hex(3)}")
    try:
        yield config
    finally:
        for folder in (config.home, config.data_dir):
            shutil.rmtree(folder, ignore_errors=True)


def _free_port(offset: int) -> int:
    while True:
        with socket.create_server(("127.0.0.1", 0)) as data:
            port: int = data.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError), socket.create_server(("127.0.0.1", port + offset)):
                return port
