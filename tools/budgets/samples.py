"""Where processes spend their time, by function of this project, from samples of their stacks by py-spy."""

import contextlib
import importlib.util
import re
import signal
import subprocess
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Profile", "can_sample", "sampling"]

_FRAME = re.compile(r"^(?P<function>\S+) \((?P<file>[^)]*?)(?::\d+)?\)$")
_RATE = 500


@dataclass(slots=True)
class Profile:
    """Counts of samples, filled when the measurement ends."""

    inner: Counter[str] = field(default_factory=Counter)
    """By the innermost function of ours, with what it calls of other libraries."""
    total: int = 0

    def add(self, line: str) -> None:
        """Add a line of the raw format: frames from the outermost to the innermost, and a count."""
        stack, _, count = line.rpartition(" ")
        self.total += int(count)
        for frame in reversed(stack.split(";")):
            if name := _ours(frame):
                self.inner[name] += int(count)
                return
        self.inner["(other libraries)"] += int(count)

    def largest(self, number: int) -> list[tuple[str, float]]:
        """Return the functions with the most samples and their share in percent."""
        return [(name, 100 * count / self.total) for name, count in self.inner.most_common(number)]


def can_sample() -> bool:
    """Return whether py-spy is installed."""
    return importlib.util.find_spec("py_spy") is not None or _program().exists()


@contextlib.contextmanager
def sampling(pid: int) -> Iterator[Profile]:
    """Sample the threads of a process that are running Python, or C called by it, inside the ``with`` block."""
    profile = Profile()
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, "raw")
        command = [str(_program()), "record", "--pid", str(pid), "--rate", str(_RATE), "--format", "raw"]
        command += ["--output", str(raw), "--duration", "unlimited", "--nonblocking", "--full-filenames"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as sampler:
            assert sampler.stdout is not None
            sampler.stdout.readline()  # it has attached
            yield profile
            sampler.send_signal(signal.SIGINT)
            sampler.communicate()
        if raw.exists():
            for line in raw.read_text().splitlines():
                profile.add(line)


def _program() -> Path:
    return Path(sysconfig.get_path("scripts"), "py-spy")


def _ours(frame: str) -> str | None:
    match = _FRAME.match(frame)
    if match is None:
        return None
    parts = Path(match["file"]).with_suffix("").parts
    for package in ("zmqruntime", "openhcs_runtime", "openhcs_gui_services"):
        if package in parts:
            module = ".".join(parts[len(parts) - 1 - parts[::-1].index(package) :])
            return f"{module}.{match['function']}"
    return None
