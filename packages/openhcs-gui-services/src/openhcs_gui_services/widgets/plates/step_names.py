"""The names of the steps of the displayed plate: those of the run that is shown, never those of an edited text."""

from collections.abc import Iterable, Mapping, Sequence

from zmqruntime.execution import AxisProgress

__all__ = ["StepNames"]


class StepNames:
    """Step names from the check of a run or from its results, and from the progress of its wells."""

    def __init__(self, wells: Iterable[AxisProgress] = ()) -> None:
        self._told: dict[int, str] = {}
        self.apply(wells)

    def apply(self, wells: Iterable[AxisProgress]) -> None:
        """Apply the current steps of these wells."""
        self._told.update({well.step_index: well.step_name for well in wells if well.step_name})

    def known(self, steps: Sequence[str], total: int) -> Mapping[int, str]:
        """Return the known step names by index, from 0.

        Args:
            steps: the names of the steps of the run, if they are known.
            total: the number of steps of the well.
        """
        names = dict(enumerate(steps))
        agrees = len(names) >= total and all(names.get(index) == name for index, name in self._told.items())
        return names if agrees else self._told
