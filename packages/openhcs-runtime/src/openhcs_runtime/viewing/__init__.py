"""What a run shows while it goes on: where its images go, and how the viewer there is started."""

from openhcs_runtime.viewing.target import ViewCounts, ViewerKind, ViewTarget

__all__ = ["ViewCounts", "ViewTarget", "ViewerKind"]


def __dir__() -> list[str]:
    return sorted(__all__)
