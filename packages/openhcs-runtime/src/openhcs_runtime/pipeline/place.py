"""Where the current step runs: the device that the engine has given it, for functions with a model."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

from openhcs_runtime.pipeline.resources import StepResources

__all__ = ["CPU", "Gpu", "StepPlace", "at_place", "current_place"]

CPU = "CPU"
"""What the results call the place of a step that asked for a GPU and did not get one."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU of a machine.

    Attributes:
        key: Its UUID or, if that is not known, its number, as ``CUDA_VISIBLE_DEVICES`` takes them.
        number: Its number on the machine, in the order of the PCI bus.
        name: Its model; empty if it is not known.
        memory_bytes: All of its memory; 0 if it is not known.
        free_bytes: The memory that was free when the run began; 0 if it is not known.
    """

    key: str
    number: int
    name: str = ""
    memory_bytes: int = 0
    free_bytes: int = field(default=0, compare=False)

    @property
    def label(self) -> str:
        """What progress, log and provenance call it."""
        return f"GPU {self.number}"


@dataclass(slots=True)
class StepPlace:
    """Where a step runs.

    Attributes:
        device: The GPU that the step has while it runs; None for the CPU.
        ordinal: The number by which the libraries in this process know that GPU: 0 in a worker process, which sees
            only its own.
        resources: What the step asked for.
        why_cpu: Why a step that asked for a GPU runs on the CPU; empty if it does not.
    """

    device: Gpu | None = None
    ordinal: int = 0
    resources: StepResources = field(default_factory=StepResources)
    why_cpu: str = ""

    @property
    def torch_device(self) -> str:
        """The device as PyTorch names it: ``cuda:0`` or ``cpu``."""
        return "cpu" if self.device is None else f"cuda:{self.ordinal}"

    @property
    def label(self) -> str:
        """Where the step ran, in words; empty for the CPU if it did not ask for a GPU."""
        if not self.resources.gpu:
            return ""
        return CPU if self.device is None or self.why_cpu else self.device.label

    def use_cpu(self, why: str) -> None:
        """Note that a function uses the CPU although the step has asked for a GPU; the results and the log tell why."""
        if self.resources.gpu and not self.why_cpu:
            self.why_cpu = why


_PLACE: ContextVar[StepPlace | None] = ContextVar("openhcs_step_place", default=None)


def current_place() -> StepPlace:
    """Return where the current step runs; outside a step, or for one that asks for nothing, that is the CPU."""
    return _PLACE.get() or StepPlace()


@contextlib.contextmanager
def at_place(place: StepPlace) -> Iterator[StepPlace]:
    """Run the block at this place."""
    token = _PLACE.set(place)
    try:
        yield place
    finally:
        _PLACE.reset(token)
