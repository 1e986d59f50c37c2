"""The execution client under the module name of earlier documents."""

from openhcs_runtime.service.client import PlateExecution, ZMQExecutionClient

__all__ = ["OpenHCSExecutionClient", "PlateExecution", "ZMQExecutionClient"]

OpenHCSExecutionClient = ZMQExecutionClient
