"""Images of a pipeline shown in Fiji or ImageJ, in a process of their own."""

from openhcs_runtime.viewers.fiji.layout import Axis, Windows
from openhcs_runtime.viewers.fiji.process_manager import FijiProcessManager

__all__ = ["Axis", "FijiProcessManager", "Windows"]
