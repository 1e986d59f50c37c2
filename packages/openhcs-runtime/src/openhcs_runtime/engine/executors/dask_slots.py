"""The slots of wells on a Dask cluster: the client keeps a book for each machine, Dask's connections carry requests.

A worker asks in an event (``log_event``), as it reports progress, and the client grants with a call
(``Client.run``). A worker that is lost gives back what it had.
"""

import contextlib
import functools
import os
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from distributed import Worker
from distributed.comm import get_address_host

from openhcs_runtime.engine.devices.choice import RunDevices, find_devices
from openhcs_runtime.engine.devices.environment import device_environment
from openhcs_runtime.engine.devices.pipe_slots import WorkerDevice
from openhcs_runtime.engine.devices.slots import Grant, SlotBook, SlotRequest
from openhcs_runtime.engine.devices.source import SlotWatch, limited_threads, request_for
from openhcs_runtime.exceptions import WorkerError
from openhcs_runtime.limits import available_cores
from openhcs_runtime.pipeline.place import Gpu, StepPlace
from openhcs_runtime.pipeline.resources import StepResources
from zmqruntime.execution import current_task
from zmqruntime.messages import Message

__all__ = ["ClusterSlots", "DaskSlots", "SlotNews", "grant_slot", "own_device"]

GPU = "GPU"
"""Name of the resource of ``dask worker --resources GPU=1``."""
_SILENT_SECONDS = 0.5
"""How long a well waits before it says so."""


class SlotNews(Message, frozen=True, kw_only=True, tag="slot_news"):
    """A worker asks for a slot, or gives it back.

    Attributes:
        run_id: id of the run.
        attempt: id of the attempt at a well.
        number: number of the request, from 1 in each attempt.
        worker: address of the Dask worker.
        cores: number of cores of its machine.
        request: what is asked for; None gives it back, whether it was granted or not.
    """

    run_id: str
    attempt: str
    number: int
    worker: str
    cores: int
    request: SlotRequest | None = None


class ClusterSlots:
    """Keeps a book for each machine of the cluster, on the thread of the run.

    Args:
        tell: called with the worker, the attempt and the number of each request that is granted.
    """

    def __init__(self, tell: Callable[[str, str, int], None]) -> None:
        self._tell = tell
        self._books: dict[str, SlotBook] = {}
        self._open: dict[str, SlotNews] = {}

    def take(self, news: SlotNews) -> None:
        """Take a request, or what is given back."""
        who = f"{news.attempt} {news.number}"
        if news.request is None:
            self._give_back(who)
            return
        self._open[who] = news
        book = self._books.setdefault(get_address_host(news.worker), SlotBook(news.cores))
        self._grant(book.ask(who, news.request))

    def forget(self, *, attempts: Sequence[str] = (), worker: str = "") -> None:
        """Take back everything of these attempts, which are over, or of a worker that was lost."""
        for who, news in list(self._open.items()):
            if news.attempt in attempts or news.worker == worker:
                self._give_back(who)

    def _give_back(self, who: str) -> None:
        news = self._open.pop(who, None)
        if news is not None:
            self._grant(self._books[get_address_host(news.worker)].give_back(who))

    def _grant(self, grants: Sequence[Grant]) -> None:
        for grant in grants:
            news = self._open[grant.who]
            self._tell(news.worker, news.attempt, news.number)


class DaskSlots:
    """Asks the client for slots; see ``SlotSource``.

    Args:
        send: sends a request to the client.
        run_id: id of the run.
        attempt: id of the attempt at the well.
        worker: address of this worker.
        own: the GPU of this process.
    """

    def __init__(
        self, send: Callable[[SlotNews], None], run_id: str, attempt: str, worker: str, own: WorkerDevice
    ) -> None:
        self._send = send
        self._news = functools.partial(SlotNews, run_id=run_id, attempt=attempt, worker=worker, cores=available_cores())
        self._attempt = attempt
        self._own = own
        self._number = 0

    @contextlib.contextmanager
    def hold(self, resources: StepResources, watch: SlotWatch, *, alone: bool = False) -> Iterator[StepPlace]:
        """See ``SlotSource.hold``."""
        device = self._own.device if resources.gpu else None
        place = StepPlace(device, 0, resources, self._own.why_none if resources.gpu else "")
        with contextlib.ExitStack() as stack:
            if device is not None or resources.threads > 1:
                devices = () if device is None else (device,)
                stack.enter_context(self._granted(request_for(resources, devices, alone=alone), watch))
            stack.enter_context(limited_threads(resources.threads))
            yield place

    @contextlib.contextmanager
    def _granted(self, request: SlotRequest, watch: SlotWatch) -> Iterator[None]:
        self._number += 1
        with slots_here().expected(self._attempt, self._number) as changed:
            self._send(self._news(number=self._number, request=request))
            try:
                self._wait(changed, watch, "a GPU" if request.share else "cores")
                yield
            finally:
                self._send(self._news(number=self._number))

    def _wait(self, changed: "_Expected", watch: SlotWatch, what: str) -> None:
        if changed.event.wait(_SILENT_SECONDS):
            return
        watch.waits_for(what)
        with current_task().on_cancel(lambda _axis_id: changed.event.set()):
            while not changed.is_granted:
                changed.event.wait()
                changed.event.clear()
                watch.check_cancelled()
        watch.waits_for("")


@dataclass(slots=True)
class _Expected:
    """A request that was sent; the event is set when it is granted, and when something is cancelled."""

    event: threading.Event = field(default_factory=threading.Event)
    is_granted: bool = False


class _SlotsHere:
    """The requests of this worker process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._expected: dict[tuple[str, int], _Expected] = {}

    @contextlib.contextmanager
    def expected(self, attempt: str, number: int) -> Iterator[_Expected]:
        """Take the grant of a request during the block."""
        expected = _Expected()
        with self._lock:
            self._expected[attempt, number] = expected
        try:
            yield expected
        finally:
            with self._lock:
                del self._expected[attempt, number]

    def grant(self, attempt: str, number: int) -> None:
        """See ``grant_slot``."""
        with self._lock:
            expected = self._expected.get((attempt, number))
        if expected is not None:
            expected.is_granted = True
            expected.event.set()


@functools.cache
def slots_here() -> _SlotsHere:
    """Return the requests of this worker process."""
    return _SlotsHere()


def grant_slot(attempt: str, number: int) -> None:
    """Grant a request of this process; one that was given back meanwhile is no longer known."""
    slots_here().grant(attempt, number)


def own_device(worker: Worker, found: RunDevices) -> WorkerDevice:
    """Return the GPU of this worker process, the only one that it sees from then on.

    Args:
        worker: the worker.
        found: the GPUs of its machine, or the setting that chooses them there.
    """
    return _device_here().of(worker, found) if found.hides_others else WorkerDevice()


class _DeviceHere:
    """The GPU of this worker process: the first that a run chooses, as libraries look for GPUs only once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._environment = dict(os.environ)
        self._is_chosen = False
        self._device: Gpu | None = None

    def of(self, worker: Worker, found: RunDevices) -> WorkerDevice:
        """See ``own_device``."""
        with self._lock:
            if found.setting:
                found = self._found(found.setting)
            devices = found.devices
            if not devices and worker.state.total_resources.get(GPU, 0) > 0:
                devices = (Gpu("0", 0),)
            if not self._is_chosen:
                self._choose(devices[_index(worker) % len(devices)] if devices else None)
            if self._device in devices:
                return WorkerDevice(self._device)
            return WorkerDevice(None, found.why_none or f"Dask worker {worker.address} has begun with another GPU")

    def _found(self, setting: str) -> RunDevices:
        try:
            return find_devices(setting, environment=self._environment)
        except WorkerError as error:
            return RunDevices(why_none=str(error))

    def _choose(self, device: Gpu | None) -> None:
        self._is_chosen, self._device = True, device
        os.environ.update(device_environment(device))


@functools.cache
def _device_here() -> _DeviceHere:
    return _DeviceHere()


def _index(worker: Worker) -> int:
    """Return a number that differs between the workers of a machine, if they are numbered."""
    return int(worker.name) if str(worker.name).isdigit() else zlib.crc32(worker.address.encode())
