"""How long each iteration of a server's loop takes, from the end of a sleep to the start of the next one."""

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from zmqruntime.execution import ExecutionServer
from zmqruntime.loop import DescriptorPoller

_FILE = "turns.json"


class Turn(msgspec.Struct, frozen=True):
    """The wall time and the processor time of one iteration, in milliseconds."""

    took: float
    ran: float


class TimedPoller:
    """A poller that records the time between two sleeps.

    Args:
        poller: the poller that it stands for.
    """

    def __init__(self, poller: DescriptorPoller) -> None:
        self.turns: list[Turn] = []
        self.register, self.unregister = poller.register, poller.unregister
        self._poller = poller
        self._woke = self._ran = 0.0

    def poll(self, timeout: int | None = None, /) -> list[tuple[int, int]]:
        """Poll like the poller that it stands for."""
        if self._woke:
            took, ran = time.perf_counter() - self._woke, time.thread_time() - self._ran
            self.turns.append(Turn(took=took * 1e3, ran=ran * 1e3))
        ready = self._poller.poll(timeout)
        self._woke, self._ran = time.perf_counter(), time.thread_time()
        return ready


class TimedServer(ExecutionServer):
    """A server that writes the times of its iterations to a file in its folder when it ends."""

    def on_open(self, stack: contextlib.ExitStack) -> None:
        """Replace the poller by a timed one."""
        super().on_open(stack)
        poller = self.loop._poller = TimedPoller(self.loop._poller)
        path = self.config.server_dir(self.port) / _FILE
        stack.callback(lambda: path.write_bytes(msgspec.json.encode(poller.turns)))


def read_turns(folder: Path) -> list[Turn]:
    """Read the times that an ended server wrote."""
    return msgspec.json.decode((folder / _FILE).read_bytes(), type=list[Turn])


def quantile(values: Sequence[float], part: float) -> float:
    """Return the value below which the fraction ``part`` of the times is."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
