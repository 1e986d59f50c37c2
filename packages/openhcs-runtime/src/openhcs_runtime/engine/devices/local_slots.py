"""The slots of wells that are processed in threads of this process."""

import contextlib
import threading
import uuid
from collections.abc import Iterator, Sequence

import threadpoolctl

from openhcs_runtime.engine.devices.choice import RunDevices
from openhcs_runtime.engine.devices.slots import Grant, SlotBook
from openhcs_runtime.engine.devices.source import SlotWatch, request_for
from openhcs_runtime.pipeline.place import Gpu, StepPlace
from openhcs_runtime.pipeline.resources import StepResources
from zmqruntime.execution import current_task

__all__ = ["LocalSlots"]


class LocalSlots:
    """Shares the GPUs and cores among the threads of a run; see ``SlotSource``.

    Args:
        found: the GPUs of the run.
        cores: number of cores.
    """

    def __init__(self, found: RunDevices, cores: int) -> None:
        self._found = found
        self._book = SlotBook(cores)
        self._granted: dict[str, Gpu | None] = {}
        self._changed = threading.Condition()
        self._wakes = 0
        self._threads = _SharedLimit()

    @contextlib.contextmanager
    def hold(self, resources: StepResources, watch: SlotWatch, *, alone: bool = False) -> Iterator[StepPlace]:
        """See ``SlotSource.hold``."""
        who = uuid.uuid4().hex
        request = request_for(resources, self._found.devices, alone=alone)
        try:
            with self._changed:
                self._take(self._book.ask(who, request))
            device = self._wait(who, watch, "a GPU" if resources.gpu and request.devices else "cores")
            why = self._found.why_none if resources.gpu and device is None else ""
            with self._threads.limited(who, resources.threads):
                yield StepPlace(device, self._found.ordinal(device), resources, why)
        finally:
            with self._changed:
                self._granted.pop(who, None)
                self._take(self._book.give_back(who))

    def _wait(self, who: str, watch: SlotWatch, what: str) -> Gpu | None:
        with self._changed:
            if who in self._granted:
                return self._granted[who]
        watch.waits_for(what)
        with current_task().on_cancel(self._wake):
            while True:
                wakes = self._wakes
                watch.check_cancelled()
                with self._changed:
                    while who not in self._granted and self._wakes == wakes:
                        self._changed.wait()
                    if who in self._granted:
                        return self._granted[who]

    def _wake(self, _axis_id: str | None) -> None:
        with self._changed:
            self._wakes += 1
            self._changed.notify_all()

    def _take(self, grants: Sequence[Grant]) -> None:
        self._granted.update((grant.who, grant.device) for grant in grants)
        self._changed.notify_all()


class _SharedLimit:
    """The number of threads of the numeric libraries, which is one for the whole process: the largest in use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: dict[str, int] = {}
        self._limit = contextlib.ExitStack()

    @contextlib.contextmanager
    def limited(self, who: str, threads: int) -> Iterator[None]:
        if not threads:
            yield
            return
        self._set(who, threads)
        try:
            yield
        finally:
            self._set(who, 0)

    def _set(self, who: str, threads: int) -> None:
        with self._lock:
            self._wanted[who] = threads
            if not threads:
                del self._wanted[who]
            self._limit.close()
            if self._wanted:
                self._limit.enter_context(threadpoolctl.threadpool_limits(max(self._wanted.values())))
