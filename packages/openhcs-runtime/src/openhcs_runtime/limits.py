"""Cores and memory that this process may use, including limits set by a container or a batch system.

Source of the file formats: "Control Group v2" and "Memory Resource Controller" (v1) in the Linux kernel documentation.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

__all__ = ["available_bytes", "available_cores", "bytes_of", "oom_kills", "total_bytes"]

_CGROUPS = Path("/sys/fs/cgroup")
_OF_THIS_PROCESS = Path("/proc/self/cgroup")
_OF_THE_MACHINE = Path("/proc/vmstat")
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]?i?B)", re.IGNORECASE)
_UNITS = {
    f"{prefix}{unit}": base**power
    for power, prefix in enumerate(("", "K", "M", "G", "T"))
    for unit, base in (("B", 1000), ("IB", 1024))
}


def available_cores(cgroups: Path = _CGROUPS, own: Path = _OF_THIS_PROCESS) -> int:
    """Return how many cores this process may use, at least 1, from its CPU affinity and its CPU quota."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    shares = [share for folder in _folders(cgroups, own, "") if (share := _core_share(folder / "cpu.max")) is not None]
    return max(1, min([bound, *(int(share + 0.5) for share in shares)]))


def available_bytes(cgroups: Path = _CGROUPS, own: Path = _OF_THIS_PROCESS) -> int:
    """Return how many bytes processes can still allocate without swapping or being killed."""
    import psutil  # noqa: PLC0415 - a third of the time that the settings, and with them help, take to load

    left = [int(psutil.virtual_memory().available)]
    for folder in _folders(cgroups, own, ""):
        left += _left(folder / "memory.max", folder / "memory.current", folder / "memory.stat", "inactive_file")
    for folder in _folders(cgroups / "memory", own, "memory"):
        left += _left(
            folder / "memory.limit_in_bytes",
            folder / "memory.usage_in_bytes",
            folder / "memory.stat",
            "total_inactive_file",
        )
    return max(0, min(left))


def total_bytes(cgroups: Path = _CGROUPS, own: Path = _OF_THIS_PROCESS) -> int:
    """Return how much memory processes may use together: that of the machine, or the limit of a container."""
    import psutil  # noqa: PLC0415 - as above

    limits = [int(psutil.virtual_memory().total)]
    files = [folder / "memory.max" for folder in _folders(cgroups, own, "")]
    files += [folder / "memory.limit_in_bytes" for folder in _folders(cgroups / "memory", own, "memory")]
    limits += [int(text) for file in files if (text := _text(file).strip()).isdigit()]
    return min(limits)


def oom_kills(cgroups: Path = _CGROUPS, own: Path = _OF_THIS_PROCESS, machine: Path = _OF_THE_MACHINE) -> int:
    """Return a number that rises when the kernel kills a process because memory ran out; 0 where it is not known."""
    files = [machine, *(folder / "memory.events" for folder in _folders(cgroups, own, ""))]
    return sum(_value(file, "oom_kill") for file in files)


def bytes_of(text: str) -> int:
    """Return the number of bytes that a text like "500 MB", "4GB" or "1.5 GiB" stands for.

    Raises:
        ValueError: It is something else.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not an amount of memory: write it like '500 MB' or '4 GB'")
    number, unit = match.groups()
    return int(float(number) * _UNITS[unit.upper()])


def _folders(root: Path, own: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of the process's control group and its parents; a container sees its own group as the root."""
    lines = _text(own).splitlines()
    paths = [path for line in lines for _, names, path in [line.split(":", 2)] if controller in names.split(",")]
    for path in paths:
        inside = PurePosixPath(path.lstrip("/"))
        for folder in (inside, *inside.parents):
            yield root / folder


def _core_share(path: Path) -> float | None:
    """Return the cores granted by ``quota period`` (in microseconds); None if there is no limit."""
    words = _text(path).split()
    if len(words) != 2 or not all(word.isdigit() for word in words) or not int(words[1]):
        return None
    return int(words[0]) / int(words[1])


def _left(limit: Path, used: Path, stat: Path, cache: str) -> list[int]:
    """Return the bytes left below a limit; the file cache counts as free, as it can be reclaimed."""
    numbers = [_text(path).strip() for path in (limit, used)]
    if not all(number.isdigit() for number in numbers):
        return []
    most, taken = map(int, numbers)
    return [most - max(0, taken - _value(stat, cache))]


def _value(path: Path, name: str) -> int:
    """Return the number after a name in a file with one of them in each line; 0 if it is not there."""
    return sum(int(line.split()[1]) for line in _text(path).splitlines() if line.startswith(f"{name} "))


def _text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(encoding="ascii", errors="replace")
    return ""
