"""The process manager of the Fiji viewer under its earlier module name."""

from openhcs_runtime.viewers.fiji.process_manager import FijiProcessManager

__all__ = ["OpenHCSFijiProcessManager"]

OpenHCSFijiProcessManager = FijiProcessManager
