"""The execution server under its earlier module name."""

from openhcs_runtime.service.server import OpenHCSExecutionServer

__all__ = ["OpenHCSExecutionServer", "ZMQExecutionServer"]

ZMQExecutionServer = OpenHCSExecutionServer
