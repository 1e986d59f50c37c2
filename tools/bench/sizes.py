"""The cost of large results, many results and bad messages: memory of the server and ping times of other clients.

python tools/bench/sizes.py [PORT [PART OF A CASE'S NAME]]

Prints one line for each case: its outcome, the peak resident size of the server, the ping times of another client
meanwhile, and the peak size of the results on disk. Each case has its own server in a new home folder. The case of
10,000 results keeps the last 1,000 of them, about 4 GB.
"""

import contextlib
import itertools
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import zmq

from zmqruntime import ExecuteRequest
from zmqruntime.execution import ExecutionClient, ExecutionServer
from zmqruntime.execution.events.result_files import result_dir
from zmqruntime.messages import PingRequest, PongResponse, StateChange
from zmqruntime.transport import get_zmq_transport_url

MB = 1 << 20
_KEPT = 1_000
_AT_ONCE = 500
_LOOK_EVERY = 200  # pings


class SizesServer(ExecutionServer):
    """A server whose tasks return the requested number of bytes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_concurrent": 2, "keep_history": _KEPT, **kwargs})

    def execute_task(self, execution_id: str, request: ExecuteRequest) -> Any:
        """Return ``payload["size"]`` bytes."""
        return b"x" * int(request.payload["size"])


class Watch:
    """Pings a server and watches its memory continuously."""

    def __init__(self, port: int, pid: int) -> None:
        self._client = ExecutionClient(port)
        self._client.connect()
        self._folder = result_dir(self._client.config, port)
        self._status = Path(f"/proc/{pid}/status")
        self._pings: list[float] = []
        self._disk = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        for number in itertools.count():
            if self._ended.wait(0.005):
                return
            if number % _LOOK_EVERY == 0:
                self._disk = max(self._disk, _bytes_in(self._folder))
            begun = time.perf_counter()
            self._client.request(PingRequest(), PongResponse, 60)
            self._pings.append(time.perf_counter() - begun)

    def close(self) -> str:
        """Return the observations in words."""
        self._ended.set()
        self._thread.join()
        self._client.disconnect()
        lines = self._status.read_text().splitlines()
        peak = next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))
        pings = sorted(self._pings)
        at = [pings[min(len(pings) - 1, int(len(pings) * part))] * 1000 for part in (0.5, 0.99)]
        times = f"p50 {at[0]:.1f}, p99 {at[1]:.1f}, max {pings[-1] * 1000:.0f} ms"
        return f"server {peak} MB at most; {len(pings)} pings: {times}; results on disk {self._disk // MB:,} MB"


def _bytes_in(folder: Path) -> int:
    size = 0
    with contextlib.suppress(FileNotFoundError):  # not created yet, or pruned meanwhile
        for entry in os.scandir(folder):
            size += entry.stat().st_size
    return size


def results(client: ExecutionClient, sizes: list[int]) -> str:
    """Submit, wait, and fetch each result, listing executions in between."""
    ids = client.submit_batch([client.request_for({"size": size}) for size in sizes], 60)
    ends = []
    for execution_id in ids:
        ended = client.wait(execution_id, 600)
        ends.append(f"{ended.status}" if ended.error is None else f"{ended.status}: {ended.error[:70]}")
        assert ended.result is None or len(ended.result) in sizes
    client.status()
    client.history(1000)
    return ", ".join(f"{ends.count(end)} {end}" for end in dict.fromkeys(ends))


def many_results(client: ExecutionClient, count: int, size: int) -> str:
    """Submit ``count`` executions in groups of a few hundred, and wait for each without fetching its result."""
    ends: Counter[str] = Counter()
    while (lacking := count - ends.total()) > 0:
        requests = [client.request_for({"size": size}) for _ in range(min(lacking, _AT_ONCE))]
        for execution_id in client.submit_batch(requests, 60):
            for event in client.events(execution_id):
                last = event
            ends[str(last.execution.status) if isinstance(last, StateChange) else "not ended"] += 1
    return ", ".join(f"{number:,} {end}" for end, number in ends.items())


def raw_messages(client: ExecutionClient, data: bytes, count: int) -> str:
    """Send bytes that our own client would refuse."""
    context = zmq.Context()
    sock = context.socket(zmq.DEALER)
    sock.linger = 0
    sock.connect(get_zmq_transport_url(client.control_port))
    answers = []
    for _ in range(count):
        sock.send_multipart([b"", data])
        answers.append(
            msgspec.msgpack.decode(sock.recv_multipart()[-1])["code"] if sock.poll(5_000) else "disconnected"
        )
    sock.close()
    context.term()
    return ", ".join(f"{answers.count(answer)} {answer}" for answer in dict.fromkeys(answers))


def never_reads(client: ExecutionClient) -> str:
    """Request pieces of a large result 300 times without reading a reply."""
    (execution_id,) = client.submit_batch([client.request_for({"size": 20 * MB})], 60)
    client.wait(execution_id, 60)
    context = zmq.Context()
    sock = context.socket(zmq.DEALER)
    sock.linger, sock.rcvhwm = 0, 1
    sock.connect(get_zmq_transport_url(client.control_port))
    request = msgspec.msgpack.encode({"type": "result", "execution_id": execution_id})
    for number in range(300):
        sock.send_multipart([b"%d" % number, b"", request])
    threading.Event().wait(5)
    sock.close()
    context.term()
    return "300 pieces requested, none read"


def execute(payload: bytes) -> bytes:
    """Return a submission with an encoded payload."""
    return msgspec.msgpack.encode({"type": "execute", "submission_id": "12345678", "payload": msgspec.Raw(payload)})


def nothing(client: ExecutionClient) -> str:
    """Do nothing for a while, to measure the noise of the machine."""
    threading.Event().wait(5)
    return "5 s"


CASES: dict[str, Callable[[ExecutionClient], str]] = {
    "nothing": nothing,
    "a result of 1 GB": lambda client: results(client, [1024 * MB]),
    "8 results of 70 MB": lambda client: results(client, [70 * MB] * 8),
    "200 results of 4 MB": lambda client: results(client, [4 * MB] * 200),
    "10,000 results of 4 MB": lambda client: many_results(client, 10_000, 4 * MB),
    "a message of 100 MB": lambda client: raw_messages(client, b"x" * (100 * MB), 2),
    "10^6 nested lists": lambda client: raw_messages(client, execute(b"\x91" * 10**6 + b"\x90"), 5),
    "60 million empty lists": lambda client: raw_messages(
        client, execute(b"\xdd" + (60_000_000).to_bytes(4) + b"\x90" * 60_000_000), 3
    ),
    "replies that nobody reads": never_reads,
}


@contextlib.contextmanager
def home() -> Iterator[None]:
    """Use a new home folder in the block."""
    before = os.environ.get("HOME", "")
    with tempfile.TemporaryDirectory(prefix="zr") as folder:
        os.environ["HOME"] = folder
        yield
        os.environ["HOME"] = before


def main() -> None:
    """Run all cases, or those whose names contain the second argument."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 7791
    for name, case in CASES.items():
        if len(sys.argv) > 2 and sys.argv[2] not in name:
            continue
        with home(), ExecutionClient(port, server=SizesServer, persistent=False) as client:
            client.wait(client.submit({"size": 1}), 60)
            watch = Watch(port, client.server.pid)
            try:
                outcome = case(client)
            finally:
                seen = watch.close()
            print(f"{name}: {outcome}; {seen}", flush=True)


if __name__ == "__main__":
    main()
