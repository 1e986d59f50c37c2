"""What starting costs: a server with its client, and commands that need none, compared with a bare ``import zmq``.

Limits: connecting to a new server takes at most 4 times as long as the import. A command that finds no server, and the
name of a client, cost at most 4 times its processor time. All are measured in turns.
"""

import argparse
import functools
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import figures
from figures import Figure, Report, Side

from zmqruntime import ZMQClient
from zmqruntime.execution import ExecutionClient

FLOOR = "python -c 'import zmq'"
IMPORT_ZMQ = ("-c", "import zmq")
COMMANDS = {
    "import zmqruntime": ("-c", "import zmqruntime"),
    "import the name ZMQClient": ("-c", "from zmqruntime import ZMQClient"),
    "import openhcs_runtime.functions": ("-c", "import openhcs_runtime.functions"),
    "zmqruntime status, no server": ("-m", "zmqruntime.execution.cli", "status"),
    "openhcs-runtime status, no server": ("-m", "openhcs_runtime.cli", "status"),
    "openhcs-runtime --version": ("-m", "openhcs_runtime.cli", "--version"),
}


class BenchClient(ZMQClient):
    """A client of a plain server."""

    server_target = "zmqruntime.server:ZMQServer"


def import_seconds() -> float:
    """Return the time of one ``python -c "import zmq"``."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, *IMPORT_ZMQ], check=True)
    return time.perf_counter() - begin


def cpu_seconds(arguments: tuple[str, ...]) -> float:
    """Return the processor time of an interpreter with these arguments."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


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


def medians(measure: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Measure all in turns, and return the median of each in milliseconds; the first round does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in measure}
    for _ in range(rounds + 1):
        for name, run in measure.items():
            seconds[name].append(run())
    return {name: statistics.median(values[1:]) * 1e3 for name, values in seconds.items()}


def tell(report: Report, found: dict[str, float], unit: str, bar: float) -> None:
    """Report each beside the floor."""
    for name, value in found.items():
        if name != FLOOR:
            report.tell(Figure(name, value, unit))
            report.tell(Figure(name, found[FLOOR], unit, Side.FLOOR, FLOOR, bar=bar))


def main() -> int:
    """Report the medians; return 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="how often each is measured [default: 10]")
    with figures.report(parser) as (options, report), tempfile.TemporaryDirectory(prefix="zb") as home:
        os.environ["HOME"] = home
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(home, "compiled"))
        servers: dict[str, Callable[[], float]] = {
            FLOOR: import_seconds,
            "start a plain server and connect to it": lambda: connect_seconds(BenchClient(7790, persistent=False)),
            "start an execution server and connect to it": lambda: connect_seconds(execution_client()),
        }
        tell(report, medians(servers, options.rounds), "ms", 1 / 4)
        commands = {FLOOR: IMPORT_ZMQ, **COMMANDS}
        costs = {name: functools.partial(cpu_seconds, line) for name, line in commands.items()}
        tell(report, medians(costs, options.rounds), "CPU-ms", 1 / 4)
    return int(report.missed > 0)


if __name__ == "__main__":
    sys.exit(main())
