"""The phases of a pipeline: its steps over the plate, and the steps of the wells before and after them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from openhcs_runtime.pipeline.decorators import InputKind, traits_of
from openhcs_runtime.pipeline.plate_step import PlateStep, Step, calls_of
from openhcs_runtime.pipeline.step import FunctionStep


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a run.

    Attributes:
        stop: Wells are processed up to the step with this index, which is not included.
        plate_step: Index of the step over the plate that follows; None in the last phase.
        finishes: Whether wells are finished in this phase, as no later step works on wells.
    """

    stop: int
    plate_step: int | None
    finishes: bool


def phases(steps: Sequence[Step]) -> tuple[Phase, ...]:
    """Return the phases of a pipeline; one without steps over the plate has a single phase."""
    last = last_of_wells(steps)
    found = [Phase(index, index, finishes=index > last) for index in plate_steps(steps)]
    if not found or not found[-1].finishes:
        found.append(Phase(len(steps), None, finishes=True))
    return tuple(found)


def plate_steps(steps: Sequence[Step]) -> tuple[int, ...]:
    """Return the indices of the steps over the plate."""
    return tuple(index for index, step in enumerate(steps) if isinstance(step, PlateStep))


def last_of_wells(steps: Sequence[Step]) -> int:
    """Return the index of the last step that works on wells; -1 if there is none."""
    return max((index for index, step in enumerate(steps) if isinstance(step, FunctionStep)), default=-1)


def state_index(steps: Sequence[Step], stop: int) -> int:
    """Return the number of steps after which the state of a well is the same as after the first ``stop`` steps."""
    while stop and isinstance(steps[stop - 1], PlateStep):
        stop -= 1
    return stop


def saved_states(steps: Sequence[Step]) -> frozenset[int]:
    """Return after how many steps the state of a well is written: kept ones, and those before a step over the plate."""
    kept = {index + 1 for index, step in enumerate(steps) if step.keep}
    before = {state_index(steps, index) for index in plate_steps(steps)}
    return frozenset((kept | before) - {0})


def needs_labels(steps: Iterable[Step]) -> bool:
    """Return whether a function in these steps takes labels."""
    wanted = {InputKind.LABELS, InputKind.SHARED_LABELS, InputKind.OBJECT_SETS}
    return any(not wanted.isdisjoint(traits_of(call.function).inputs) for call in calls_of(steps))


def needs_object_sets(steps: Iterable[Step]) -> bool:
    """Return whether a function in these steps takes the labels of all sets of objects."""
    return any(InputKind.OBJECT_SETS in traits_of(call.function).inputs for call in calls_of(steps))
