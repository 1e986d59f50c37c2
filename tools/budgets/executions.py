"""What a control request and an empty execution cost: processor time by process, system calls, and by function."""

import statistics
import time
from collections.abc import Callable, Mapping

import psutil
from execution_rates import client, run_batch
from processes import processes_of, spending
from samples import can_sample, sampling
from sheet import tell, tell_table
from system_calls import can_count, counted

from zmqruntime import PongResponse
from zmqruntime.execution import ExecutionClient
from zmqruntime.messages import PingRequest

__all__ = ["tell_executions"]

LARGEST = 14
Runs = Mapping[str, Callable[[], object]]


def tell_executions(count: int) -> None:
    """Print the tables, each from ``count`` executions."""
    with client("NoopServer") as one:
        runs = {
            "control request": lambda: _requests(one, count),
            "empty task, one after the other": lambda: _one_by_one(one, count),
        }
        _tell_processes(one, runs, count)
        _tell_calls(one, runs, count)
        _tell_functions(one, "empty task, one after the other", lambda: _one_by_one(one, 4 * count))
    with client("ManyWorkersServer") as many:
        run_batch(many, count)  # starts the workers
        batch = f"empty tasks, a batch of {10 * count:,} on 8 workers"
        _tell_processes(many, {batch: lambda: run_batch(many, 10 * count)}, 10 * count)
        _tell_functions(many, batch, lambda: run_batch(many, 10 * count))


def _requests(ours: ExecutionClient, count: int) -> None:
    for _ in range(count):
        ours.request(PingRequest(), PongResponse)


def _one_by_one(ours: ExecutionClient, count: int) -> None:
    for _ in range(count):
        ours.wait(ours.submit(None), 60)


def _tell_processes(ours: ExecutionClient, runs: Runs, count: int) -> None:
    rows: list[tuple[str | float, ...]] = []
    for name, run in runs.items():
        run()
        walls, spents = [], []
        for _ in range(3):
            begin = time.perf_counter()
            with spending(processes_of(ours)) as spent:
                run()
            walls.append((time.perf_counter() - begin) / count * 1e6)
            spents.append(spent.microseconds_each(count))
        medians = [statistics.median(spent[process] for spent in spents) for process in spents[0]]
        rows.append((name, statistics.median(walls), *medians))
    tell_table("Processor time of one", ("", "us", "client CPU us", "server", "workers", "all"), rows)


def _busiest(ours: ExecutionClient) -> dict[str, psutil.Process]:
    """Return the process of each kind that has worked most."""
    groups = processes_of(ours)
    return {name: max(group, key=lambda process: sum(process.cpu_times()[:2])) for name, group in groups.items()}


def _tell_calls(ours: ExecutionClient, runs: Runs, count: int) -> None:
    if not can_count():
        tell("\nSystem calls are not counted: install strace.")
        return
    rows = []
    for name, run in runs.items():
        for process, found in _busiest(ours).items():
            if process == "client":
                continue  # a process cannot wait for the one that stops it
            calls = counted(found.pid, run, count)
            most = ", ".join(f"{call} {number:.3g}" for call, number in list(calls.items())[:8])
            rows.append((name, process, sum(calls.values()), most))
    tell_table("System calls of one", ("", "process", "calls", "most"), rows)


def _tell_functions(ours: ExecutionClient, name: str, run: Callable[[], object]) -> None:
    if not can_sample():
        tell("\nFunctions are not sampled: install py-spy.")
        return
    for process, found in _busiest(ours).items():
        with sampling(found.pid) as profile:
            run()
        if profile.total:
            title = f"{name}: where the {process.removesuffix('s')} spends its time, {profile.total:,} samples"
            tell_table(title, ("function of ours, with what it calls", "%"), profile.largest(LARGEST))
