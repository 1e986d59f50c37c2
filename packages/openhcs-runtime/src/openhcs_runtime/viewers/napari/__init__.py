"""Shows the images of a pipeline in napari, in a separate process or in a napari that is already open."""

from openhcs_runtime.viewers.components import ComponentMode
from openhcs_runtime.viewers.napari.process_manager import NapariProcessManager

__all__ = ["ComponentMode", "NapariProcessManager"]


def __dir__() -> list[str]:
    return sorted(__all__)
