"""A client that finds or starts its server, sends requests with deadlines, and receives what the server publishes."""

import contextlib
import subprocess
import sys
from collections.abc import Callable
from typing import ClassVar

import zmq

from zmqruntime.base_messages import Farewell, Heartbeat, Message, PongResponse
from zmqruntime.codec import Decoder
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.control_client import ControlClient, checked
from zmqruntime.exceptions import OutdatedServerError
from zmqruntime.launch import Lifetime, ServerSpec, let_go, start_server
from zmqruntime.server import ZMQServer
from zmqruntime.server_code import check_server, default_port_of
from zmqruntime.standing import ClientState, Standing
from zmqruntime.subscription import Subscription
from zmqruntime.vocabulary import Vocabulary, check_topic, union_of

__all__ = ["ClientState", "Standing", "ZMQClient", "checked"]


class ZMQClient(ControlClient):
    """A client for one server that also receives what the server publishes; can be used from any thread.

    One I/O thread owns its sockets. The client waits for a server that does not answer for a while, and for the
    successor of one that has ended; it starts the successor itself if it is allowed to and something is waiting for a
    reply. To only send requests, for example to a viewer, which publishes nothing, a :class:`ControlClient` is enough.

    Args:
        port: the server's data port [default: the default port of the server class that the client names, or that of
            the configuration].
        host: host of a TCP server; selects TCP. Servers are started only on this machine.
        transport_mode: IPC or TCP [default: IPC if the platform supports it and no host is given].
        config: settings shared by the server and its clients.
        persistent: whether a server that this client starts outlives it; otherwise the server ends with the client,
            even if the client is killed.
        server: the server to start if none is running, as a class or as ``module:Class`` [default: ``server_target``].
            The messages in the ``vocabulary`` of a class are those of the client as well.

    Raises:
        ConfigurationError: another process cannot find the server class, or a message of its vocabulary has the name of
            another one of the client.
    """

    server_target: ClassVar[str | None] = None
    """``module:Class`` of the server to start if none is running; None to never start one."""

    restarts_server: ClassVar[bool] = True
    """Whether the client automatically starts the successor of a server that was killed while something is waiting for
    it; otherwise only ``connect()`` does."""

    def __init__(
        self,
        port: int | None = None,
        *,
        host: str | None = None,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig | None = None,
        persistent: bool = True,
        server: str | type[ZMQServer] | None = None,
    ) -> None:
        self._server_target = ServerSpec.target_of(server) if isinstance(server, type) else server or self.server_target
        super().__init__(port, host=host, transport_mode=transport_mode, config=config)
        if isinstance(server, type):
            self._speaks = self._speaks.joined(Vocabulary.of(server))
        self.persistent = persistent
        self._process: subprocess.Popen[bytes] | None = None
        self._outdated: OutdatedServerError | None = None

    def connect(self, timeout: float = 15.0) -> PongResponse:
        """Connect to the server on this port, or start one if nothing is listening there.

        May be called again after the server was lost; clients that may start a server do so automatically.

        Args:
            timeout: seconds to wait for the server.

        Returns:
            The identity of the server.

        Raises:
            PortInUseError: another program is listening there; it is left alone.
            KeyMismatchError: the server and this client do not accept each other's keys.
            ServerSilentError: a server of this application holds the port but has not answered within ``timeout``.
            WrongServerError: the server is of a different class or environment than this client names.
            ServerStartError: the started server did not come up; the error includes the end of its log.
            ConnectionFailedError: nothing is listening and nothing can be started.
            ClosedError: ``disconnect()`` was called.
        """
        return super().connect(timeout)

    def disconnect(self) -> None:
        """Release the sockets and the thread, and stop the server if this client owns it. May be called twice.

        In a forked child it does nothing, because everything belongs to the parent.
        """
        super().disconnect()

    # --- published events ----------------------------------------------------------------------------------------

    def subscribe(self, topic: bytes) -> None:
        """Receive what the server publishes on topics that start with ``topic``.

        Requests that follow reach the server after it.

        Raises:
            TypeError: the topic is not bytes.
            ClosedError: the client is not connected.
        """
        check_topic(topic)
        self.call_soon(lambda: self.subscription.add(topic))
        self._usable_link().keep_order()

    # --- for subclasses, called on the I/O thread ----------------------------------------------------------------

    def on_event(self, topic: bytes, event: Message) -> None:
        """Called when the server has published an event of the vocabulary. Events lost on the way are not repeated."""

    def on_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Called when the server has sent a heartbeat."""

    def on_resync(self) -> None:
        """Called when the data channel is open, for the first time or again: earlier events may have been missed."""

    def make_event_decoder(self) -> Callable[[bytes], Message]:
        """Return the decoder for bytes from the data channel."""
        return Decoder[Message](union_of(self._speaks.events))

    # --- finding and starting ------------------------------------------------------------------------------------

    def server_spec(self) -> ServerSpec | None:
        """Return the server to start if none is running, or None to never start one."""
        return None if self._server_target is None else self.spec_for(self._server_target)

    def default_port(self) -> int:
        """Return the data port to use if none is given."""
        return default_port_of(self._server_target, self.config)

    def spec_for(self, target: str) -> ServerSpec:
        """Return the description of server class ``target`` with the port and settings of this client."""
        return ServerSpec(
            target=target,
            port=self.port,
            host=self.host if self.transport_mode is TransportMode.TCP else None,
            transport_mode=self.transport_mode,
            config=self.config,
            sys_path=sys.path,
        )

    @property
    def outdated(self) -> OutdatedServerError | None:
        """The warning about a server that is running an earlier version of the code this client names, if it is."""
        return self._outdated

    @property
    def owns_server(self) -> bool:
        """Whether this client started the server."""
        return self._process is not None

    def ensure_server(self, deadline: float) -> None:
        """Start a server if nothing is listening. Raises the same errors as :meth:`connect`."""
        lifetime = Lifetime.PERSISTENT if self.persistent else Lifetime.OWNED
        process = start_server(self.address, self.server_spec(), lifetime, deadline)
        if process is not None:
            if self._process is not None:
                let_go(self._process)
            self._process = process

    def check_identity(self, pong: PongResponse) -> None:
        """Compare a server on this machine with the class that this client names.

        Raises:
            WrongServerError: it is of a different class or environment.
        """
        spec = self.server_spec()
        self._outdated = None if spec is None or not self.is_local else check_server(spec.target, pong)

    def let_server_go(self) -> None:
        """Stop the server that this client started, unless it is persistent."""
        process, self._process = self._process, None
        if process is not None:
            let_go(process)

    def may_start_successor(self) -> bool:
        """Return whether it names a server class that it may start automatically."""
        return self.restarts_server and self.is_local and self.server_spec() is not None

    # --- inside, on the I/O thread -------------------------------------------------------------------------------

    def on_open(self, stack: contextlib.ExitStack) -> None:
        """Open the data channel."""
        sock = self._context.socket(zmq.SUB)
        self.address.connect(sock)
        self.subscription = Subscription(
            self._io, sock, self.make_event_decoder(), self, f"the server on port {self.port}"
        )
        stack.callback(self.subscription.close)

    @property
    def listens(self) -> bool:
        """Whether it hears from its server without asking: it subscribes to heartbeats."""
        return True

    def on_published(self, topic: bytes, message: Message) -> None:
        """Dispatch a published message."""
        if self._is_closed:
            return
        match message:
            case Heartbeat():
                self._vigil.heard(message.instance_id)
                self.on_heartbeat(message)
            case Farewell():
                self._vigil.said_farewell(message.instance_id)
            case _:
                self._vigil.heard()
                self.on_event(topic, message)

    def on_unreadable(self) -> None:
        """Treat an unreadable message as a sign of life."""
        self._vigil.heard()
