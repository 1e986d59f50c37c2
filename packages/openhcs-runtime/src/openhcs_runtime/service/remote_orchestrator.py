"""Deprecated way to run a pipeline on a server; use :class:`openhcs_runtime.ZMQExecutionClient`."""

import os
import warnings
from typing import TYPE_CHECKING

from openhcs_runtime.config import GlobalConfig, PipelineConfig
from openhcs_runtime.service.client import PlateExecution, ZMQExecutionClient

if TYPE_CHECKING:
    from openhcs_runtime.service.client import PipelineSteps

__all__ = ["RemoteOrchestrator"]


class RemoteOrchestrator:
    """Deprecated: runs pipelines on the server at ``host`` and ``port``, which it never starts on another machine.

    Each call opens and closes a connection; a client that stays connected is faster and can do more.
    """

    def __init__(self, host: str | None = None, port: int = 7777) -> None:
        warnings.warn(
            "RemoteOrchestrator is deprecated: use openhcs_runtime.ZMQExecutionClient(port, host=host)",
            DeprecationWarning,
            stacklevel=2,
        )
        self.host = host
        self.port = port

    def run_remote_pipeline(
        self,
        plate_id: str | os.PathLike[str],
        pipeline_steps: "PipelineSteps",
        global_config: GlobalConfig | None = None,
        pipeline_config: PipelineConfig | None = None,
    ) -> PlateExecution:
        """See :meth:`ZMQExecutionClient.execute_pipeline`; ``["status"]`` and ``["message"]`` work as they did."""
        with self._client() as client:
            return client.execute_pipeline(plate_id, pipeline_steps, global_config, pipeline_config)

    def get_execution_status(self, execution_id: str) -> PlateExecution:
        """See :meth:`ZMQExecutionClient.poll_status`."""
        with self._client() as client:
            return PlateExecution.of(client.poll_status(execution_id))

    def cancel_execution(self, execution_id: str) -> str:
        """See :meth:`ZMQExecutionClient.cancel_execution`; returns its message."""
        with self._client() as client:
            return client.cancel_execution(execution_id).message

    def _client(self) -> ZMQExecutionClient:
        return ZMQExecutionClient(self.port, persistent=True, host=self.host)
