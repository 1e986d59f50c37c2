"""Calls the functions of a step where its resources are free; if a GPU runs out of memory, once more with it alone."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from openhcs_runtime.engine.devices.out_of_memory import free_device_memory, is_out_of_memory
from openhcs_runtime.engine.devices.source import SlotWatch, current_slots
from openhcs_runtime.engine.step_costs import StepMeter
from openhcs_runtime.exceptions import StepError
from openhcs_runtime.pipeline.place import StepPlace, at_place
from openhcs_runtime.pipeline.resources import StepResources
from zmqruntime.execution import current_task

__all__ = ["StepSlots"]

_Made = TypeVar("_Made")


class StepSlots:
    """Gives the steps of one well the resources that they ask for.

    Args:
        watch: reports that the well waits, and knows whether it was cancelled.
    """

    def __init__(self, watch: SlotWatch) -> None:
        self._watch = watch
        self._slots = current_slots()

    def call(self, needs: StepResources, attempt: Callable[[], _Made], costs: StepMeter) -> _Made:
        """Return what the attempt returns; it may be made twice.

        Args:
            needs: what the step asks for.
            attempt: calls its functions for a pattern group.
            costs: records where they run, and how long the well has waited.

        Raises:
            StepError: a function has failed; also if the GPU ran out of memory in both attempts.
            TaskCancelled: the task or the well was cancelled while it waited.
        """
        if not needs.needs_slot and not needs.threads:
            return attempt()
        try:
            with self._held(needs, costs) as place:
                return attempt()
        except StepError as error:
            if place.device is None or not is_out_of_memory(error):
                raise
            current_task().log.warning(f"{error}: {place.device.label} is out of memory, trying once more alone on it")
            free_device_memory(error)
        try:
            with self._held(needs, costs, alone=True) as place:
                return attempt()
        except StepError as error:
            if not is_out_of_memory(error):
                raise
            raise StepError(
                f"{error}; {place.label} ran out of memory although no other well used it: use smaller stacks "
                "(variable_components), tiles or batches, or a GPU with more memory"
            ) from error

    @contextmanager
    def _held(self, needs: StepResources, costs: StepMeter, *, alone: bool = False) -> Iterator[StepPlace]:
        asked = time.monotonic()
        with self._slots.hold(needs, self._watch, alone=alone) as place, at_place(place):
            costs.waited(time.monotonic() - asked)
            try:
                yield place
            finally:
                costs.ran_at(place)
