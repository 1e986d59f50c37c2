"""What starting costs: imports by package, and commands from the shell."""

import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from imports import import_cost
from sheet import tell_table

from openhcs_runtime import make_plate

__all__ = ["tell_starts"]

MODULES = (
    "zmq",
    "numpy",
    "zmqruntime",
    "zmqruntime.execution",
    "zmqruntime.streaming",
    "openhcs_runtime",
    "openhcs_runtime.functions",
    "openhcs_gui_services",
)
PORT = 7796


def tell_starts(rounds: int) -> None:
    """Print the best of ``rounds`` of each."""
    costs = [import_cost(module, rounds) for module in MODULES]
    largest = [", ".join(f"{name} {own:.0f}" for name, own in cost.packages) for cost in costs]
    rows = [(cost.module, cost.milliseconds, text) for cost, text in zip(costs, largest, strict=True)]
    tell_table("Imports, traced", ("module", "ms", "of it by package, ms"), rows)
    with tempfile.TemporaryDirectory() as folder:
        plate = make_plate(Path(folder, "plate"), wells=1, sites=1, channels=1, size=512)
        tell_table("Commands", ("command", "ms"), _commands(plate, rounds))


def _commands(plate: Path, rounds: int) -> list[tuple[str, float]]:
    at = "--port", str(PORT)
    run = "run", str(plate), *at
    rows = [(f"openhcs-runtime {word}", _best(rounds, word)) for word in ("--version", "--help")]
    rows.append(("openhcs-runtime status, without a server", _best(rounds, "status", *at)))
    new = []
    for _ in range(rounds):
        new.append(_milliseconds(*run))
        _milliseconds("stop", *at)
    rows.append(("openhcs-runtime run, one image, new server", min(new)))
    with contextlib.ExitStack() as stack:
        _milliseconds(*run)
        stack.callback(_milliseconds, "stop", *at)
        rows.append(("openhcs-runtime run, one image, running server", _best(rounds, *run)))
    return rows


def _best(rounds: int, *arguments: str) -> float:
    return min(_milliseconds(*arguments) for _ in range(rounds))


def _milliseconds(*arguments: str) -> float:
    command = [sys.executable, "-m", "openhcs_runtime.cli", *arguments]
    begin = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return 1e3 * (time.perf_counter() - begin)
