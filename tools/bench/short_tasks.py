"""What many tasks that do nothing cost: processor time of all processes for each, and rates beside other libraries.

All take turns, so that they see the same machine. Ours are durable, with eight workers: submitted one by one by a
hundred tasks of an event loop, in one batch, and through ``Executor.map``; the raw client, in requests of the size that
``map`` uses, shows what the executor adds. huey keeps its tasks in SQLite, synchronized to disk like ours, with two
processes; ipyparallel and distributed keep nothing on disk. Libraries that are not installed are left out.
"""

import argparse
import asyncio
import contextlib
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import figures
import psutil
from execution_rates import SERVER, run_batch, submit_as_they_come
from executor import run_mapped, run_raw
from figures import Figure, Side

from zmqruntime.execution import ExecutionClient, Executor

_PORT = 7795
_COME, _BATCH, _MAP, _RAW = "one by one, many under way", "one batch", "Executor.map", "raw client, requests as of map"
_CPU_BARS = {_COME: 400.0, _BATCH: 250.0}
_PEER_BARS = {"huey": 3.0, "ipyparallel": 1.0, "distributed": 1.0}
_HUEY_TASKS = """
from huey import SqliteHuey

huey = SqliteHuey(filename="huey.db", fsync=True, timeout=60)


@huey.task()
def noop():
    return 1
"""


class Way(NamedTuple):
    """A way to run a number of tasks, and the processes that it takes besides this one."""

    name: str
    run: Callable[[int], object]
    pid: int
    tasks: int


class Round(NamedTuple):
    """What one round has taken, for each task."""

    cpu_us: float
    rate: float


def main() -> int:
    """Measure and report; return 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5_000, help="tasks of a round [default: 5000]")
    parser.add_argument("--peer-count", type=int, default=500, help="the same of other libraries [default: 500]")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each [default: 5]")
    with figures.report(parser) as (options, report), contextlib.ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="zb"))
        os.environ["HOME"] = home
        ways = [*ours(stack, options.count), *peers(stack, Path(home), options.peer_count)]
        for way in ways:
            way.run(200)
        found: dict[str, list[Round]] = {way.name: [] for way in ways}
        for _ in range(options.rounds):
            for way in ways:
                found[way.name].append(measured(way))
        tell(report, found)
        print(f"load {os.getloadavg()[0]:.1f}")
    return int(report.missed > 0)


def ours(stack: contextlib.ExitStack, count: int) -> Iterator[Way]:
    """The ways of this project."""
    client = stack.enter_context(ExecutionClient(_PORT, server=f"{SERVER}:ManyWorkersServer", persistent=False))
    yield Way(_COME, lambda number: asyncio.run(submit_as_they_come(_PORT, number)), client.server.pid, count)
    yield Way(_BATCH, lambda number: run_batch(client, number), client.server.pid, count)
    executor = stack.enter_context(Executor("bench", max_workers=8, persistent=False))
    yield Way(_RAW, lambda number: run_raw(client, number), client.server.pid, count)
    yield Way(_MAP, lambda number: run_mapped(executor, number), executor.client.server.pid, count)


def peers(stack: contextlib.ExitStack, folder: Path, count: int) -> Iterator[Way]:
    """The ways of other libraries that are installed."""
    for name, start in (("huey", huey), ("ipyparallel", ipyparallel), ("distributed", distributed)):
        if importlib.util.find_spec(name) is not None:
            run, pid = start(stack, folder)
            yield Way(name, run, pid, count)


def huey(stack: contextlib.ExitStack, folder: Path) -> tuple[Callable[[int], object], int]:
    """Start a consumer with two processes."""
    (folder / "huey_noops.py").write_text(_HUEY_TASKS)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    command = [sys.executable, "-m", "huey.bin.huey_consumer", "huey_noops.huey", "-w", "2", "-k", "process", "-q"]
    consumer = subprocess.Popen([*command, "-d", "0.001", "-m", "0.001"], env={**os.environ, "PYTHONPATH": str(folder)})
    stack.callback(consumer.wait)
    stack.callback(consumer.terminate)
    noop = importlib.import_module("huey_noops").noop

    def run(number: int) -> None:
        for result in [noop() for _ in range(number)]:
            result.get(blocking=True, backoff=1, max_delay=0.001)

    return run, consumer.pid


def ipyparallel(stack: contextlib.ExitStack, folder: Path) -> tuple[Callable[[int], object], int]:
    """Start a cluster of two engines."""
    import ipyparallel as peer  # noqa: PLC0415 - only where it is installed

    view = stack.enter_context(peer.Cluster(n=2, log_level=40)).load_balanced_view()
    return lambda number: [each.get() for each in [view.apply_async(nothing) for _ in range(number)]], os.getpid()


def distributed(stack: contextlib.ExitStack, folder: Path) -> tuple[Callable[[int], object], int]:
    """Start a cluster of two worker processes."""
    import distributed as peer  # noqa: PLC0415 - only where it is installed

    cluster = stack.enter_context(peer.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None))
    client = stack.enter_context(peer.Client(cluster))
    return (
        lambda number: client.gather([client.submit(nothing, pure=False) for _ in range(number)]),
        os.getpid(),
    )


def nothing() -> None:
    """Do nothing; the task of the other libraries."""


def measured(way: Way) -> Round:
    """Run one round."""
    before, begin = processor_seconds(way.pid), time.perf_counter()
    way.run(way.tasks)
    took, used = time.perf_counter() - begin, processor_seconds(way.pid) - before
    return Round(used / way.tasks * 1e6, way.tasks / took)


def processor_seconds(pid: int) -> float:
    """Return the processor time of this process, another one and its descendants."""
    family = {os.getpid(): psutil.Process()}
    other = psutil.Process(pid)
    family.update((each.pid, each) for each in (other, *(other.children(recursive=True) if pid != os.getpid() else [])))
    times = [each.cpu_times() for each in family.values()]
    return sum(each.user + each.system for each in times)


def tell(report: figures.Report, found: dict[str, list[Round]]) -> None:
    """Report the medians: our processor times, and our rates with those of others."""
    medians = {
        name: Round(*(statistics.median(each) for each in zip(*rounds, strict=True))) for name, rounds in found.items()
    }
    for name in (_COME, _BATCH, _RAW, _MAP):
        report.tell(Figure(f"processor time of a task, {name}", medians[name].cpu_us, "us", bar=_CPU_BARS.get(name)))
    rate = "empty tasks, submitted one by one"
    others = [
        Figure(rate, medians[name].rate, "/s", Side.PEER, name, bar=bar, higher_is_better=True)
        for name, bar in _PEER_BARS.items()
        if name in medians
    ]
    report.tell(Figure(rate, medians[_COME].rate, "/s", higher_is_better=True), *others)
    mapped, raw = medians[_MAP].rate, medians[_RAW].rate
    name = "empty tasks in requests of the same size"
    report.tell(
        Figure(name, mapped, "/s", higher_is_better=True, note="Executor.map"),
        Figure(name, raw, "/s", Side.FLOOR, "the raw client", bar=1.0, higher_is_better=True),
    )


if __name__ == "__main__":
    sys.exit(main())
