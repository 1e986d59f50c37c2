"""How long one request holds the loop of a server that has much: 100,000 ended executions and 100,000 queued ones.

python tools/bench/long_queue.py [COUNT]

Times are of the server's own thread, from the request to its reply, commit included: the median and the longest of 50.
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from zmqruntime import ExecuteRequest, ExecutionStatus, HistoryRequest, StatusRequest
from zmqruntime.codec import encode
from zmqruntime.execution import ExecutionServer, WorkerKind
from zmqruntime.execution.server.executions import Ledger
from zmqruntime.execution.server.store import Store
from zmqruntime.messages import CancelRequest, FindRequest, QueueAction, QueueRequest, Request

_REPEAT = 50


class QueueServer(ExecutionServer):
    """Runs nothing: its queue is paused."""

    worker_kind = WorkerKind.THREAD

    def execute_task(self, execution_id: str, request: ExecuteRequest) -> None:
        """Never called."""


def fill(path: Path, count: int) -> None:
    """Half of ``2 * count`` executions have ended, the others wait."""
    store = Store(path)
    ledger = Ledger(store, lambda execution_id, batch: None, lambda execution_id, count: None)
    ledger.set_paused(True)
    for number in range(2 * count):
        ledger.accept(ExecuteRequest(submission_id=f"execution-{number:07d}", payload=number))
        if number < count:
            record = ledger.active[f"execution-{number:07d}"]
            ledger.set_status(record, ExecutionStatus.RUNNING)
            record.result, record.result_bytes, record.has_new_outcome = b"x" * 50_000, 50_000, number % 10 == 0
            ledger.set_status(record, ExecutionStatus.COMPLETE)
            record.result = None if number % 10 else record.result
        if number % 2_000 == 0:
            ledger.commit()
    ledger.commit()
    store.close()


def time_one(server: QueueServer, request: Request) -> float:
    """On the server's thread, in milliseconds."""
    took: list[float] = []
    done = threading.Event()

    def call() -> None:
        begun = time.perf_counter()
        encode(server.handle_request(request))
        server.before_replies()
        took.append((time.perf_counter() - begun) * 1000)
        done.set()

    server.loop.call_soon(call)
    done.wait()
    return took[0]


def main() -> None:
    """Print a line for each kind of request."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory(prefix="zr") as home:
        os.environ["HOME"] = home
        server = QueueServer(7791, max_queued=10**9)
        fill(server.config.server_dir(7791) / "executions.sqlite", count)
        begun = time.perf_counter()
        with server:
            print(f"start: {time.perf_counter() - begun:.1f} s")
            queued = f"execution-{count + count // 2:07d}"
            kinds: dict[str, Callable[[int], Request]] = {
                "status()": lambda n: StatusRequest(),
                "status(limit=0)": lambda n: StatusRequest(limit=0),
                "history(100)": lambda n: HistoryRequest(limit=100),
                "history(100), far back": lambda n: HistoryRequest(limit=100, older_than=f"execution-{n + 200:07d}"),
                "poll_status of a queued one": lambda n: StatusRequest(execution_id=queued),
                "find": lambda n: FindRequest(prefix=queued[:-2]),
                "move": lambda n: QueueRequest(action=QueueAction.MOVE, execution_id=queued, position=n),
                "submit": lambda n: ExecuteRequest(submission_id=f"another-{n}"),
                "cancel of a queued one": lambda n: CancelRequest(execution_id=f"execution-{count + 10 * n:07d}"),
            }
            for name, make in kinds.items():
                took = sorted(time_one(server, make(number)) for number in range(_REPEAT))
                print(f"{name}: {took[_REPEAT // 2]:.2f} ms, longest {took[-1]:.1f} ms", flush=True)


if __name__ == "__main__":
    main()
