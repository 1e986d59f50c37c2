"""How a plate of a batch was submitted, and how it ended."""

import asyncio
from dataclasses import dataclass

import msgspec

from openhcs_gui_services.services.plates.status import PlateStatus, plate_status_of
from openhcs_runtime.results import PlateResult, ResultStatus
from openhcs_runtime.service.client import PlateExecution
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus

__all__ = ["PlateOutcome", "SubmittedPlate"]


@dataclass(frozen=True, slots=True)
class SubmittedPlate:
    """An execution that the server accepted; ``ended`` is set when it has ended, even if the server restarts."""

    execution_id: str
    ended: "asyncio.Future[ExecutionSnapshot]"


@dataclass(frozen=True, slots=True)
class PlateOutcome:
    """The outcome of a plate in a batch: complete, failed, cancelled or interrupted.

    ``execution`` is None if there never was one; ``error`` says why.
    """

    path: str
    state: PlateStatus
    error: str = ""
    execution: PlateExecution | None = None

    @classmethod
    def of(cls, path: str, snapshot: ExecutionSnapshot) -> "PlateOutcome":
        """Return the outcome of a plate from the last snapshot of its execution.

        A complete execution with cancelled wells counts as cancelled.
        """
        execution = PlateExecution.of(snapshot)
        plate = _result_of(execution)
        if execution.status is ExecutionStatus.COMPLETE and plate and plate.status is ResultStatus.CANCELLED:
            cancelled = len(plate.wells_with(ResultStatus.CANCELLED))
            text = f"{cancelled} of {len(plate.wells)} wells were cancelled"
            return cls(path, PlateStatus.CANCELLED, text, execution)
        return cls(path, plate_status_of(execution.status), execution.error or "", execution)


def _result_of(execution: PlateExecution) -> PlateResult | None:
    try:
        return execution.plate
    except msgspec.ValidationError:  # the result of another kind of task
        return None
