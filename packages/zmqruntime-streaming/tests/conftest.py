"""No test leaves anything behind; each transport of this machine is a parameter."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from zmq.utils.garbage import gc as collector

from zmqruntime.testing import no_leaks

__all__ = ["no_leaks"]

TRANSPORTS = ["inproc", "tcp"] if sys.platform == "win32" else ["inproc", "ipc", "tcp"]


@pytest.fixture(scope="session")
def zero_copy_thread() -> Iterator[None]:
    """pyzmq's own thread, which frees what was sent without a copy; it lives as long as the process."""
    collector.start()
    yield
    collector.stop()


@pytest.fixture(autouse=True)
def nothing_left(zero_copy_thread: None, no_leaks: None) -> None:
    """Every test here is watched for leaks."""


@pytest.fixture(params=TRANSPORTS)
def socket_pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[zmq.SyncSocket, zmq.SyncSocket]]:
    """A connected sender and receiver."""
    address = {"inproc": "inproc://arrays", "ipc": f"ipc://{tmp_path}/s", "tcp": "tcp://127.0.0.1:*"}[request.param]
    with zmq.Context() as context, context.socket(zmq.PUSH) as sender, context.socket(zmq.PULL) as receiver:
        sender.linger = 0
        receiver.rcvtimeo = sender.sndtimeo = 10_000
        receiver.bind(address)
        endpoint = receiver.last_endpoint
        assert isinstance(endpoint, bytes)
        sender.connect(endpoint.decode())
        yield sender, receiver
