"""Clients of an execution server that only ask: nothing is submitted, followed or subscribed to."""

from zmqruntime.control_client import ControlClient
from zmqruntime.messages import EXECUTIONS, StatusRequest, StatusResponse

__all__ = ["ExecutionControlClient"]


class ExecutionControlClient(ControlClient):
    """Asks an execution server over its control channel, which leaves an idle server idle."""

    vocabulary = EXECUTIONS

    def status(self, limit: int = 20, timeout: float | None = None) -> StatusResponse:
        """See :meth:`ExecutionClient.status`; ``timeout`` as for :meth:`zmqruntime.ControlClient.request`."""
        return self.request(StatusRequest(limit=limit), StatusResponse, timeout)
