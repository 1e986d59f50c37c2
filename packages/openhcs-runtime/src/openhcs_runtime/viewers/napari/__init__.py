"""Images of a pipeline shown in napari, in a process of their own or in a napari that is open already."""

from openhcs_runtime.viewers.components import ComponentMode
from openhcs_runtime.viewers.napari.process_manager import NapariProcessManager

__all__ = ["ComponentMode", "NapariProcessManager"]


def __dir__() -> list[str]:
    return sorted(__all__)
