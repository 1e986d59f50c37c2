"""CPU time and memory usage of tasks."""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Usage", "UsageMeter", "descendants", "peak_memory"]

_RESET_PEAK = "5"  # proc(5), clear_refs: resets the peak resident size to the current one
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PROC = Path("/proc")
_WORTH_MEASURING_SECONDS = 0.01
_IDLE_SECONDS = 0.1
_IDLE_CPU_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Usage:
    """Resources used by a task.

    Attributes:
        cpu_seconds: User and system time; on Linux including descendants that are still running.
        peak_memory_bytes: Maximum resident size of the process. None if the platform does not provide it, and for
            tasks of a few milliseconds, also if they had to wait for a processor, which measuring would only slow down.
    """

    cpu_seconds: float
    peak_memory_bytes: int | None


class UsageMeter:
    """Measures the tasks of this process, one after the other."""

    def __init__(self) -> None:
        self._can_reset_peak = sys.platform == "linux" and _reset_peak()
        self._descendants_before = _descendants_cpu()
        self._own_before = _own_cpu()
        self._started = time.monotonic()
        self._highest_lap: int | None = None

    def begin(self) -> None:
        """Start measuring a task."""
        self._own_before = _own_cpu()
        self._started = time.monotonic()
        self._highest_lap = None

    def lap(self) -> int | None:
        """Return the peak memory since :meth:`begin` or the last lap; :meth:`end` still counts the whole task."""
        if not self._can_reset_peak:
            return None
        peak = peak_memory()
        _reset_peak()
        if peak is not None:
            self._highest_lap = max(peak, self._highest_lap or 0)
        return peak

    def end(self) -> Usage:
        """Return the usage since :meth:`begin`."""
        cpu = _own_cpu() - self._own_before
        took = time.monotonic() - self._started
        if took < _WORTH_MEASURING_SECONDS or (cpu < _IDLE_CPU_SECONDS and took < _IDLE_SECONDS):
            return Usage(cpu, None)
        descendants = _descendants_cpu()
        cpu += max(0.0, descendants - self._descendants_before)
        self._descendants_before = descendants
        self.lap()
        return Usage(cpu, self._highest_lap)


def _own_cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _descendants_cpu() -> float:
    return sum(map(_seconds_of, descendants(os.getpid()))) if sys.platform == "linux" else 0.0


def peak_memory() -> int | None:
    """Return the maximum resident size of this process since it began or was last measured; None if unknown."""
    if sys.platform != "linux":
        return None
    for line in (_PROC / "self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def descendants(pid: int) -> list[int]:
    """Return the ids of the processes that a process and its children have started; empty except on Linux."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        try:
            tasks = _PROC / str(waiting.pop()) / "task"
            for task in os.listdir(tasks):
                children = (tasks / task / "children").read_text().split()
                waiting += map(int, children)
                found += map(int, children)
        except OSError:  # it has ended in the meantime
            continue
    return found


def _seconds_of(pid: int) -> float:
    """Return user and system time of a process and of children it has waited for; 0 if it has ended."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS


def _reset_peak() -> bool:
    try:
        (_PROC / "self/clear_refs").write_text(_RESET_PEAK)
    except OSError:
        return False
    return True
