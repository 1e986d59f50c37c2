"""The load of 50 clients on a server with 100,000 executions in its history: loop iterations, ping and memory.

Limits: an iteration of the loop 10 ms at p99 and 50 ms at most; a ping 50 ms at p99.

Each client submits, waits, requests the status of all and of one, the history and events, and cancels, with a pause
after each call. `--quiet` measures the same server without clients, for comparison with the noise of this machine.
"""

import argparse
import itertools
import multiprocessing
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import figures
from figures import Figure, Side
from full_store import fill, name_of
from turns import TimedServer, Turn, quantile, read_turns

from zmqruntime import ExecuteRequest, ZMQConfig
from zmqruntime.execution import ExecutionClient
from zmqruntime.messages import PingRequest, PongResponse

PORT = 7794
_PROCESSES = 2
_PAUSE_SECONDS = 0.1
_PING_PAUSE_SECONDS = 0.005
_FLOOR = "8 KB written to a file, and to the disk"
_FLOOR_BYTES = 8192
_FLOOR_PLACES = 500
_FLOOR_PAUSE_SECONDS = 0.02


class MixedServer(TimedServer):
    """A server whose tasks return their payload."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **{"max_concurrent": 2, "keep_history": 10**9, **kwargs})  # type: ignore[arg-type]

    def execute_task(self, execution_id: str, request: ExecuteRequest) -> object:
        """Nothing."""
        return request.payload


class MixedClient:
    """A client that sends the mix of requests for a while."""

    def __init__(self, seed: int, history: int) -> None:
        self._random = random.Random(seed)
        self._history = history
        self._client = ExecutionClient(PORT)
        self._own: list[str] = []
        self.done: Counter[str] = Counter()

    def run(self, seconds: float) -> None:
        """Run until the deadline."""
        calls: tuple[Callable[[], object], ...] = (
            self._submit,
            self._wait,
            self._status,
            self._list_history,
            self._poll,
            self._cancel,
            self._events,
        )
        with self._client:
            ends_at = time.monotonic() + seconds
            for call in itertools.cycle(calls):
                if time.monotonic() > ends_at:
                    return
                call()
                self.done[call.__name__.strip("_")] += 1
                time.sleep(self._random.uniform(0, 2 * _PAUSE_SECONDS))

    def _submit(self) -> None:
        self._own.append(self._client.submit({"number": len(self._own)}))

    def _wait(self) -> None:
        self._client.wait(self._own[-1], 60)

    def _status(self) -> None:
        self._client.status()

    def _list_history(self) -> None:
        self._client.history(100, older_than=name_of(self._random.randrange(self._history)))

    def _poll(self) -> None:
        self._client.poll_status(name_of(self._random.randrange(self._history)))

    def _cancel(self) -> None:
        self._client.cancel(self._client.submit({"number": -1}))

    def _events(self) -> None:
        for _ in self._client.events(self._own[-1]):
            pass


def run_clients(first: int, count: int, history: int, seconds: float, results: "multiprocessing.Queue[int]") -> None:
    """Run the clients in a separate process, and put the number of calls into the queue."""
    clients = [MixedClient(number, history) for number in range(first, first + count)]
    threads = [threading.Thread(target=client.run, args=(seconds,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(sum(sum(client.done.values()) for client in clients))


def ping(seconds: float) -> list[float]:
    """Return how long each ping took, in milliseconds."""
    took = []
    with ExecutionClient(PORT) as client:
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            begun = time.perf_counter()
            client.request(PingRequest(), PongResponse, 60)
            took.append((time.perf_counter() - begun) * 1e3)
            time.sleep(_PING_PAUSE_SECONDS)
    return took


def write_plainly(seconds: float, results: "multiprocessing.Queue[list[float]]") -> None:
    """Measure a minimal loop in a separate process, and put the times of its iterations in milliseconds."""
    took: list[float] = []
    ends_at = time.monotonic() + seconds
    with tempfile.TemporaryFile(dir=os.environ["HOME"], buffering=0) as file:
        file.write(bytes(_FLOOR_BYTES * _FLOOR_PLACES))
        while time.monotonic() < ends_at:
            time.sleep(_FLOOR_PAUSE_SECONDS)
            begun = time.perf_counter()
            file.seek(len(took) % _FLOOR_PLACES * _FLOOR_BYTES)
            file.write(b"x" * _FLOOR_BYTES)
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - begun) * 1e3)
    results.put(took)


class Measured(NamedTuple):
    """The results; times are in milliseconds."""

    pings: list[float]
    plain: list[float]
    peak: int
    """The peak size of the server, in MB."""
    calls: int


def measure(options: argparse.Namespace) -> Measured:
    """Run everything against a new server."""
    spawn = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[int] = spawn.Queue()
    plain: multiprocessing.Queue[list[float]] = spawn.Queue()
    each = 0 if options.quiet else options.clients // _PROCESSES
    with ExecutionClient(PORT, server=MixedServer, persistent=False) as owner:
        processes = [
            spawn.Process(target=run_clients, args=(n * each, each, options.history, options.seconds, results))
            for n in range(_PROCESSES)
        ]
        processes.append(spawn.Process(target=write_plainly, args=(options.seconds, plain)))
        for process in processes:
            process.start()
        pings = ping(options.seconds)
        calls, written = sum(results.get() for _ in range(_PROCESSES)), plain.get()
        for process in processes:
            process.join()
        lines = Path(f"/proc/{owner.server.pid}/status").read_text().splitlines()
    peak = next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))
    return Measured(pings, written, peak, calls)


def tell(report: figures.Report, turns: list[Turn], measured: Measured) -> None:
    """Report the results."""
    pings, plain = measured.pings, measured.plain
    took, ran = [turn.took for turn in turns], [turn.ran for turn in turns]
    note = f"{len(turns):,} turns, {measured.calls:,} calls, {len(pings):,} pings, load {os.getloadavg()[0]:.1f}"
    report.tell(
        Figure("a turn of the server's loop, median", quantile(took, 0.5), "ms", note=note),
        Figure("a turn of the server's loop, p99", quantile(took, 0.99), "ms", bar=10),
        Figure("a turn of the server's loop, p99", quantile(plain, 0.99), "ms", Side.FLOOR, _FLOOR),
        Figure("a turn of the server's loop, longest", max(took), "ms", bar=50),
        Figure("a turn of the server's loop, longest", max(plain), "ms", Side.FLOOR, _FLOOR),
        Figure("the same, waits for disk and processor left out, p99", quantile(ran, 0.99), "ms", bar=10),
        Figure("the same, waits for disk and processor left out, longest", max(ran), "ms", bar=50),
        Figure("a ping of another client, median", quantile(pings, 0.5), "ms"),
        Figure("a ping of another client, p99", quantile(pings, 0.99), "ms", bar=50),
        Figure("a ping of another client, longest", max(pings), "ms"),
        Figure("resident size of the server", measured.peak, "MB", bar=150),
    )


def main() -> int:
    """Measure and report; return 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--history", type=int, default=100_000, help="executions in the history [default: 100,000]")
    parser.add_argument("--seconds", type=float, default=30, help="duration [default: 30]")
    parser.add_argument("--quiet", action="store_true", help="without clients")
    with figures.report(parser) as (options, report), tempfile.TemporaryDirectory(prefix="zb") as home:
        os.environ["HOME"] = home
        folder = ZMQConfig().server_dir(PORT)
        fill(folder / "executions.sqlite", options.history)
        measured = measure(options)
        tell(report, read_turns(folder), measured)
    return int(report.missed > 0)


if __name__ == "__main__":
    sys.exit(main())
