"""How long a client takes to start its server and connect, compared with a bare ``import zmq``.

Limit: connecting takes at most 4 times as long as the import. Both are measured in turns.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import figures
from figures import Figure, Side

from zmqruntime import ZMQClient
from zmqruntime.execution import ExecutionClient

FLOOR = "python -c 'import zmq'"


class BenchClient(ZMQClient):
    """A client of a plain server."""

    server_target = "zmqruntime.server:ZMQServer"


def import_seconds() -> float:
    """Return the time of one ``python -c "import zmq"``."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import zmq"], check=True)
    return time.perf_counter() - begin


def connect_seconds(client: ZMQClient) -> float:
    """Return the time of a connect that starts the server."""
    begin = time.perf_counter()
    client.connect(timeout=30)
    seconds = time.perf_counter() - begin
    client.disconnect()
    return seconds


def execution_client() -> ZMQClient:
    """A client of an execution server."""
    return ExecutionClient(7790, server=f"{Path(__file__).with_name('noop_server.py')}:NoopServer", persistent=False)


def main() -> int:
    """Report the medians; return 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="how often each is measured [default: 10]")
    with figures.report(parser) as (options, report), tempfile.TemporaryDirectory(prefix="zb") as home:
        os.environ["HOME"] = home
        measure: dict[str, Callable[[], float]] = {
            FLOOR: import_seconds,
            "start a plain server and connect to it": lambda: connect_seconds(BenchClient(7790, persistent=False)),
            "start an execution server and connect to it": lambda: connect_seconds(execution_client()),
        }
        seconds: dict[str, list[float]] = {name: [] for name in measure}
        for _ in range(options.rounds + 1):
            for name, run in measure.items():
                seconds[name].append(run())
        medians = {name: statistics.median(values[1:]) * 1e3 for name, values in seconds.items()}
        for name in list(measure)[1:]:
            report.tell(Figure(name, medians[name], "ms"))
            report.tell(Figure(name, medians[FLOOR], "ms", Side.FLOOR, FLOOR, bar=1 / 4))
    return int(report.missed > 0)


if __name__ == "__main__":
    sys.exit(main())
