"""The execution client under its earlier module name."""

from openhcs_runtime.service.client import PlateExecution, ZMQExecutionClient

__all__ = ["OpenHCSExecutionClient", "PlateExecution", "ZMQExecutionClient"]

OpenHCSExecutionClient = ZMQExecutionClient
