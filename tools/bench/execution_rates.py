"""The speed of core and execution, compared with the bare operation and with other libraries, where installed.

Everything runs on this machine over IPC. Ours is durable: a submission is in an fsynced database before it is accepted,
and its end before it is reported. The other libraries (ipyparallel, distributed, ProcessPoolExecutor) keep nothing on
disk. ``nox -s bench`` installs them.
"""

import argparse
import asyncio
import concurrent.futures
import contextlib
import importlib.util
import multiprocessing
import os
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import figures
import psutil
import zmq
from figures import Figure, Report, Side
from full_store import fill

from zmqruntime import ExecutionStatus, PongResponse, ProgressUpdate
from zmqruntime.codec import encode
from zmqruntime.execution import AsyncExecutionClient, ExecutionClient
from zmqruntime.messages import PingRequest

SERVER = Path(__file__).with_name("noop_server.py")
PING = encode(PingRequest())
ROUNDS = 5
NOT_DURABLE = "not durable"


def main() -> int:
    """Measure and report; return 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=1000, help="requests and executions per median [default: 1000]")
    parser.add_argument("--batch", type=int, default=10_000, help="executions of a batch [default: 10000]")
    parser.add_argument("--events", type=int, default=100_000, help="progress events [default: 100000]")
    parser.add_argument(
        "--growth-events", type=int, default=1_000_000, help="progress events for memory growth [default: 1000000]"
    )
    parser.add_argument("--idle", type=float, default=60.0, help="seconds of idleness [default: 60]")
    with figures.report(parser) as (options, report), tempfile.TemporaryDirectory(prefix="zb") as home:
        os.environ["HOME"] = home
        insert = insert_seconds(Path(home))
        with client("NoopServer") as ours:
            measure_requests(report, ours, options.repeat)
            measure_executions(report, ours, insert, options.repeat)
            measure_cancel(report, ours)
            measure_idle(report, ours, options.idle)
        with client("ManyWorkersServer") as ours:
            measure_rates(report, ours, options.batch)
            measure_growth(report, ours, options.batch, options.growth_events)
        measure_events(report, options.events)
        measure_restart(report, options.batch)
    return int(report.missed > 0)


def median_seconds(call: Callable[[], object], repeat: int) -> float:
    """Return the median time of a call, after a tenth as many warm-up calls."""
    for _ in range(max(1, repeat // 10)):
        call()
    return statistics.median(timed(call) for _ in range(repeat))


def timed(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


# --- the floor ----------------------------------------------------------------------------------------------------


def echo(url: str) -> None:
    """Run a bare ROUTER that echoes messages until it receives an empty one."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as sock:
        sock.bind(url)
        while (frames := sock.recv_multipart())[-1]:
            sock.send_multipart(frames)
        sock.send_multipart(frames)


@contextlib.contextmanager
def bare_pair() -> Iterator[Callable[[], bytes]]:
    """Provide a call that sends the same bytes through a bare REQ/ROUTER pair in two processes."""
    with tempfile.TemporaryDirectory(prefix="zb") as folder, zmq.Context() as context, context.socket(zmq.REQ) as sock:
        url = f"ipc://{folder}/bare.sock"
        server = multiprocessing.get_context("spawn").Process(target=echo, args=(url,))
        server.start()
        sock.connect(url)

        def ask(data: bytes = PING) -> bytes:
            sock.send(data)
            return sock.recv()

        yield ask
        ask(b"")
        server.join()


def in_turns(calls: Sequence[Callable[[], object]], repeat: int) -> list[float]:
    """Return the median seconds of each call, over rounds in which they take turns, so that all see the same load."""
    rounds = [[median_seconds(call, max(1, repeat // ROUNDS)) for call in calls] for _ in range(ROUNDS)]
    return [statistics.median(found) for found in zip(*rounds, strict=True)]


def insert_seconds(folder: Path) -> float:
    """Insert one row into SQLite (WAL) with fsync."""
    with contextlib.closing(sqlite3.connect(folder / "bare.sqlite", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE t (data BLOB)")
        return median_seconds(lambda: connection.execute("INSERT INTO t VALUES (?)", (b"x" * 300,)), 300)


# --- ours ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def client(server: str) -> Iterator[ExecutionClient]:
    """A client with its own server and a warm worker."""
    with ExecutionClient(7795, server=f"{SERVER}:{server}", persistent=False) as ours:
        ours.wait(ours.submit(None), 60)
        yield ours


def measure_requests(report: Report, ours: ExecutionClient, repeat: int) -> None:
    """Measure a control request in turns with the bare pair, and with a bare socket to our server."""
    with bare_pair() as bare, zmq.Context() as context, context.socket(zmq.REQ) as sock:
        sock.connect(ours.address.control_url)

        def ask_ours() -> bytes:
            sock.send(PING)
            return sock.recv()

        calls = (lambda: ours.request(PingRequest(), PongResponse), bare, ask_ours)
        seconds, floor, server = in_turns(calls, repeat)
    report.tell(
        Figure("control request", seconds * 1e6, "us", note=f"load {os.getloadavg()[0]:.1f}"),
        Figure("control request", floor * 1e6, "us", Side.FLOOR, "pyzmq, REQ to ROUTER", bar=1 / 1.5),
        Figure("control request", server * 1e6, "us", Side.PEER, "pyzmq, REQ to our server", note="no client of ours"),
    )


def measure_executions(report: Report, ours: ExecutionClient, insert: float, repeat: int) -> None:
    """Measure an empty task from submission to its end, compared with other libraries."""
    seconds = median_seconds(lambda: ours.wait(ours.submit(None), 60), repeat)
    name = "empty task, from submission to its end"
    report.tell(
        Figure(name, seconds * 1e3, "ms", bar=1, note="written to disk on submission and at its end"),
        Figure(name, insert * 1e3, "ms", Side.FLOOR, "SQLite, one insert with fsync", note="this project does two"),
    )
    pool = process_pool_seconds(repeat)
    report.tell(Figure(name, pool * 1e3, "ms", Side.PEER, "ProcessPoolExecutor", note=NOT_DURABLE))
    for package, bar, peer in (("ipyparallel", 4, ipyparallel_seconds), ("distributed", 10, distributed_seconds)):
        if importlib.util.find_spec(package) is not None:
            report.tell(Figure(name, peer(repeat) * 1e3, "ms", Side.PEER, package, bar=bar, note=NOT_DURABLE))


def measure_rates(report: Report, ours: ExecutionClient, batch: int) -> None:
    """Measure executions per second."""
    begin = time.perf_counter()
    count = asyncio.run(submit_as_they_come(ours.port, batch))
    rate = count / (time.perf_counter() - begin)
    many = batch / run_batch(ours, batch)
    report.tell(
        Figure("empty tasks, submitted one by one", rate, "/s", bar=2500, higher_is_better=True),
        Figure(f"empty tasks, a batch of {batch:,}", many, "/s", bar=5000, higher_is_better=True),
    )


async def submit_as_they_come(port: int, count: int) -> int:
    """Submit from a hundred tasks of one event loop, each of which waits for the end of its execution."""
    async with AsyncExecutionClient(port) as client:

        async def some() -> None:
            for _ in range(count // 100):
                await client.wait(await client.submit(None), 300)

        await asyncio.gather(*(some() for _ in range(100)))
    return count // 100 * 100


def run_batch(ours: ExecutionClient, count: int, task: object = None) -> float:
    """Return the seconds from submitting a batch to the end of its last execution."""
    requests = [ours.request_for(task) for _ in range(count)]
    begin = time.perf_counter()
    for execution_id in ours.submit_batch(requests, 60):
        ours.wait(execution_id, 300)
    return time.perf_counter() - begin


def measure_growth(report: Report, ours: ExecutionClient, batch: int, events: int) -> None:
    """Measure the growth of the server over two more batches, and over many events."""
    server = psutil.Process(ours.server.pid)
    before = held(server)
    run_batch(ours, batch)
    run_batch(ours, batch)
    tell_growth(report, f"growth of the server over {2 * batch:,} executions", before, held(server))
    run_batch(ours, 10, {"report": events // 100})
    before = held(server)
    run_batch(ours, 10, {"report": events // 10})
    tell_growth(report, f"growth of the server over {events:,} events", before, held(server))


def held(server: psutil.Process) -> tuple[int, int, int, int]:
    """Return bytes of memory, and counts of file descriptors, threads and child processes."""
    return server.memory_info().rss, server.num_fds(), server.num_threads(), len(server.children())


def tell_growth(report: Report, what: str, before: tuple[int, ...], after: tuple[int, ...]) -> None:
    """Report the growth of memory, with that of descriptors, threads and processes as a note."""
    memory, *others = (new - old for old, new in zip(before, after, strict=True))
    counted = f"{others[0]:+} descriptors, {others[1]:+} threads, {others[2]:+} processes"
    report.tell(Figure(what, memory / 1e6, "MB", bar=10, note=counted))


def measure_cancel(report: Report, ours: ExecutionClient) -> None:
    """Measure from the forced cancel of an unresponsive task to the start of the next one."""
    grace = 0.5
    stuck = ours.submit({"stuck": True})
    while ours.poll_status(stuck).status is not ExecutionStatus.RUNNING:
        pass
    following = ours.submit(None)
    begin = time.time()
    ours.cancel(stuck, grace_seconds=grace)
    started = ours.wait(following, 60).started_at or 0.0
    report.tell(Figure(f"forced cancel to free slot, grace {grace:g} s", started - begin, "s", bar=grace + 0.5))


def measure_events(report: Report, count: int) -> None:
    """Send progress from a worker to a callback, check for gaps, then replay it to a new client."""
    seen: list[int] = []
    everything = threading.Event()

    def callback(update: ProgressUpdate) -> None:
        seen.append(update.sequence)
        if update.sequence == count:
            everything.set()

    target = f"{SERVER}:NoopServer"
    with ExecutionClient(7795, server=target, persistent=False, progress_callback=callback) as ours:
        ours.wait(ours.submit(None), 60)
        begin = time.perf_counter()
        execution_id = ours.submit({"report": count})
        everything.wait(300)
        seconds = time.perf_counter() - begin
        whole = seen == list(range(1, count + 1))
        note = "complete and in order" if whole else "WRONG: events missing or out of order"
        name = "progress events, worker to callback"
        report.tell(Figure(name, count / seconds, "/s", bar=50_000, higher_is_better=True, note=note))
        ours.wait(execution_id, 60)
        with ExecutionClient(7795) as late:
            seconds = timed(lambda: sum(1 for _ in late.events(execution_id)))
        report.tell(Figure(f"replay of {count:,} events to a new client", seconds, "s", bar=count / 100_000))


def measure_idle(report: Report, ours: ExecutionClient, seconds: float) -> None:
    """Measure an idle server with one client."""
    server = psutil.Process(ours.server.pid)
    before = server.cpu_times()
    time.sleep(seconds)
    after = server.cpu_times()
    cpu = after.user + after.system - before.user - before.system
    report.tell(
        Figure("idle server, memory", server.memory_info().rss / 1e6, "MB", bar=40),
        Figure(f"idle server, processor time over {seconds:g} s", cpu, "s", bar=seconds / 600),
        Figure("idle server, threads", server.num_threads(), "", bar=5, note="one of them for its one worker"),
    )


def measure_restart(report: Report, queued: int) -> None:
    """Measure the start of a server with a large database."""
    history = 10 * queued
    with ExecutionClient(7796, server=f"{SERVER}:PausedServer") as ours:
        ours.submit_batch([ours.request_for(None) for _ in range(queued)], 60)
        ours.shutdown_server()
        fill(ours.config.server_dir(7796) / "executions.sqlite", history, has_results=False)
        seconds = timed(ours.connect)
        known = ours.status(1)
        name = f"restart with {queued:,} queued and {history:,} in history"
        report.tell(Figure(name, seconds, "s", bar=1.5, note=f"{known.queued:,} queued found"))
        ours.shutdown_server()


# --- peers --------------------------------------------------------------------------------------------------------


def nothing() -> None:
    """Do nothing; the task of the other libraries."""


def process_pool_seconds(repeat: int) -> float:
    """Measure ``submit`` and ``result`` on one process."""
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return median_seconds(lambda: pool.submit(nothing).result(), repeat)


def ipyparallel_seconds(repeat: int) -> float:
    """Measure ``apply_sync`` on one engine."""
    import ipyparallel  # noqa: PLC0415 - only where it is installed

    with ipyparallel.Cluster(n=1, log_level=40) as client:
        view = client[:]
        return median_seconds(lambda: view.apply_sync(nothing), min(repeat, 300))


def distributed_seconds(repeat: int) -> float:
    """Measure ``submit`` and ``result`` on one worker process."""
    import distributed  # noqa: PLC0415 - only where it is installed

    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as peer,
    ):
        return median_seconds(lambda: peer.submit(nothing, pure=False).result(), min(repeat, 300))


if __name__ == "__main__":
    sys.exit(main())
