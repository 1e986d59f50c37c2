"""The napari viewer under the module name of earlier documents; napari is loaded by its server alone."""

import importlib

from openhcs_runtime.viewers.napari.process_manager import NapariProcessManager

__all__ = ["NapariProcessManager"]


def __getattr__(name: str) -> object:
    if name != "OpenHCSNapariVisualizer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module("openhcs_runtime.viewers.napari.server").NapariViewerServer
