"""What keeps a queued execution from starting: its queue, its concurrency key, resources and its rate."""

import math
import os
from collections import Counter

import msgspec
import psutil

from zmqruntime.exceptions import ConfigurationError
from zmqruntime.execution.server.lanes import Barrier
from zmqruntime.execution.server.named_queues import NamedQueues
from zmqruntime.execution.server.needs import NO_NEEDS
from zmqruntime.execution.server.rates import Rates
from zmqruntime.execution.server.record import Record
from zmqruntime.messages import Resources

__all__ = ["CONCURRENCY", "QUEUE", "RATE", "RESOURCES", "Gates", "checked_resources", "machine_resources"]

QUEUE = "queue"
CONCURRENCY = "concurrency"
RESOURCES = "resources"
RATE = "rate"

_ROUNDING = 1e-9


def machine_resources() -> dict[str, float]:
    """Return the memory of this machine in bytes, and the processors that this process may use as ``threads``."""
    affinity = getattr(os, "sched_getaffinity", None)
    processors = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    return {"memory": float(psutil.virtual_memory().total), "threads": float(processors)}


def checked_resources(resources: dict[str, float]) -> dict[str, float]:
    """Return what a server is said to have.

    Raises:
        ConfigurationError: A name or an amount is not valid.
    """
    try:
        found = msgspec.convert(resources, Resources)
    except msgspec.ValidationError as error:
        text = f"resources of a server are names with amounts, such as {{'gpu': 2}}: {error}"
        raise ConfigurationError(text) from error
    if not all(map(math.isfinite, found.values())):
        raise ConfigurationError(f"the amounts of a server's resources must be finite, not {resources}")
    return found


class Gates:
    """Counts what running executions occupy; on the thread of the server's loop.

    Args:
        resources: What the server has.
        queues: Settings of named queues.
        rates: Starts of executions with a rate limit.
    """

    def __init__(self, resources: dict[str, float], queues: NamedQueues, rates: Rates) -> None:
        self.resources = resources
        self.running: Counter[str] = Counter()
        """Number of running executions by queue."""
        self._queues = queues
        self._rates = rates
        self._holders: dict[str, Record] = {}
        self._by_key: Counter[str] = Counter()

    def barrier(self, record: Record) -> Barrier | None:
        """Return what keeps an execution from starting now, or None."""
        if record.queue in self._queues and (barrier := self._at_queue(record.queue)) is not None:
            return barrier
        needs = record.needs
        if needs is NO_NEEDS:
            return None
        limit = needs.concurrency
        if limit is not None and self._by_key[limit.key] >= limit.most:
            return Barrier(CONCURRENCY, limit.key, limit.most)
        if needs.resources and self.lacking(record):
            return Barrier(RESOURCES, "", record.lane.sizes)
        if needs.rate is not None and self._rates.seconds_until_start(needs.rate) > 0:
            return Barrier(RATE, needs.rate.key, needs.rate)
        return None

    def _at_queue(self, name: str) -> Barrier | None:
        settings = self._queues[name]
        is_full = settings.limit is not None and self.running[name] >= settings.limit
        return Barrier(QUEUE, name) if settings.paused or is_full else None

    def lacking(self, record: Record) -> list[str]:
        """Return the names of the resources of which too little is free for an execution."""
        return [
            name
            for name, amount in record.needs.resources.items()
            if not self._used(name) + amount <= self.resources.get(name, 0.0) * (1 + _ROUNDING)
        ]

    def _used(self, name: str) -> float:
        """Summed each time, because a running total of floats would drift."""
        return math.fsum(holder.needs.resources.get(name, 0.0) for holder in self._holders.values())

    def text(self, record: Record, barrier: Barrier) -> str:
        """Return a short text for what an execution waits for."""
        match barrier.kind:
            case "queue":
                return "queue paused" if self._queues[record.queue].paused else "queue limit"
            case "resources":
                return ", ".join(self.lacking(record))
            case kind:
                return kind

    def note_start(self, record: Record) -> None:
        """Count an execution that starts."""
        self.running[record.queue] += 1
        needs = record.needs
        self._holders[record.execution_id] = record
        if needs.concurrency is not None:
            self._by_key[needs.concurrency.key] += 1
        if needs.rate is not None:
            self._rates.note_start(needs.rate)

    def note_stop(self, execution_id: str) -> list[tuple[str, object]]:
        """Count an execution that has stopped; return the kinds and keys of the barriers that may have opened."""
        record = self._holders.pop(execution_id, None)
        if record is None:
            return []
        opened: list[tuple[str, object]] = [(QUEUE, record.queue)]
        _count_down(self.running, record.queue)
        if record.needs.concurrency is not None:
            _count_down(self._by_key, record.needs.concurrency.key)
            opened.append((CONCURRENCY, record.needs.concurrency.key))
        if record.needs.resources:
            opened.append((RESOURCES, ""))
        return opened

    def unmet(self, resources: dict[str, float]) -> str | None:
        """Return why the server can never provide these, as text; None if it can."""
        for name, amount in resources.items():
            if name not in self.resources:
                known = ", ".join(sorted(self.resources))
                return f"this server has no resource {name!r}, only {known}: start it with resources={{{name!r}: ...}}"
            if not amount <= self.resources[name]:
                has = self.resources[name]
                return f"it needs {amount:.15g} of {name!r}, but this server has {has:.15g}: ask for less"
        return None


def _count_down(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
