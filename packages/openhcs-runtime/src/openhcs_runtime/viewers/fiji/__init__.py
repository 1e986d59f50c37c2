"""Images of a pipeline shown in Fiji or ImageJ, in a process of their own."""

from openhcs_runtime.viewers.fiji.layout import HyperstackAxis, WindowScope
from openhcs_runtime.viewers.fiji.process_manager import FijiProcessManager

__all__ = ["FijiProcessManager", "HyperstackAxis", "WindowScope"]


def __dir__() -> list[str]:
    return sorted(__all__)
