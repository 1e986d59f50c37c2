"""What the steps of a run have cost: seconds and memory of each step, over all wells."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from openhcs_runtime.results import StepCost


@dataclass(frozen=True, slots=True)
class StepTotal:
    """What one step has cost.

    Attributes:
        step: name of the step.
        wells: number of wells in which it ran.
        seconds: the sum over these wells.
        share: its share of the seconds of all steps, from 0 to 1.
        peak_memory_bytes: the highest peak memory of a process during the step; None if it was not measured.
    """

    step: str
    wells: int
    seconds: float
    share: float
    peak_memory_bytes: int | None

    @property
    def mean_seconds(self) -> float:
        """Seconds per well."""
        return self.seconds / self.wells


def step_totals(wells: Iterable[Sequence[StepCost]]) -> tuple[StepTotal, ...]:
    """Add up what the steps of each well have cost; steps of the same name in one pipeline are told apart.

    Args:
        wells: the steps of each well, in order.

    Returns:
        One total for each step, in the order of the pipeline.
    """
    found: dict[tuple[str, int], list[StepCost]] = {}
    for costs in sorted(wells, key=len, reverse=True):  # the most complete ones give the order
        seen: Counter[str] = Counter()
        for cost in costs:
            found.setdefault((cost.step, seen[cost.step]), []).append(cost)
            seen[cost.step] += 1
    seconds = sum(cost.seconds for costs in found.values() for cost in costs)
    return tuple(_total(name, costs, seconds) for (name, _), costs in found.items())


def _total(step: str, costs: Sequence[StepCost], of_seconds: float) -> StepTotal:
    own = sum(cost.seconds for cost in costs)
    peaks = [cost.peak_memory_bytes for cost in costs if cost.peak_memory_bytes is not None]
    return StepTotal(step, len(costs), own, own / of_seconds if of_seconds else 0.0, max(peaks, default=None))
