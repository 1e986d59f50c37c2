"""What steps have made in earlier previews: states of wells in memory, the oldest of which are dropped."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.engine.well_state import WellState
from openhcs_runtime.outputs.states import StateTree
from openhcs_runtime.pipeline.plan import WellPlan
from openhcs_runtime.pipeline.used_files import UsedFiles

__all__ = ["KeptState", "StateStore"]


@dataclass(frozen=True, slots=True)
class KeptState:
    """A well after a step.

    Attributes:
        tree: the well; its arrays are read-only, so that functions get copies.
        used: files that the functions of the steps so far have read.
        seconds: duration of the step.
        draws: whether the step has drawn numbers from NumPy's global random number generator.
    """

    tree: StateTree
    used: UsedFiles
    seconds: float
    draws: bool = False

    def restored(self, plan: WellPlan) -> WellState:
        """Return the well, to go on with."""
        return WellState.restored(self.tree, (), self.used, {image.key: image for image in plan.images})

    def arrays(self) -> Iterator[NDArray[Any]]:
        """Yield the pixels of all images and labels."""
        planes: list[object] = [pixels for _, pixels in self.tree.images]
        planes += [labels for _, _, labels in (*self.tree.labels, *self.tree.found)]
        yield from (plane for plane in planes if isinstance(plane, np.ndarray))


class StateStore:
    """Keeps states up to a number of bytes.

    Args:
        most_bytes: the limit; the states that were used last stay.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._states: OrderedDict[str, KeptState] = OrderedDict()

    def find(self, key: str) -> KeptState | None:
        """Return a state if nothing that it was made from has changed."""
        kept = self._states.get(key)
        if kept is None:
            return None
        if kept.used.changed():
            del self._states[key]
            return None
        self._states.move_to_end(key)
        return kept

    def keep(self, key: str, kept: KeptState) -> None:
        """Keep a state, and drop the oldest ones if there are too many."""
        for array in kept.arrays():
            array.flags.writeable = False
        self._states[key] = kept
        self._states.move_to_end(key)
        while len(self._states) > 1 and self.bytes() > self._most_bytes:
            self._states.popitem(last=False)

    def bytes(self) -> int:
        """Return the size of all arrays; those that several states share count once."""
        owners = {id(owner): owner.nbytes for kept in self._states.values() for owner in map(_owner, kept.arrays())}
        return sum(owners.values())

    def __len__(self) -> int:
        return len(self._states)


def _owner(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array whose memory this one is a part of."""
    base: NDArray[Any] = array
    while isinstance(base.base, np.ndarray):
        base = base.base
    return base
