"""What a plate map shows in its wells."""

import enum

__all__ = ["MapLook"]


class MapLook(enum.Enum):
    """What a plate map shows in its wells; the value is the word that the user reads."""

    STATES = "States"
    """How far each well is."""
    VALUES = "Values"
    """A measurement, as colours."""
    IMAGES = "Images"
    """A small picture of each well."""
