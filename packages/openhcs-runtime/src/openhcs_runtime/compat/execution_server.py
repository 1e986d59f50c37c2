"""The execution server under the oldest of its module names."""

from openhcs_runtime.service.server import OpenHCSExecutionServer

__all__ = ["OpenHCSExecutionServer"]
