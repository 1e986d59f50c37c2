"""The napari viewer under its earlier module name; only its server imports napari."""

import importlib

from openhcs_runtime.viewers.napari.process_manager import NapariProcessManager

__all__ = ["NapariProcessManager"]


def __getattr__(name: str) -> object:
    if name != "OpenHCSNapariVisualizer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module("openhcs_runtime.viewers.napari.server").NapariViewerServer
