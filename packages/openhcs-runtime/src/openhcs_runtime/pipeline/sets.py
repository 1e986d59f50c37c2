"""Names of the object sets of a pipeline, taken from the functions that find them."""

from collections import Counter
from collections.abc import Mapping, Sequence

from openhcs_runtime.pipeline.decorators import traits_of
from openhcs_runtime.pipeline.plate_step import Step

SetNames = Mapping[str | None, tuple[str, ...]]
"""One name per call for each branch of a step (``FunctionStep.branches``)."""


def set_names(steps: Sequence[Step]) -> tuple[SetNames, ...]:
    """Return the names of the objects that the calls of each step find.

    This is what the function declares to find, or its name; with a number if it occurs again later (``nuclei``,
    ``nuclei_2``). Branches of a step work on different images, so they share names.
    """
    taken: Counter[str] = Counter()
    names: list[SetNames] = []
    for step in steps:
        of_step: dict[str | None, tuple[str, ...]] = {}
        after = Counter(taken)
        for value, chain in step.branches().items():
            counted = Counter(taken)
            of_branch = []
            for call in chain:
                name = traits_of(call.function).finds or call.name
                counted[name] += 1
                of_branch.append(name if counted[name] == 1 else f"{name}_{counted[name]}")
            of_step[value] = tuple(of_branch)
            after |= counted
        taken = after
        names.append(of_step)
    return tuple(names)
