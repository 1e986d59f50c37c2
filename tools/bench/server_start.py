"""How long a client takes to start its server and connect, beside a bare ``import zmq``, in turns.

Bar: connect at most 4 times the import.
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

from zmqruntime import ZMQClient
from zmqruntime.execution import ExecutionClient


class BenchClient(ZMQClient):
    """Starts a plain server."""

    server_target = "zmqruntime.server:ZMQServer"


def import_seconds() -> float:
    """One ``python -c "import zmq"``."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import zmq"], check=True)
    return time.perf_counter() - begin


def connect_seconds(client: ZMQClient) -> float:
    """One connect that has to start the server."""
    begin = time.perf_counter()
    client.connect(timeout=30)
    seconds = time.perf_counter() - begin
    client.disconnect()
    return seconds


def execution_client() -> ZMQClient:
    """A client of an execution server."""
    return ExecutionClient(7790, server=f"{Path(__file__).with_name('noop_server.py')}:NoopServer", persistent=False)


def main() -> None:
    """Print both medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="how often each is measured (default 10)")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="zb") as home:
        os.environ["HOME"] = home
        measure: dict[str, Callable[[], float]] = {
            "python -c 'import zmq'": import_seconds,
            "connect, plain server": lambda: connect_seconds(BenchClient(7790, persistent=False)),
            "connect, execution server": lambda: connect_seconds(execution_client()),
        }
        seconds: dict[str, list[float]] = {name: [] for name in measure}
        for _ in range(rounds + 1):
            for name, run in measure.items():
                seconds[name].append(run())
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    floor = medians["python -c 'import zmq'"]
    for name, median in medians.items():
        print(f"{name:28} {median * 1000:7.1f} ms  {median / floor:5.2f} x")


if __name__ == "__main__":
    main()
