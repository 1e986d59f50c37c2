"""What a step needs while it runs: a GPU or a share of one, memory, and threads."""

from dataclasses import dataclass
from typing import Self

from openhcs_runtime.limits import bytes_of

__all__ = ["StepResources", "read_memory"]


@dataclass(frozen=True, slots=True)
class StepResources:
    """What a step needs while it runs.

    Attributes:
        gpu: The share of a GPU, from 0 for none to 1 for a whole one.
        memory_bytes: Memory of the GPU or, for a step without one, of the machine; 0 if it is not given.
        threads: Threads of numeric libraries; 0 if it is not given.
    """

    gpu: float = 0.0
    memory_bytes: int = 0
    threads: int = 0

    @classmethod
    def read(cls, gpu: object, memory: object, threads: object) -> Self:
        """Return the resources of a step from its arguments.

        Raises:
            ValueError: An argument is not valid; the message says what is.
        """
        return cls(_share(gpu), read_memory(memory), _threads(threads))

    @property
    def needs_slot(self) -> bool:
        """Whether the step has to wait until its resources are free."""
        return self.gpu > 0 or self.threads > 1


def read_memory(value: object) -> int:
    """Return a number of bytes given as such or as text with a unit; 0 for None.

    Raises:
        ValueError: The value is neither.
    """
    if value is None:
        return 0
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    try:
        size = bytes_of(value) if isinstance(value, str) else 0
    except ValueError:
        size = 0
    if size < 1:
        raise ValueError(f"memory {value!r} is not an amount of memory: write it like '500 MB' or '4 GB'")
    return size


def _share(gpu: object) -> float:
    if gpu is None:
        return 0.0
    if isinstance(gpu, bool) or not isinstance(gpu, int | float) or not 0 <= gpu <= 1:
        raise ValueError(f"gpu {gpu!r} is not a share of a GPU: give a number from 0 (none) to 1 (a whole one)")
    return float(gpu)


def _threads(threads: object) -> int:
    if threads is None:
        return 0
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ValueError(f"threads {threads!r} is not a number of threads: give a whole number from 1")
    return threads
