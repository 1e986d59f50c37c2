"""What the processes of a soak hold, and whether that grows."""

import enum
import hashlib
import itertools
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from zmqruntime.streaming.segments import segment_folder

WARM_UP = 10
"""Samples of a process that do not count, since it is still loading."""
ENOUGH = 10
"""Pairs of samples that it takes to say anything."""


class Role(enum.StrEnum):
    """What a process is in the soak."""

    OWN = "own"
    """The soak itself: both clients."""
    SERVER = "server"
    WORKER = "worker"
    """Any process of the server's."""
    VIEWER = "viewer"
    WINDOW = "window"


class Quantity(enum.StrEnum):
    """What is measured of a process."""

    MEMORY = "memory"
    """Bytes that are no copy of a file: what was allocated, and what a forked process has got from its parent. Which
    of it others share does not count, since that changes without anybody's doing."""
    DESCRIPTORS = "descriptors"
    THREADS = "threads"


LIMITS = {Quantity.MEMORY: 100_000.0, Quantity.DESCRIPTORS: 0.05, Quantity.THREADS: 0.05}
"""What each may grow by in one plate: 100 kB is 10 MB in a hundred plates."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One process after one plate."""

    plate: int
    role: Role
    pid: int
    memory: int
    descriptors: int
    threads: int

    def value(self, quantity: Quantity) -> int:
        """One of the three."""
        return int(getattr(self, quantity.value))


@dataclass(frozen=True, slots=True)
class Growth:
    """How fast one quantity of the processes of one role grows; `per_plate` is None when none lived long enough."""

    role: Role
    quantity: Quantity
    per_plate: float | None
    typical: float
    """Its median over all samples."""

    @property
    def is_flat(self) -> bool:
        """Whether it does not grow, as far as is known."""
        return self.per_plate is None or self.per_plate <= LIMITS[self.quantity]


def take(plate: int, role: Role, process: psutil.Process) -> Sample:
    """Measure a process. Raises psutil.Error when it has ended."""
    with process.oneshot():
        memory = _allocated(process)
        descriptors = process.num_fds() if psutil.POSIX else 0
        return Sample(plate, role, process.pid, memory, descriptors, process.num_threads())


def _allocated(process: psutil.Process) -> int:
    """Its anonymous memory; where the system does not tell that, what it shares with no other process."""
    if sys.platform != "linux":
        return int(process.memory_full_info().uss)
    try:
        lines = Path("/proc", str(process.pid), "status").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise psutil.NoSuchProcess(process.pid) from error
    found = [int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "VmSwap:"))]
    if not found:
        raise psutil.ZombieProcess(process.pid)
    return 1024 * sum(found)


def growths(samples: Sequence[Sample]) -> list[Growth]:
    """Of each role and quantity, the growth of its processes together from plate to plate.

    It is the median of the slopes between all pairs of samples (Sen, J. Am. Stat. Assoc. 63, 1968) as long as the
    processes are the same: single odd samples do not change it.
    """
    found = []
    for role in Role:
        of_role = [sample for sample in samples if sample.role is role]
        for quantity in Quantity if of_role else ():
            slopes = list(_slopes(of_role, quantity))
            per_plate = statistics.median(slopes) if len(slopes) >= ENOUGH else None
            typical = statistics.median(sample.value(quantity) for sample in of_role)
            found.append(Growth(role, quantity, per_plate, typical))
    return found


def _slopes(samples: Iterable[Sample], quantity: Quantity) -> Iterator[float]:
    """Between all pairs of plates after which the same processes were there, what these hold together taken as one."""
    of_plate: defaultdict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        of_plate[sample.plate].append(sample)
    of_processes: defaultdict[frozenset[int], list[tuple[int, int]]] = defaultdict(list)
    for plate, together in of_plate.items():
        held = sum(sample.value(quantity) for sample in together)
        of_processes[frozenset(sample.pid for sample in together)].append((plate, held))
    for known in of_processes.values():
        for (early, before), (late, after) in itertools.combinations(known[max(WARM_UP, len(known) // 10) :], 2):
            yield (after - before) / (late - early)


def segments(pids: Iterable[int]) -> dict[str, int]:
    """The segments of shared memory of these processes, also of those that have ended, and their sizes in bytes."""
    wanted, found = {str(pid) for pid in pids}, {}
    for path in segment_folder().glob("zrs-*"):
        if path.name.split("-")[1] in wanted:
            try:
                found[path.name] = path.stat().st_size
            except FileNotFoundError:
                continue
    return found


def marked_processes(variable: str, value: str) -> list[psutil.Process]:
    """All processes of this machine that were started with that environment, whoever is their parent now."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(variable) == value and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def socket_files(folder: Path) -> list[Path]:
    """The socket files in a folder."""
    return [path for path in folder.rglob("*") if path.is_socket()]


def digests(folder: Path) -> dict[str, str]:
    """Of every file of a run but the JSON documents and the log, which tell times."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".json", ".log")]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
