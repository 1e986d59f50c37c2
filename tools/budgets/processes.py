"""The processor time that each of several processes spends on something."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil

from zmqruntime.execution import ExecutionClient

__all__ = ["Spent", "processes_of", "spending"]


@dataclass(slots=True)
class Spent:
    """Seconds of processor time by process name, filled when the measurement ends."""

    seconds: dict[str, float] = field(default_factory=dict)

    def microseconds_each(self, count: int) -> dict[str, float]:
        """Return the share of one of ``count``, with the sum of all processes last."""
        each = {name: seconds / count * 1e6 for name, seconds in self.seconds.items()}
        return {**each, "all": sum(each.values())}


def processes_of(client: ExecutionClient) -> dict[str, list[psutil.Process]]:
    """Return this process, the server of the client and the processes that the server has started."""
    server = psutil.Process(client.server.pid)
    return {"client": [psutil.Process(os.getpid())], "server": [server], "workers": server.children(recursive=True)}


@contextlib.contextmanager
def spending(groups: dict[str, list[psutil.Process]]) -> Iterator[Spent]:
    """Measure the processor time of these processes inside the ``with`` block; those that end in it are left out."""
    spent = Spent()
    before = {name: _seconds(group) for name, group in groups.items()}
    yield spent
    for name, group in groups.items():
        after = _seconds(group)
        spent.seconds[name] = sum(seconds - before[name].get(pid, 0.0) for pid, seconds in after.items())


def _seconds(group: list[psutil.Process]) -> dict[int, float]:
    found: dict[int, float] = {}
    for process in group:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            found[process.pid] = times.user + times.system
    return found
