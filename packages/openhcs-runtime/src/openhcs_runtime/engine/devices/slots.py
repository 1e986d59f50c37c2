"""Who may use which GPU and how many cores of one machine: a book of requests and grants, first come, first served."""

from collections.abc import Iterator
from dataclasses import dataclass

from openhcs_runtime.pipeline.place import Gpu

__all__ = ["Grant", "SlotBook", "SlotRequest"]

_WHOLE = 1_000_000
"""Shares are counted in millionths, as sums of floats are not exact."""


@dataclass(frozen=True, slots=True)
class SlotRequest:
    """What a well needs for its current step.

    Attributes:
        share: Share of a GPU; 0 for none.
        memory_bytes: Memory of the GPU; 0 if it is not known.
        threads: Cores; 0 and 1 don't count.
        devices: The GPUs that it can use; if there are none, it runs on the CPU.
        alone: Whether no other well may use the GPU at the same time.
    """

    share: float = 0.0
    memory_bytes: int = 0
    threads: int = 0
    devices: tuple[Gpu, ...] = ()
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """A request that was granted: who made it, and the GPU if it gets one."""

    who: str
    device: Gpu | None


@dataclass(frozen=True, slots=True)
class _Held:
    device: Gpu | None
    share: int
    memory_bytes: int
    cores: int


class SlotBook:
    """The requests and grants of one machine, in the order of the requests.

    A request that can't be granted yet holds up later ones for the same GPU or for cores, so that it gets its turn.
    If nobody uses a GPU, the next request gets it, however much memory it names; likewise for cores.

    Args:
        cores: number of cores of the machine.
    """

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self._waiting: dict[str, SlotRequest] = {}
        self._held: dict[str, _Held] = {}

    def ask(self, who: str, request: SlotRequest) -> list[Grant]:
        """Add a request; return the grants that are now possible.

        Raises:
            ValueError: the same one already waits for a grant or has one.
        """
        if who in self._waiting or who in self._held:
            raise ValueError(f"{who} has asked already")
        self._waiting[who] = request
        return list(self._grants())

    def give_back(self, who: str) -> list[Grant]:
        """Remove a grant or a request, if there is one; return the grants that are now possible."""
        self._waiting.pop(who, None)
        self._held.pop(who, None)
        return list(self._grants())

    def is_waiting(self, who: str) -> bool:
        """Whether a request has not been granted yet."""
        return who in self._waiting

    def _grants(self) -> Iterator[Grant]:
        blocked: set[str] = set()
        are_cores_blocked = False
        for who, request in list(self._waiting.items()):
            devices = request.devices if request.share else ()
            cores = min(request.threads, self._cores) if request.threads > 1 else 0
            free = [device for device in devices if device.key not in blocked and self._fits(device, request)]
            if (free or not devices) and (not cores or (not are_cores_blocked and self._has_cores(cores))):
                device = min(free, key=self._used, default=None)
                del self._waiting[who]
                share = _WHOLE if request.alone else round(request.share * _WHOLE)
                self._held[who] = _Held(device, share, request.memory_bytes, cores)
                yield Grant(who, device)
            else:
                blocked.update(device.key for device in devices)
                are_cores_blocked |= cores > 0

    def _on(self, device: Gpu) -> list[_Held]:
        return [held for held in self._held.values() if held.device is not None and held.device.key == device.key]

    def _used(self, device: Gpu) -> int:
        return sum(held.share for held in self._on(device))

    def _fits(self, device: Gpu, request: SlotRequest) -> bool:
        others = self._on(device)
        if not others:
            return True
        if request.alone or self._used(device) + round(request.share * _WHOLE) > _WHOLE:
            return False
        memory = sum(held.memory_bytes for held in others) + request.memory_bytes
        return not device.free_bytes or memory <= device.free_bytes

    def _has_cores(self, cores: int) -> bool:
        used = sum(held.cores for held in self._held.values())
        return not used or used + cores <= self._cores
