"""How several values of a well become one; a module of its own, so that help and windows can name it at no cost."""

from enum import StrEnum


class Statistic(StrEnum):
    """What becomes of several values of a well: images in `measurements.csv`, objects in `objects.csv`."""

    MEAN = "mean"
    MEDIAN = "median"
    SUM = "sum"
