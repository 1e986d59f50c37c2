"""Measures what each step of a well costs: its seconds and the peak memory of its process."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

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

    @property
    def costs(self) -> tuple[StepCost, ...]:
        """The steps so far, with one that failed or was cancelled."""
        return tuple(self._costs)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure the block as a step, however it ends."""
        started = time.monotonic()
        try:
            yield
        finally:
            peak = self._meter.lap() if self._meter is not None else None
            self._costs.append(StepCost(name, time.monotonic() - started, peak))
