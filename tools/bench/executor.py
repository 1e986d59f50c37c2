"""Calls of a function through ``Executor.map`` compared with submissions of the raw client, both durable.

Both run 10,000 tasks that do nothing, with two workers, and wait for the last result. The raw client submits them with
``submit_batch``, in requests of the same size, and waits for each. Rounds alternate, so that both see the same machine.
"""

import argparse
import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from zmqruntime.execution import ExecutionClient, Executor

HERE = Path(__file__).parent
WORKERS = 2
BATCH = 500


def main() -> int:
    """Measure and print both rates and their ratio; return 1 if the executor is slower."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="tasks of a round [default: 10000]")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each [default: 3]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zb") as home, contextlib.ExitStack() as stack:
        os.environ["HOME"] = home
        raw = stack.enter_context(
            ExecutionClient(server=f"{HERE / 'noop_server.py'}:TwoWorkersServer", persistent=False)
        )
        executor = stack.enter_context(Executor("bench", max_workers=WORKERS, persistent=False))
        run_raw(raw, 100)
        run_mapped(executor, 100)
        raw_seconds, our_seconds = [], []
        for _ in range(options.rounds):
            raw_seconds.append(timed(lambda: run_raw(raw, options.count)))
            our_seconds.append(timed(lambda: run_mapped(executor, options.count)))
    report(options.count, raw_seconds, our_seconds)
    return int(ratio(raw_seconds, our_seconds) < 1)


def run_raw(client: ExecutionClient, count: int) -> None:
    """Run tasks with the client alone."""
    ids: list[str] = []
    for begin in range(0, count, BATCH):
        ids += client.submit_batch([client.request_for({"n": 1}) for _ in range(min(BATCH, count - begin))])
    for execution_id in ids:
        client.wait(execution_id)


def run_mapped(executor: Executor, count: int) -> None:
    """Run the same number of calls with the executor."""
    assert sum(1 for _ in executor.map(abs, range(count))) == count


def timed(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def ratio(raw_seconds: list[float], our_seconds: list[float]) -> float:
    """Return how many times as fast the executor is, from medians."""
    return statistics.median(raw_seconds) / statistics.median(our_seconds)


def report(count: int, raw_seconds: list[float], our_seconds: list[float]) -> None:
    """Print the rates."""
    for name, seconds in (("raw client, submit_batch and wait", raw_seconds), ("Executor.map", our_seconds)):
        rounds = ", ".join(f"{count / each:,.0f}" for each in seconds)
        print(f"{name:34} {count / statistics.median(seconds):8,.0f} tasks a second (rounds: {rounds})")
    print(f"ratio {ratio(raw_seconds, our_seconds):.2f} (limit 1.00), load {os.getloadavg()[0]:.0f}")


if __name__ == "__main__":
    raise SystemExit(main())
