"""Servers with minimal tasks, for measuring the overhead of a task."""

import threading
from typing import Any

from zmqruntime import ExecuteRequest, ProgressPhase, ProgressStatus
from zmqruntime.execution import ExecutionServer, current_task


class NoopServer(ExecutionServer):
    """Returns the payload; ``{"report": n}`` first reports progress n times, ``{"stuck": true}`` hangs."""

    def execute_task(self, execution_id: str, request: ExecuteRequest) -> Any:
        """Return the payload."""
        if isinstance(request.payload, dict) and request.payload.get("stuck"):
            threading.Event().wait()  # forever, and does not react to a cancel
        count = request.payload.get("report", 0) if isinstance(request.payload, dict) else 0
        task = current_task()
        for number in range(count):
            task.report(
                axis_id="A01",
                step_name="count",
                step_index=0,
                total_steps=1,
                phase=ProgressPhase.STEP_STARTED,  # of a phase that is never merged
                status=ProgressStatus.RUNNING,
                completed=number,
                total=count,
            )
        return request.payload


class ManyWorkersServer(NoopServer):
    """Runs eight tasks at once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_concurrent": 8, **kwargs})


class PausedServer(NoopServer):
    """Never starts a task, so that executions stay queued."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_concurrent": 0, **kwargs})


class TwoWorkersServer(NoopServer):
    """Runs two tasks at once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_concurrent": 2, **kwargs})
