"""A client: finds or starts its server, asks it within deadlines, and hears what it publishes."""

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
from zmqruntime.server_code import check_server, default_port_of
from zmqruntime.standing import ClientState, Standing
from zmqruntime.subscription import Subscription
from zmqruntime.vocabulary import union_of

__all__ = ["ClientState", "Standing", "ZMQClient", "checked"]


class ZMQClient(ControlClient):
    """Talks to one server from any thread, and receives what it publishes; one I/O thread owns its sockets.

    A server that does not answer for a while is waited for, and so is the successor of one that has ended: this
    client starts it itself if it may and somebody waits for something. Whoever only asks, for example a viewer that
    publishes nothing, needs no more than a :class:`ControlClient`.

    Args:
        port: the server's data port; None for the default port of the server class that the client names, or the
            configuration's.
        host: where a TCP server is; naming one selects TCP. Servers are only started on this machine.
        transport_mode: IPC or TCP; IPC where the platform has it and no host is named.
        config: what the server and its clients agree on.
        persistent: whether a server that this client starts outlives it; otherwise it ends with the client, also
            when the client is killed.
    """

    server_target: ClassVar[str | None] = None
    """``module:Class`` of the server to start when none answers; None to never start one."""

    restarts_server: ClassVar[bool] = True
    """Whether it starts the successor of a server that was killed by itself, while somebody waits; otherwise only
    ``connect()`` does."""

    def __init__(
        self,
        port: int | None = None,
        *,
        host: str | None = None,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig | None = None,
        persistent: bool = True,
    ) -> None:
        super().__init__(port, host=host, transport_mode=transport_mode, config=config)
        self.persistent = persistent
        self._process: subprocess.Popen[bytes] | None = None
        self._outdated: OutdatedServerError | None = None

    def connect(self, timeout: float = 15.0) -> PongResponse:
        """Attach to the server of this port, or start one if nothing listens there; says who it is.

        May be called again after the server was lost; clients that may start a server do so by themselves.

        Raises:
            PortInUseError: something else listens there; it is left alone.
            ServerSilentError: a server of ours holds the port, and has not answered within ``timeout`` seconds.
            WrongServerError: the server there is of another class, or of another environment, than this client names.
            ServerStartError: the server that was started did not come up; the error has the end of its log.
            ConnectionFailedError: nothing listens and nothing can be started.
            ClosedError: after ``disconnect()``.
        """
        return super().connect(timeout)

    def disconnect(self) -> None:
        """Release the sockets and the thread, and end the server if this client owns it. May be called twice.

        In a forked child it does nothing: all that is the parent's.
        """
        super().disconnect()

    # --- what is published ---------------------------------------------------------------------------------------

    def subscribe(self, topic: bytes) -> None:
        """Receive what the server publishes on topics that begin with ``topic``."""
        self.call_soon(lambda: self.subscription.add(topic))

    # --- for subclasses, called on the I/O thread ----------------------------------------------------------------

    def on_event(self, topic: bytes, event: Message) -> None:
        """The server has published an event of the vocabulary. One that was lost on the way does not come again."""

    def on_heartbeat(self, heartbeat: Heartbeat) -> None:
        """The server said that it lives."""

    def on_resync(self) -> None:
        """The data channel is open, for the first time or again: what was published before may have been missed."""

    def make_event_decoder(self) -> Callable[[bytes], Message]:
        """What turns bytes from the data channel into a message."""
        return Decoder[Message](union_of(self._speaks.events))

    # --- finding and starting ------------------------------------------------------------------------------------

    def server_spec(self) -> ServerSpec | None:
        """The server to start when none answers, or None to never start one."""
        return None if self.server_target is None else self.spec_for(self.server_target)

    def default_port(self) -> int:
        """The data port when none is named."""
        return default_port_of(self.server_target, self.config)

    def spec_for(self, target: str) -> ServerSpec:
        """The server class ``target`` with the port and the settings of this client."""
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
        """What is to be said of a server that runs an earlier state of the code that this client names."""
        return self._outdated

    @property
    def owns_server(self) -> bool:
        """Whether this client has started the server."""
        return self._process is not None

    def ensure_server(self, deadline: float) -> None:
        """Start a server if nothing listens. Raises as :meth:`connect` does."""
        lifetime = Lifetime.PERSISTENT if self.persistent else Lifetime.OWNED
        process = start_server(self.address, self.server_spec(), lifetime, deadline)
        if process is not None:
            if self._process is not None:
                let_go(self._process)
            self._process = process

    def check_identity(self, pong: PongResponse) -> None:
        """Compare the server with the class that this client names, if it is of this machine.

        Raises:
            WrongServerError: it is of another class, or of another environment.
        """
        spec = self.server_spec()
        self._outdated = None if spec is None or not self.is_local else check_server(spec.target, pong)

    def let_server_go(self) -> None:
        """End the server that this client has started, if it is not to outlive it."""
        process, self._process = self._process, None
        if process is not None:
            let_go(process)

    def may_start_successor(self) -> bool:
        """Whether it names a server class, and may start it by itself."""
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
    def expects_word(self) -> bool:
        """Whether silence means something: always, since heartbeats are subscribed to."""
        return True

    def on_published(self, topic: bytes, message: Message) -> None:
        """Sort what the server has published."""
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
        """What cannot be read is a sign of life, too."""
        self._vigil.heard()
