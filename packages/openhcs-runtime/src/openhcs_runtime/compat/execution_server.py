"""The execution server under its oldest module name."""

from openhcs_runtime.service.server import OpenHCSExecutionServer

__all__ = ["OpenHCSExecutionServer"]
