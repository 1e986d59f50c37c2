"""An OMERO server in containers on this machine, started and stopped explicitly and never by a run."""

from openhcs_runtime.omero.manager import OmeroInstanceManager

__all__ = ["OmeroInstanceManager"]


def __dir__() -> list[str]:
    return sorted(__all__)
