"""The slots of wells that are processed in worker processes: the parent keeps the book, pipes carry the requests."""

import contextlib
import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import TypeAlias

from openhcs_runtime.engine.devices.choice import RunDevices
from openhcs_runtime.engine.devices.slots import Grant, SlotBook, SlotRequest
from openhcs_runtime.engine.devices.source import SlotWatch, limited_threads, request_for
from openhcs_runtime.pipeline.place import Gpu, StepPlace
from openhcs_runtime.pipeline.resources import StepResources
from zmqruntime.execution import current_task

__all__ = ["GivenBack", "Granted", "ParentSlots", "PipeSlots", "Wanted", "WorkerDevice"]

_SILENT_SECONDS = 0.2
"""How long a well waits before it says so."""

Pipe: TypeAlias = "Connection[object, object]"


@dataclass(frozen=True, slots=True)
class WorkerDevice:
    """The GPU of a worker process, which sees no other; without one, why there is none."""

    device: Gpu | None = None
    why_none: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A worker asks for a slot; it is granted with exactly one ``Granted``, also if it is given back before."""

    request: SlotRequest


@dataclass(frozen=True, slots=True)
class Granted:
    """The worker has the slot that it asked for, unless it has given it back."""


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A worker no longer needs the slot that it has, or has asked for."""


class PipeSlots:
    """Asks the parent process for slots; see ``SlotSource``. Used by the thread that receives from the pipe.

    Args:
        pipe: the pipe to the parent process, through which nothing else arrives while a well is processed.
        own: the GPU of this process.
    """

    def __init__(self, pipe: Pipe, own: WorkerDevice) -> None:
        self._pipe = pipe
        self._own = own

    @contextlib.contextmanager
    def hold(self, resources: StepResources, watch: SlotWatch, *, alone: bool = False) -> Iterator[StepPlace]:
        """See ``SlotSource.hold``."""
        device = self._own.device if resources.gpu else None
        place = StepPlace(device, 0, resources, self._own.why_none if resources.gpu else "")
        with contextlib.ExitStack() as stack:
            if device is not None or resources.threads > 1:
                devices = () if device is None else (device,)
                self._pipe.send(Wanted(request_for(resources, devices, alone=alone)))
                stack.callback(self._pipe.send, GivenBack())
                self._wait(watch, "cores" if device is None else "a GPU")
            stack.enter_context(limited_threads(resources.threads))
            yield place

    def _wait(self, watch: SlotWatch, what: str) -> None:
        if not self._pipe.poll(_SILENT_SECONDS):
            watch.waits_for(what)
            try:
                with _cancelled() as cancelled:
                    while self._pipe not in wait([self._pipe, cancelled]):
                        cancelled.recv_bytes()
                        watch.check_cancelled()
            except BaseException:
                self._pipe.send(GivenBack())
                self._receive()
                raise
            watch.waits_for("")
        self._receive()

    def _receive(self) -> None:
        message = self._pipe.recv()
        assert isinstance(message, Granted), message


@contextlib.contextmanager
def _cancelled() -> Iterator["Connection[bytes, bytes]"]:
    """A pipe in which a message arrives for each cancel of the current task or one of its wells."""
    reader, writer = multiprocessing.Pipe(duplex=False)

    def tell(_axis_id: str | None) -> None:
        with contextlib.suppress(OSError):  # the block may have ended meanwhile
            writer.send_bytes(b"\n")

    with reader, writer, current_task().on_cancel(tell):
        yield reader


class ParentSlots:
    """Keeps the book for the worker processes of one executor.

    Args:
        found: the GPUs of the run.
        cores: number of cores.
    """

    def __init__(self, found: RunDevices, cores: int) -> None:
        self._found = found
        self._book = SlotBook(cores)

    def device_for(self, others: Sequence[Gpu | None]) -> WorkerDevice | None:
        """Return the GPU for a new worker, the one that the fewest others have; None if no step asks for a GPU."""
        if not self._found.hides_others:
            return None
        device = min(self._found.devices, key=others.count, default=None)
        return WorkerDevice(device, self._found.why_none)

    def on_wanted(self, who: str, wanted: Wanted, pipes: Mapping[str, Pipe]) -> None:
        """Take a request of a worker; ``pipes`` are those of all workers."""
        _tell(self._book.ask(who, wanted.request), pipes)

    def on_given_back(self, who: str, pipes: Mapping[str, Pipe]) -> None:
        """Take back the slot of a worker, whether it was granted or not; a worker that has died has none either."""
        if self._book.is_waiting(who):
            _tell([Grant(who, None)], pipes)
        _tell(self._book.give_back(who), pipes)


def _tell(grants: Sequence[Grant], pipes: Mapping[str, Pipe]) -> None:
    for grant in grants:
        if grant.who in pipes:
            with contextlib.suppress(OSError):  # it has died, which its executor will notice
                pipes[grant.who].send(Granted())
