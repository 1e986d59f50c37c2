"""Clients without a data channel, of servers of every kind."""

import os
import signal
import threading
from collections.abc import Callable

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from zmqruntime import (
    ClientState,
    ConnectionFailedError,
    ControlClient,
    Message,
    PongResponse,
    Standing,
    TransportMode,
    ZMQClient,
    ZMQConfig,
    ZMQServer,
)
from zmqruntime.messages import PingRequest
from zmqruntime.transport import remove_ipc_socket

QUICK = ZMQConfig(heartbeat_interval=0.1, heartbeat_window=0.3)
PORT = 7747

pytestmark = pytest.mark.usefixtures("isolated_home")


class RoutingServer(ZMQServer):
    """Has the data channel of a viewer, which is not one that can be subscribed to, and counts its pings."""

    data_socket_type = zmq.ROUTER
    pings = 0

    def handle_request(self, request: Message) -> Message:
        self.pings += isinstance(request, PingRequest)
        return super().handle_request(request)

    def on_data_readable(self) -> None:
        raise AssertionError("nothing is sent there")


class StartingClient(ZMQClient):
    """Starts a plain server when none answers."""

    server_target = "zmqruntime.server:ZMQServer"


def waiter(client: ControlClient, state: ClientState) -> Callable[[], bool]:
    """What waits until the client has come to a state."""
    reached = threading.Event()

    def note(standing: Standing) -> None:
        if standing.state is state:
            reached.set()

    client.add_listener(note)
    return lambda: reached.wait(20)


def test_a_server_of_a_viewers_kind_is_asked_over_tcp_and_its_data_channel_left_alone() -> None:
    with RoutingServer(PORT, transport_mode=TransportMode.TCP, config=QUICK) as server:
        events = server.data_socket.get_monitor_socket(zmq.EVENT_ACCEPTED)
        with ControlClient(PORT, transport_mode=TransportMode.TCP, config=QUICK) as client:
            for _ in range(3):
                assert client.request(PingRequest(), PongResponse).instance_id == server.instance_id
            assert client.state is ClientState.CONNECTED
        assert not events.poll(0), recv_monitor_message(events)
        server.data_socket.disable_monitor()
        events.close()


def test_an_idle_client_asks_nothing_and_hears_no_heartbeat() -> None:
    quiet = threading.Event()
    with RoutingServer(PORT, config=QUICK) as server, ControlClient(PORT, config=QUICK) as client:
        asked = server.pings

        def wait() -> None:
            client.loop.call_later(4 * QUICK.heartbeat_window, quiet.set)

        client.loop.call_soon(wait)
        assert quiet.wait(20)
        assert (server.pings, server.has_listeners) == (asked, False)
        assert client.state is ClientState.CONNECTED


def test_it_never_starts_a_server() -> None:
    with pytest.raises(ConnectionFailedError, match="no server is listening"):
        ControlClient(PORT, config=QUICK).connect()


@pytest.mark.skipif(os.name != "posix", reason="needs SIGSTOP")
def test_a_stopped_server_is_silent_once_it_is_asked_and_a_killed_one_is_lost_at_once() -> None:
    with StartingClient(PORT, config=QUICK, persistent=False) as owner, ControlClient(PORT, config=QUICK) as client:
        pid = owner.server.pid
        silent, back = waiter(client, ClientState.SILENT), waiter(client, ClientState.CONNECTED)
        os.kill(pid, signal.SIGSTOP)
        reply = client.send_request(PingRequest())
        assert silent()
        os.kill(pid, signal.SIGCONT)
        assert isinstance(reply.result(20), PongResponse)
        assert back()
        lost = waiter(client, ClientState.LOST)
        os.kill(pid, signal.SIGKILL)
        assert lost()
    for port in (PORT, PORT + QUICK.control_port_offset):
        remove_ipc_socket(port, QUICK)


def test_what_is_asked_before_there_is_a_server_waits_for_it() -> None:
    client = ControlClient(PORT, config=QUICK)
    try:
        client.open()
        reply = client.send_request(PingRequest())
        with ZMQServer(PORT, config=QUICK) as server:
            answer = reply.result(20)
            assert isinstance(answer, PongResponse)
            assert answer.instance_id == server.instance_id
    finally:
        client.disconnect()
