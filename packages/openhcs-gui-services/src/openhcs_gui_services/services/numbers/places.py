"""Where an object of a table is: its image, its set and its number. Without Qt."""

from dataclasses import dataclass

from openhcs_gui_services.services.images.source import ImagePlace

__all__ = ["ObjectPlace"]


@dataclass(frozen=True, slots=True)
class ObjectPlace:
    """One object of a run.

    Attributes:
        place: the image that it is in.
        label_set: name of its set, such as ``nuclei``.
        label: its number in the label image of the set.
    """

    place: ImagePlace
    label_set: str
    label: int
