"""The words that profiles are asked for with; a module of its own, so that help can name them at no cost."""

from enum import StrEnum


class Centre(StrEnum):
    """How the objects of a well become one row."""

    MEAN = "mean"
    MEDIAN = "median"


class Normalisation(StrEnum):
    """How the value of a well is related to others."""

    Z_SCORE = "z"
    """(value - mean) / standard deviation (of a sample)."""
    ROBUST_Z_SCORE = "robust_z"
    """(value - median) / (1.4826 x median absolute deviation); see Birmingham et al., Nature Methods 6, 2009."""
    PERCENT = "percent"
    """100 x value / mean, which is percent of control."""
    INHIBITION = "inhibition"
    """100 x (mean of negative controls - value) / (mean of negative - mean of positive controls): normalised percent
    inhibition; see Malo et al., Nature Biotechnology 24, 2006."""
    B_SCORE = "b_score"
    """What is left without row and column effects, by its spread; see ``b_scores``."""
    NONE = "none"
    """The value as it is."""


class Reference(StrEnum):
    """What wells are compared with."""

    CONTROLS = "controls"
    """The negative controls of the same plate."""
    PLATE = "plate"
    """All wells of the same plate."""
