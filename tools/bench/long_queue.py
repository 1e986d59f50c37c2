"""How long a request occupies the loop of a server with 100,000 ended and 100,000 queued executions.

python tools/bench/long_queue.py [COUNT]

Times are those of the server's thread, from the request to its reply, including the commit: median and maximum of 50,
and the maximum without waits for disk and processor. A server with a short queue is measured in the same run.
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable

from full_store import fill, name_of

from zmqruntime import ExecuteRequest, HistoryRequest, StatusRequest
from zmqruntime.codec import encode
from zmqruntime.execution import ExecutionServer, WorkerKind
from zmqruntime.messages import CancelRequest, FindRequest, QueueAction, QueueRequest, Request

_REPEAT = 50
_FEW = 500


class QueueServer(ExecutionServer):
    """A server whose queue is paused."""

    worker_kind = WorkerKind.THREAD

    def execute_task(self, execution_id: str, request: ExecuteRequest) -> None:
        """Do nothing; never called."""


def time_one(server: QueueServer, request: Request) -> tuple[float, float]:
    """Return wall time and processor time of a call on the server's thread, in milliseconds."""
    took: list[tuple[float, float]] = []
    done = threading.Event()

    def call() -> None:
        begun, ran = time.perf_counter(), time.thread_time()
        encode(server.handle_request(request))
        server.before_replies()
        took.append(((time.perf_counter() - begun) * 1e3, (time.thread_time() - ran) * 1e3))
        done.set()

    server.loop.call_soon(call)
    done.wait()
    return took[0]


def kinds(count: int) -> dict[str, Callable[[int], Request]]:
    """Return the requests for the n-th round."""
    queued = name_of(count + count // 2)
    return {
        "status()": lambda n: StatusRequest(),
        "status(limit=0)": lambda n: StatusRequest(limit=0),
        "history(100)": lambda n: HistoryRequest(limit=100),
        "history(100), far back": lambda n: HistoryRequest(limit=100, older_than=name_of(n + 200)),
        "poll_status of a queued one": lambda n: StatusRequest(execution_id=queued),
        "find": lambda n: FindRequest(prefix=queued[:-2]),
        "move": lambda n: QueueRequest(action=QueueAction.MOVE, execution_id=queued, position=n),
        "submit": lambda n: ExecuteRequest(submission_id=f"another-{n}"),
        "cancel of a queued one": lambda n: CancelRequest(execution_id=name_of(count + 10 * n)),
    }


def measure(count: int) -> dict[str, list[tuple[float, float]]]:
    """Return the times of each kind of request, with ``count`` ended and ``count`` waiting executions."""
    with tempfile.TemporaryDirectory(prefix="zr") as home:
        os.environ["HOME"] = home
        server = QueueServer(7791, max_queued=10**9)
        fill(server.config.server_dir(7791) / "executions.sqlite", count, count)
        begun = time.perf_counter()
        with server:
            print(f"{count:,} each; start: {time.perf_counter() - begun:.1f} s", flush=True)
            return {
                name: [time_one(server, make(number)) for number in range(_REPEAT)]
                for name, make in kinds(count).items()
            }


def main() -> None:
    """Print a line for each kind of request."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    few, many = measure(_FEW), measure(count)
    for name, times in many.items():
        print(f"{name}: {_words(times)} (of a server with {_FEW} each: {_words(few[name])})", flush=True)


def _words(times: list[tuple[float, float]]) -> str:
    took, ran = sorted(pair[0] for pair in times), max(pair[1] for pair in times)
    return f"{took[len(took) // 2]:.2f} ms, longest {took[-1]:.1f} ms, without waits {ran:.1f} ms"


if __name__ == "__main__":
    main()
