"""Manages the process of a viewer: finds or starts, checks and stops it, and shows its log if it fails."""

import abc
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import msgspec
import zmq

from zmqruntime.codec import Decoder, encode
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.exceptions import (
    ConnectionFailedError,
    MessageError,
    PortInUseError,
    RequestTimeoutError,
    ServerStartError,
)
from zmqruntime.identity import ProcessIdentity
from zmqruntime.launch import Lifetime, ServerSpec
from zmqruntime.lock import FileLock
from zmqruntime.messages import OkResponse, PingRequest, PongResponse, Request, Response, ShutdownRequest
from zmqruntime.streaming.link import ViewerAddress
from zmqruntime.streaming.segments import sweep_segments
from zmqruntime.streaming.server import StreamingVisualizerServer
from zmqruntime.transport import (
    choose_transport_mode,
    is_listening,
    prepare_private_dir,
    prepare_private_file,
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
_LOG_ROTATE_BYTES = 5 * 1024 * 1024
_LOG_TAIL_BYTES = 4096
_PING_SECONDS = 3.0
_LOOK_AGAIN_MS = 500  # to check whether a viewer that does not reply still exists
_LOOK_MS = 50  # there is no portable event for "it has replied or ended"


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
        self._address = ViewerAddress(self.port, None, self.transport_mode, self.config)
        self._process: subprocess.Popen[bytes] | None = None

    @abc.abstractmethod
    def get_launch_command(self) -> list[str]:
        """Return the command of the viewer, which must serve ``self.port`` until it is asked to shut down."""

    def get_launch_env(self) -> Mapping[str, str]:
        """Return the environment of the viewer: that of this process, with settings for glibc's malloc.

        They make it keep memory for the next image. By default it returns the memory of large arrays to the system,
        and the next array causes a page fault for each page: a third of the time it takes to send it over TCP.
        """
        return {**_KEEP_MEMORY, **os.environ}

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
        return [sys.executable, "-P", "-m", "zmqruntime.server_process", *arguments]

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
        if not self._is_listening():
            return None
        with contextlib.suppress(RequestTimeoutError, MessageError):
            response = self._ask(PingRequest(), timeout)
            return response if isinstance(response, PongResponse) else None
        return None

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
        pong = self.health(min(timeout, _PING_SECONDS))
        process, self._process = self._process, None
        if pong is not None:
            with contextlib.suppress(RequestTimeoutError, MessageError):
                response = self._ask(ShutdownRequest(), timeout)
                if isinstance(response, OkResponse):
                    ProcessIdentity(pong.pid, pong.process_start).wait(timeout)
        if process is not None:
            _end(process, timeout if pong is not None else 0.0)
        elif pong is not None and ProcessIdentity(pong.pid, pong.process_start).is_running():
            raise RequestTimeoutError(
                f"the viewer, process {pong.pid}, is still running {timeout:g} s after it was asked to shut down"
            )
        if self.transport_mode is TransportMode.IPC:
            for port in (self.port, self._control_port):
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
        return _tail(self.log_path, 0, nbytes)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # --- inside ----------------------------------------------------------------------------------------------------

    def _attach(self, deadline: float) -> PongResponse | None:
        """Return the reply of a running viewer; None if there is none, or if a killed one has just disappeared."""
        if not self._is_listening():
            return None
        with contextlib.suppress(MessageError):
            response = self._ask_while(
                self._is_listening, max(time.monotonic() + _PING_SECONDS, deadline), _LOOK_AGAIN_MS
            )
            if isinstance(response, PongResponse):
                return response
        if not self._is_listening():
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
        try:
            if path.exists() and path.stat().st_size > _LOG_ROTATE_BYTES:
                path.replace(path.with_name("viewer.log.1"))
            prepare_private_file(path)
            log = path.open("ab")
        except OSError as error:
            raise ServerStartError(f"cannot write the viewer's log {path}: {error.strerror or error}") from error
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
        response = self._ask_while(lambda: process.poll() is None, deadline, _LOOK_MS)
        if isinstance(response, PongResponse):
            self._process = process
            return response
        ended = process.poll() is not None
        _end(process, 0.0)
        what = f"ended with exit code {process.returncode}" if ended else f"did not reply within {timeout:g} s"
        raise ServerStartError(
            f"the viewer for port {self.port} {what}; its log is {path}", _tail(path, begin, _LOG_TAIL_BYTES)
        )

    def _ask_while(self, is_there: Callable[[], bool], deadline: float, look_ms: int) -> Response | None:
        """Return the reply to a ping, which is queued here until the viewer is listening; None if it ends first.

        Raises:
            MessageError: the reply cannot be read.
        """
        with zmq.Context() as context, self._address.connect(context, zmq.DEALER, self._control_port) as sock:
            sock.linger = 0
            sock.send_multipart([b"", encode(PingRequest())])
            while time.monotonic() < deadline and is_there():
                if sock.poll(look_ms):
                    return _decode(sock.recv_multipart()[-1])
        return None

    def _ask(self, request: Request, timeout: float) -> Response:
        with zmq.Context() as context, self._address.connect(context, zmq.DEALER, self._control_port) as sock:
            sock.linger = 0
            sock.send_multipart([b"", encode(request)])
            if not sock.poll(int(timeout * 1000)):
                raise RequestTimeoutError(f"the viewer on port {self.port} did not reply within {timeout:g} s")
            return _decode(sock.recv_multipart()[-1])

    @property
    def _control_port(self) -> int:
        return self.port + self.config.control_port_offset

    def _is_listening(self) -> bool:
        return is_listening(self._control_port, self._address.host, self.transport_mode, self.config)


_decode: Decoder[Response] = Decoder(Response)


def _end(process: "subprocess.Popen[bytes]", grace: float) -> None:
    """Wait ``grace`` seconds for a child process to end, then kill it."""
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tail(path: Path, begin: int, nbytes: int) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(begin, size - nbytes))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""
