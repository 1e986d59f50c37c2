"""Manages the process of a viewer: finds or starts, checks and stops it, and shows its log if it fails."""

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
from zmqruntime.frozen import module_command, module_environment
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
_NEW_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # on Windows, so that Ctrl-C here does not end it
_PING_SECONDS = 3.0
_LOOK_AGAIN_SECONDS = 0.5  # to check whether a viewer that does not reply still exists
_LOOK_SECONDS = 0.05  # there is no portable event for "it has replied or ended"


class VisualizerProcessManager(abc.ABC):
    """The viewer on one port of this machine; subclasses define how it is started.

    Args:
        port: data port of the viewer.
        transport_mode: IPC or TCP [default: IPC if the platform supports it].
        config: configuration shared by viewer and producers.
        persistent: whether a viewer started here outlives :meth:`close`.
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
        """Return the command of the viewer, which must serve ``self.port`` until it is asked to shut down."""

    def get_launch_env(self) -> Mapping[str, str]:
        """Return the environment of the viewer: that of this process, with settings for glibc's malloc.

        They make it keep memory for the next image. By default it returns the memory of large arrays to the system,
        and the next array causes a page fault for each page: a third of the time it takes to send it over TCP.
        """
        return {**_KEEP_MEMORY, **(module_environment() or os.environ)}

    def server_command(self, server: type[StreamingVisualizerServer] | str, **options: Any) -> list[str]:
        """Return a command that runs a server in its own process, for use in :meth:`get_launch_command`.

        Args:
            server: the class of the server, or ``module:Class``.
            **options: further arguments of the class.

        Returns:
            The command.
        """
        spec = ServerSpec(
            target=server if isinstance(server, str) else ServerSpec.target_of(server),
            port=self.port,
            transport_mode=self.transport_mode,
            config=self.config,
            options=options,
            sys_path=sys.path,
        )
        arguments = [Lifetime.PERSISTENT, msgspec.json.encode(spec).decode()]
        return [*module_command("zmqruntime.server_process"), *arguments]

    @property
    def log_path(self) -> Path:
        """The file with the output of the viewer."""
        return self.config.server_dir(self.port) / "viewer.log"

    def start(self, timeout: float = 30.0) -> PongResponse:
        """Attach to the viewer on this port, or start one and wait until it is ready.

        Args:
            timeout: seconds to wait.

        Returns:
            The viewer's reply to a ping, which identifies it.

        Raises:
            ServerStartError: it ended, or did not reply in time; the error contains the end of its log.
            PortInUseError: another program is listening on the port; it is left alone.
            ConnectionFailedError: another process is still starting a viewer.
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
        """Return the viewer's reply to a ping; None if there is no reply within ``timeout`` seconds."""
        with self._attached(timeout) as client:
            return None if client is None else client.server

    @property
    def is_running(self) -> bool:
        """Whether the viewer replies."""
        return self.health() is not None

    def stop(self, timeout: float = 10.0) -> None:
        """Shut down the viewer, even if it was started elsewhere; does nothing if there is none.

        A viewer that was started here is killed if it does not end.

        Args:
            timeout: seconds to wait for it to end.

        Raises:
            RequestTimeoutError: a viewer that was started elsewhere is still running.
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
                f"the viewer, process {pong.pid}, is still running {timeout:g} s after it was asked to shut down"
            )
        if self.transport_mode is TransportMode.IPC:
            for port in (self.port, self._address.control_port):
                remove_ipc_socket(port, self.config)  # left by a viewer that was killed
        sweep_segments()

    def close(self) -> None:
        """Stop a viewer that was started here, unless it is ``persistent``. Can be called more than once."""
        if not self.persistent and self._process is not None:
            self.stop()
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.returncode = (
                0  # it outlives us; this prevents Popen's warning about a process that is still running
            )

    def log_tail(self, nbytes: int = _LOG_TAIL_BYTES) -> str:
        """Return the end of the viewer's log."""
        return log_tail(self.log_path, nbytes=nbytes)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # --- inside ----------------------------------------------------------------------------------------------------

    def _attach(self, deadline: float) -> PongResponse | None:
        """Return the reply of a running viewer; None if there is none, or if a killed one has just disappeared."""
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
            f"port {self.port} is in use by a program that does not reply as a viewer; "
            "choose another port, or end that program if you know it"
        )

    def _launch(self, deadline: float, timeout: float) -> PongResponse:
        if self._process is not None:  # started earlier, and no longer listening
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
                    creationflags=_NEW_GROUP,
                )
            except OSError as error:
                raise ServerStartError(f"cannot run {command[0]}: {error.strerror or error}") from error
        response = self._ask_while(lambda: process.poll() is None, deadline, _LOOK_SECONDS)
        if isinstance(response, PongResponse):
            self._process = process
            return response
        ended = process.poll() is not None
        _end(process, 0.0)
        what = f"ended with exit code {process.returncode}" if ended else f"did not reply within {timeout:g} s"
        raise ServerStartError(f"the viewer for port {self.port} {what}; its log is {path}", log_tail(path, begin))

    def _ask_while(self, is_there: Callable[[], bool], deadline: float, look_seconds: float) -> PongResponse | None:
        """Return the reply to a ping, which is queued here until the viewer is listening; None if it ends first.

        Raises:
            MessageError: the reply cannot be read.
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
        """Yield a client of the viewer that replies, or None."""
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
    """Wait ``grace`` seconds for a child process to end, then kill it."""
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
