"""The OMERO instance manager under the module name of earlier documents."""

from openhcs_runtime.omero.manager import OmeroInstanceManager

__all__ = ["OMEROInstanceManager", "OmeroInstanceManager"]

OMEROInstanceManager = OmeroInstanceManager
