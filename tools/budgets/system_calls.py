"""How many system calls a process makes for one of something, by strace."""

import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

__all__ = ["can_count", "counted"]

_LINE = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(?P<calls>\d+)(?:\s+\d+)?\s+(?P<name>\w+)\s*$")
_ATTACHED = "attached"


def can_count() -> bool:
    """Return whether strace is on this machine."""
    return shutil.which("strace") is not None


def counted(pid: int, run: Callable[[], object], times: int) -> dict[str, float]:
    """Return the system calls of all threads of a process while ``run`` runs, each divided by ``times``.

    Raises:
        RuntimeError: strace may not attach to the process; run as its owner, with ptrace allowed.
    """
    with tempfile.TemporaryDirectory() as folder:
        summary = Path(folder, "summary")
        command = ["strace", "-f", "-c", "-o", str(summary), "-p", str(pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            first = tracer.stderr.readline()
            if _ATTACHED not in first:
                tracer.kill()
                raise RuntimeError(f"strace cannot attach to process {pid}: {first.strip() or 'it said nothing'}")
            run()
            tracer.send_signal(signal.SIGINT)
            tracer.communicate()
        return _parsed(summary.read_text(), times)


def _parsed(text: str, times: int) -> dict[str, float]:
    found = {match["name"]: int(match["calls"]) / times for match in map(_LINE.match, text.splitlines()) if match}
    found.pop("total", None)
    return dict(sorted(found.items(), key=lambda item: -item[1]))
