"""The OMERO instance manager under its earlier module name."""

from openhcs_runtime.omero.manager import OmeroInstanceManager

__all__ = ["OMEROInstanceManager", "OmeroInstanceManager"]

OMEROInstanceManager = OmeroInstanceManager
