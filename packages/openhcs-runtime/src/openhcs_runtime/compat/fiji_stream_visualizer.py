"""What starts and stops Fiji, under the module name of earlier documents."""

from openhcs_runtime.viewers.fiji.process_manager import FijiProcessManager

__all__ = ["OpenHCSFijiProcessManager"]

OpenHCSFijiProcessManager = FijiProcessManager
