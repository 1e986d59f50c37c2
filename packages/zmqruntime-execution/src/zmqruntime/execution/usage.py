"""How much processor time and memory a task took."""

import os
import sys
from pathlib import Path

__all__ = ["UsageMeter"]

_RESET_PEAK = "5"  # proc(5), clear_refs: sets the peak resident size back to the present one


class UsageMeter:
    """Measures this process and its ended children from its making on."""

    def __init__(self) -> None:
        self._cpu = _cpu_seconds()
        if sys.platform == "linux":
            try:
                Path("/proc/self/clear_refs").write_text(_RESET_PEAK)
            except OSError:
                self._reset = False
            else:
                self._reset = True

    def cpu_seconds(self) -> float:
        """Processor time, user and system."""
        return _cpu_seconds() - self._cpu

    def peak_memory_bytes(self) -> int | None:
        """The largest resident size, or None where the system does not tell it."""
        if sys.platform != "linux" or not self._reset:
            return None
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return None


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
