"""What the steps of the plate that is shown are called. No Qt in here."""

from collections.abc import Iterable, Mapping

from openhcs_gui_services.services.pipeline.text import outline_of
from zmqruntime.execution import AxisProgress

__all__ = ["StepNames"]


class StepNames:
    """Wells tell the name of the step that they are at; the other names are read in the pipeline, if it agrees."""

    def __init__(self, wells: Iterable[AxisProgress] = ()) -> None:
        self._told: dict[int, str] = {}
        self._source = ""
        self._written: tuple[str, ...] = ()
        self.apply(wells)

    def apply(self, wells: Iterable[AxisProgress]) -> None:
        """These wells are now where they say."""
        self._told.update({well.step_index: well.step_name for well in wells if well.step_name})

    def known(self, pipeline: str, total: int) -> Mapping[int, str]:
        """Names by index, from 0, of ``total`` steps. ``pipeline``: its source, which may have been edited since."""
        if pipeline != self._source:
            self._source, self._written = pipeline, tuple(step.name for step in outline_of(pipeline).steps)
        written = dict(enumerate(self._written))
        agrees = len(written) == total and all(written.get(index) == name for index, name in self._told.items())
        return written if agrees else self._told
