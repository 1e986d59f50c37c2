"""A server whose task does nothing, for measuring what is around the task."""

from typing import Any

from zmqruntime import ExecuteRequest
from zmqruntime.execution import ExecutionServer


class NoopServer(ExecutionServer):
    """Gives back what it was sent."""

    def execute_task(self, execution_id: str, request: ExecuteRequest) -> Any:
        return request.payload
