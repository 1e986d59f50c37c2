"""The execution server under the module name of earlier documents."""

from openhcs_runtime.service.server import OpenHCSExecutionServer

__all__ = ["OpenHCSExecutionServer", "ZMQExecutionServer"]

ZMQExecutionServer = OpenHCSExecutionServer
