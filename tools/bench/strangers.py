"""The cost of 1,000 strangers per second, who connect over TCP and send nothing: ping times of a real client.

Limit: 50 ms at p99. The same is measured without strangers first. With `--say` each stranger sends the first byte of a
greeting, so that the server has to keep a descriptor for it; `--descriptors` limits the descriptors of the server.
"""

import argparse
import collections
import contextlib
import multiprocessing
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import figures
from figures import Figure
from turns import quantile

from zmqruntime import ZMQClient, ZMQServer
from zmqruntime.messages import PingRequest, PongResponse

PORT = 7797
HOST = "127.0.0.1"
_PAUSE_SECONDS = 0.005
_OPEN_AT_ONCE = 8_000  # descriptors of the strangers' process
_FLOOR = "without strangers"


def _limited(descriptors: int) -> None:
    import resource  # noqa: PLC0415 - not on Windows

    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


class CountedServer(ZMQServer):
    """A plain server with a limit on its descriptors."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        if limit := int(os.environ.get("BENCH_DESCRIPTORS", "0")):
            _limited(limit)
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]


class CountedClient(ZMQClient):
    """A client of this server."""

    server_target = f"{Path(__file__).resolve()}:CountedServer"


def be_strangers(seconds: float, rate: int, says: bytes, results: "multiprocessing.Queue[int]") -> None:
    """Connect in a separate process, and put the number of connections into the queue."""
    _limited(_OPEN_AT_ONCE + 100)
    opened: collections.deque[socket.socket] = collections.deque()
    begun = time.monotonic()
    count = 0
    while (passed := time.monotonic() - begun) < seconds:
        while count < passed * rate:
            count += 1
            with contextlib.suppress(BlockingIOError):
                opened.append(_connect())
            with contextlib.suppress(OSError):  # not accepted yet, or already disconnected
                opened[-1].send(says)
            if len(opened) > _OPEN_AT_ONCE:
                opened.popleft().close()
        time.sleep(0.001)
    results.put(count)
    for each in opened:
        each.close()


def _connect() -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        sock.connect((HOST, PORT + 1000))
    return sock


def ping(client: ZMQClient, goes_on: Callable[[], bool]) -> list[float]:
    """Return how long each ping took, in milliseconds."""
    took = []
    while goes_on():
        begun = time.perf_counter()
        client.request(PingRequest(), PongResponse, 60)
        took.append((time.perf_counter() - begun) * 1e3)
        time.sleep(_PAUSE_SECONDS)
    return took


def measure(options: argparse.Namespace) -> tuple[list[float], list[float], int, int, float]:
    """Pings without and with strangers, their number, the peak of descriptors, and how long a new client took."""
    spawn = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[int] = spawn.Queue()
    says = b"\xff" if options.say else b""
    process = spawn.Process(target=be_strangers, args=(options.seconds, options.rate, says, results))
    most = 0
    with CountedClient(PORT, host=HOST, persistent=False) as client:
        folder = f"/proc/{client.server.pid}/fd"
        ends_at = time.monotonic() + options.seconds / 2
        quiet = ping(client, lambda: time.monotonic() < ends_at)
        process.start()

        def goes_on() -> bool:
            nonlocal most
            most = max(most, len(os.listdir(folder)))
            return results.empty()

        pings = ping(client, goes_on)
        process.join()
        begun = time.perf_counter()
        with ZMQClient(PORT, host=HOST) as another:
            another.request(PingRequest(), PongResponse, 60)
        return quiet, pings, results.get(), most, time.perf_counter() - begun


def main() -> int:
    """Measure and report; return 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="for how long strangers connect [default: 10]")
    parser.add_argument("--rate", type=int, default=1000, help="strangers per second [default: 1000]")
    parser.add_argument("--say", action="store_true", help="each sends the first byte of a greeting")
    parser.add_argument("--descriptors", type=int, default=1024, help="descriptors of the server [default: 1024]")
    with figures.report(parser) as (options, report), tempfile.TemporaryDirectory(prefix="zb") as home:
        os.environ.update(HOME=home, BENCH_DESCRIPTORS=str(options.descriptors))
        quiet, pings, count, most, until = measure(options)
        note = f"{count:,} strangers, {len(pings):,} pings, load {os.getloadavg()[0]:.1f}"
        report.tell(
            Figure("a ping while strangers come, median", quantile(pings, 0.5), "ms", note=note),
            Figure("a ping while strangers come, median", quantile(quiet, 0.5), "ms", figures.Side.FLOOR, _FLOOR),
            Figure("a ping while strangers come, p99", quantile(pings, 0.99), "ms", bar=50),
            Figure("a ping while strangers come, p99", quantile(quiet, 0.99), "ms", figures.Side.FLOOR, _FLOOR),
            Figure("a ping while strangers connect, longest", max(pings), "ms"),
            Figure("descriptors of the server, peak", most, "", bar=options.descriptors - 100),
            Figure("until a new client is accepted afterwards", until, "s", bar=10),
        )
    return int(report.missed > 0)


if __name__ == "__main__":
    sys.exit(main())
