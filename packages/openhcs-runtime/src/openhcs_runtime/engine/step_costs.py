"""Measures what each step of a well costs: its seconds and the peak memory of its process."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from openhcs_runtime.pipeline.place import StepPlace
from openhcs_runtime.results import StepCost
from zmqruntime.execution.workers.usage import UsageMeter


class StepMeter:
    """Measures the steps of one well, in order.

    Args:
        meter: measures this process; None if other wells are processed in it at the same time, so that its memory says
            nothing about a step.
        before: costs of the steps that were computed before in the same run.
    """

    def __init__(self, meter: UsageMeter | None, before: Iterable[StepCost] = ()) -> None:
        self._meter = meter
        self._costs = list(before)
        self._waited = 0.0
        self._place: StepPlace | None = None

    @property
    def costs(self) -> tuple[StepCost, ...]:
        """The steps so far, with one that failed or was cancelled."""
        return tuple(self._costs)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure the block as a step, however it ends."""
        started = time.monotonic()
        self._waited, self._place = 0.0, None
        try:
            yield
        finally:
            peak = self._meter.lap() if self._meter is not None else None
            place = self._place or StepPlace()
            seconds = time.monotonic() - started - self._waited
            self._costs.append(StepCost(name, seconds, peak, place.label, place.why_cpu, self._waited))

    def waited(self, seconds: float) -> None:
        """Don't count this time for the current step, in which it has waited for its resources."""
        self._waited += seconds

    def ran_at(self, place: StepPlace) -> None:
        """Note where the functions of the current step have run; a place on the CPU stays, as it has to be told."""
        if self._place is None or not self._place.why_cpu:
            self._place = place
