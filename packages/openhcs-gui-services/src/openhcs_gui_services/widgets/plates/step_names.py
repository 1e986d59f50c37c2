"""The names of the steps of the displayed plate. Without Qt."""

from collections.abc import Iterable, Mapping

from openhcs_gui_services.services.pipeline.text import outline_of
from zmqruntime.execution import AxisProgress

__all__ = ["StepNames"]


class StepNames:
    """Step names from the progress of wells, and from the pipeline source if it agrees with them."""

    def __init__(self, wells: Iterable[AxisProgress] = ()) -> None:
        self._told: dict[int, str] = {}
        self._source = ""
        self._written: tuple[str, ...] = ()
        self.apply(wells)

    def apply(self, wells: Iterable[AxisProgress]) -> None:
        """Apply the current steps of these wells."""
        self._told.update({well.step_index: well.step_name for well in wells if well.step_name})

    def known(self, pipeline: str, total: int) -> Mapping[int, str]:
        """Return the known step names by index, from 0.

        Args:
            pipeline: the source of the pipeline, which may have been edited since the run.
            total: the number of steps of the run.
        """
        if pipeline != self._source:
            self._source, self._written = pipeline, tuple(step.name for step in outline_of(pipeline).steps)
        written = dict(enumerate(self._written))
        agrees = len(written) == total and all(written.get(index) == name for index, name in self._told.items())
        return written if agrees else self._told
