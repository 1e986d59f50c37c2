"""How a plate of a batch was submitted, and what became of it."""

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
    """What the server has accepted; ``ended`` is done when it has ended, whatever becomes of the server meanwhile."""

    execution_id: str
    ended: "asyncio.Future[ExecutionSnapshot]"


@dataclass(frozen=True, slots=True)
class PlateOutcome:
    """How a plate's way through a batch ended: complete, failed, cancelled or interrupted.

    ``execution`` is None when it never came to one, and ``error`` says why.
    """

    path: str
    state: PlateStatus
    error: str = ""
    execution: PlateExecution | None = None

    @classmethod
    def of(cls, path: str, snapshot: ExecutionSnapshot) -> "PlateOutcome":
        """The ending of a plate whose execution has ended so.

        One that has come to its end with wells cancelled on the way is not complete: the plate is cancelled.
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
    except msgspec.ValidationError:  # of a task that is none of ours
        return None
