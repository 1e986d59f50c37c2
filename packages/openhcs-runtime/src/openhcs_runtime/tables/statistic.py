"""How several values of a well become one; a module of its own, so that help and windows can name it at no cost."""

from enum import StrEnum


class Statistic(StrEnum):
    """What becomes of several values of a well: of its images, or of its objects."""

    MEAN = "mean"
    MEDIAN = "median"
    SUM = "sum"
