"""Where the steps of a well get their slots from: the one place that each kind of worker implements in its own way."""

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Protocol

import threadpoolctl

from openhcs_runtime.engine.devices.choice import NO_DEVICE
from openhcs_runtime.engine.devices.slots import SlotRequest
from openhcs_runtime.pipeline.place import Gpu, StepPlace
from openhcs_runtime.pipeline.resources import StepResources

__all__ = ["NoSlots", "SlotSource", "SlotWatch", "current_slots", "limited_threads", "request_for", "slots_from"]


class SlotWatch(Protocol):
    """The well that waits for a slot."""

    def check_cancelled(self) -> None:
        """Check whether the task or this well should stop.

        Raises:
            TaskCancelled: it should.
        """

    def waits_for(self, what: str) -> None:
        """Report that the well waits."""


class SlotSource(Protocol):
    """Gives the steps of wells their slots."""

    def hold(
        self, resources: StepResources, watch: SlotWatch, *, alone: bool = False
    ) -> AbstractContextManager[StepPlace]:
        """Wait until the resources are free, and hold them during the block.

        Args:
            resources: what the step needs.
            watch: reports that the well waits, and says whether it was cancelled, which is checked as soon as something
                is cancelled.
            alone: whether the GPU must not be shared meanwhile.

        Raises:
            TaskCancelled: the task or the well was cancelled.
        """


class NoSlots:
    """Gives no GPU and doesn't wait, for wells outside a run."""

    @contextlib.contextmanager
    def hold(self, resources: StepResources, watch: SlotWatch, *, alone: bool = False) -> Iterator[StepPlace]:
        """See ``SlotSource.hold``."""
        with limited_threads(resources.threads):
            yield StepPlace(resources=resources, why_cpu=NO_DEVICE if resources.gpu else "")


_SLOTS: ContextVar[SlotSource | None] = ContextVar("openhcs_slots", default=None)


def current_slots() -> SlotSource:
    """Return where the wells of this run get their slots from."""
    return _SLOTS.get() or NoSlots()


@contextlib.contextmanager
def slots_from(source: SlotSource) -> Iterator[None]:
    """Let the wells that are processed in the block get their slots from this source."""
    token = _SLOTS.set(source)
    try:
        yield
    finally:
        _SLOTS.reset(token)


def request_for(resources: StepResources, devices: tuple[Gpu, ...], *, alone: bool) -> SlotRequest:
    """Return the request of a step that can use these GPUs."""
    memory = resources.memory_bytes if resources.gpu else 0
    return SlotRequest(resources.gpu, memory, resources.threads, devices, alone)


@contextlib.contextmanager
def limited_threads(threads: int) -> Iterator[None]:
    """Let the numeric libraries of this process use this number of threads during the block; 0 changes nothing."""
    if not threads:
        yield
        return
    with threadpoolctl.threadpool_limits(threads):
        yield
