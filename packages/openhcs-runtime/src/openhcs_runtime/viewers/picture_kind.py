"""Kinds of pictures that a run has; a module of its own, so that help can name them at no cost."""

from enum import StrEnum

__all__ = ["PictureKind"]


class PictureKind(StrEnum):
    """What can be shown of a run."""

    PLATE = "plate"
    """The images that it was run over."""
    IMAGES = "images"
    LABELS = "labels"
    REGIONS = "regions"
