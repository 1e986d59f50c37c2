"""A viewer as a process: started if none answers, else found, checked, stopped; its log is shown when it fails."""

import abc
import concurrent.futures
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import msgspec

from zmqruntime.address import Address
from zmqruntime.base_messages import PingRequest, PongResponse
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.control_client import ControlClient, checked
from zmqruntime.exceptions import (
    ConnectionFailedError,
    MessageError,
    PortInUseError,
    RequestRefusedError,
    RequestTimeoutError,
    ServerStartError,
)
from zmqruntime.identity import ProcessIdentity
from zmqruntime.launch import Lifetime, ServerSpec
from zmqruntime.lock import FileLock
from zmqruntime.process_log import log_tail, open_log
from zmqruntime.streaming.segments import sweep_segments
from zmqruntime.streaming.server import StreamingVisualizerServer
from zmqruntime.transport import (
    choose_transport_mode,
    prepare_private_dir,
    remove_ipc_socket,
)

__all__ = ["VisualizerProcessManager"]

_KEEP_MEMORY = MappingProxyType(
    {
        "MALLOC_TRIM_THRESHOLD_": str(256 * 1024 * 1024),
        "MALLOC_MMAP_THRESHOLD_": str(256 * 1024 * 1024),
        "MALLOC_TOP_PAD_": str(64 * 1024 * 1024),
    }
)
_LOG_TAIL_BYTES = 4096
_PING_SECONDS = 3.0
_LOOK_AGAIN_SECONDS = 0.5  # whether a viewer that does not answer is still there
_LOOK_SECONDS = 0.05  # there is no one event for "it answers" and "it has ended" that all systems have


class VisualizerProcessManager(abc.ABC):
    """The viewer on one port of this machine; subclasses say how it is started.

    Args:
        port: the viewer's data port.
        transport_mode: IPC or TCP; IPC where the platform has it.
        config: what the viewer and its producers agree on.
        persistent: whether a viewer that was started here outlives :meth:`close`.
    """

    def __init__(
        self,
        port: int,
        *,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig | None = None,
        persistent: bool = True,
    ) -> None:
        self.config = config or ZMQConfig()
        self.port = int(port)
        self.persistent = persistent
        self.transport_mode = choose_transport_mode(transport_mode)
        self._address = Address.of(self.port, None, self.transport_mode, self.config)
        self._process: subprocess.Popen[bytes] | None = None

    @abc.abstractmethod
    def get_launch_command(self) -> list[str]:
        """The program of the viewer and its arguments. It must serve ``self.port`` until it is told to end."""

    def get_launch_env(self) -> Mapping[str, str]:
        """The environment of the viewer: this process's own, and glibc's malloc told to keep memory for the next image.

        By default it gives the memory of a large array back to the system, and the next one is made of new pages, one
        page fault each: a third of the time that such an array takes over TCP.
        """
        return {**_KEEP_MEMORY, **os.environ}

    def server_command(self, server: type[StreamingVisualizerServer] | str, **options: Any) -> list[str]:
        """For :meth:`get_launch_command`: a server class, or ``module:Class``, run as it is in a process of its own."""
        spec = ServerSpec(
            target=server if isinstance(server, str) else ServerSpec.target_of(server),
            port=self.port,
            transport_mode=self.transport_mode,
            config=self.config,
            options=options,
            sys_path=sys.path,
        )
        arguments = [Lifetime.PERSISTENT, msgspec.json.encode(spec).decode()]
        return [sys.executable, "-P", "-m", "zmqruntime.server_process", *arguments]

    @property
    def log_path(self) -> Path:
        """Where what the viewer prints goes."""
        return self.config.server_dir(self.port) / "viewer.log"

    def start(self, timeout: float = 30.0) -> PongResponse:
        """Attach to the viewer of this port, or start one and wait until it answers; says who it is.

        Raises:
            ServerStartError: it ended, or did not answer in time; the error has the end of its log.
            PortInUseError: something that is not a viewer of ours listens there; it is left alone.
            ConnectionFailedError: another process is still starting one.
        """
        deadline = time.monotonic() + timeout
        folder = prepare_private_dir(self.config.home / self.config.ipc_socket_dir)
        lock = FileLock(folder / f"{self.config.ipc_socket_prefix}-{self.port}.start.lock")
        if not lock.acquire(timeout):
            raise ConnectionFailedError(f"another process is still starting the viewer on port {self.port}")
        try:
            return self._attach(deadline) or self._launch(deadline, timeout)
        finally:
            lock.release()

    def health(self, timeout: float = _PING_SECONDS) -> PongResponse | None:
        """Who the viewer is, None if none answers within ``timeout`` seconds."""
        with self._attached(timeout) as client:
            return None if client is None else client.server

    @property
    def is_running(self) -> bool:
        """Whether the viewer answers."""
        return self.health() is not None

    def stop(self, timeout: float = 10.0) -> None:
        """End the viewer, whoever started it; one that was started here is killed if it does not end by itself.

        Does nothing if there is none.

        Raises:
            RequestTimeoutError: a viewer that was started elsewhere still runs.
        """
        process, self._process = self._process, None
        with self._attached(min(timeout, _PING_SECONDS)) as client:
            pong = None if client is None else client.server
            if client is not None:
                with contextlib.suppress(RequestTimeoutError, RequestRefusedError, MessageError):
                    client.shutdown_server(timeout)
        if process is not None:
            _end(process, timeout if pong is not None else 0.0)
        elif pong is not None and ProcessIdentity(pong.pid, pong.process_start).is_running():
            raise RequestTimeoutError(
                f"the viewer, process {pong.pid}, still runs {timeout:g} s after it was told to end"
            )
        if self.transport_mode is TransportMode.IPC:
            for port in (self.port, self._address.control_port):
                remove_ipc_socket(port, self.config)  # of a viewer that was killed
        sweep_segments()

    def close(self) -> None:
        """Let go: a viewer that was started here and is not ``persistent`` is stopped. May be called twice."""
        if not self.persistent and self._process is not None:
            self.stop()
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.returncode = 0  # it outlives us: keeps Popen from warning of a process that nobody waited for

    def log_tail(self, nbytes: int = _LOG_TAIL_BYTES) -> str:
        """The end of the viewer's log."""
        return log_tail(self.log_path, nbytes=nbytes)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # --- inside ----------------------------------------------------------------------------------------------------

    def _attach(self, deadline: float) -> PongResponse | None:
        """Who listens there; None if nobody does, or does no more: a viewer that was killed may take a moment to go."""
        if not self._address.is_listening():
            return None
        with contextlib.suppress(MessageError):
            response = self._ask_while(
                self._address.is_listening, max(time.monotonic() + _PING_SECONDS, deadline), _LOOK_AGAIN_SECONDS
            )
            if isinstance(response, PongResponse):
                return response
        if not self._address.is_listening():
            return None
        raise PortInUseError(
            f"port {self.port} is taken, but what listens there does not answer as a viewer; "
            "choose another port, or end it yourself if you know it"
        )

    def _launch(self, deadline: float, timeout: float) -> PongResponse:
        if self._process is not None:  # one that we started earlier, and that does not listen any more
            _end(self._process, max(0.0, min(_PING_SECONDS, deadline - time.monotonic())))
            self._process = None
        path = self.log_path
        log = open_log(path, "the viewer")
        command = list(self.get_launch_command())
        with log:
            begin = log.tell()
            try:
                process = subprocess.Popen(
                    command,
                    env=dict(self.get_launch_env()),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            except OSError as error:
                raise ServerStartError(f"cannot run {command[0]}: {error.strerror or error}") from error
        response = self._ask_while(lambda: process.poll() is None, deadline, _LOOK_SECONDS)
        if isinstance(response, PongResponse):
            self._process = process
            return response
        ended = process.poll() is not None
        _end(process, 0.0)
        what = f"ended with exit code {process.returncode}" if ended else f"did not answer within {timeout:g} s"
        raise ServerStartError(f"the viewer for port {self.port} {what}; its log is {path}", log_tail(path, begin))

    def _ask_while(self, is_there: Callable[[], bool], deadline: float, look_seconds: float) -> PongResponse | None:
        """The answer to a ping, which waits at our end until the viewer listens; None if the viewer ends before.

        Raises:
            MessageError: the answer cannot be read.
        """
        with self._client() as client:
            client.open()
            reply = client.send_request(PingRequest())
            while time.monotonic() < deadline and is_there():
                if concurrent.futures.wait([reply], look_seconds).done:
                    return checked(reply.result(), PongResponse)
        return None

    @contextlib.contextmanager
    def _attached(self, timeout: float) -> Iterator[ControlClient | None]:
        """A client of the viewer that answers, None if none does."""
        with self._client() as client:
            try:
                client.connect(timeout)
            except (ConnectionFailedError, MessageError):
                yield None
            else:
                yield client

    @contextlib.contextmanager
    def _client(self) -> Iterator[ControlClient]:
        client = ControlClient(self.port, transport_mode=self.transport_mode, config=self.config)
        try:
            yield client
        finally:
            client.disconnect()


def _end(process: "subprocess.Popen[bytes]", grace: float) -> None:
    """Wait for a child of ours for ``grace`` seconds, then kill it."""
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
