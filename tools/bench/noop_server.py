"""Servers whose tasks do next to nothing, for measuring what is around a task."""

import threading
from typing import Any

from zmqruntime import ExecuteRequest, ProgressPhase, ProgressStatus
from zmqruntime.execution import ExecutionServer, current_task


class NoopServer(ExecutionServer):
    """Gives back what it was sent; with ``{"report": n}`` it reports progress n times first,
    with ``{"stuck": true}`` it never ends."""

    def execute_task(self, execution_id: str, request: ExecuteRequest) -> Any:
        """Do next to nothing."""
        if isinstance(request.payload, dict) and request.payload.get("stuck"):
            threading.Event().wait()  # for ever, and deaf to a cancel
        count = request.payload.get("report", 0) if isinstance(request.payload, dict) else 0
        task = current_task()
        for number in range(count):
            task.report(
                axis_id="A01",
                step_name="count",
                step_index=0,
                total_steps=1,
                phase=ProgressPhase.STEP_STARTED,  # of a kind that is never merged
                status=ProgressStatus.RUNNING,
                completed=number,
                total=count,
            )
        return request.payload


class ManyWorkersServer(NoopServer):
    """Eight at once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_concurrent": 8, **kwargs})


class PausedServer(NoopServer):
    """Never starts anything, so that what is queued stays queued."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_concurrent": 0, **kwargs})
