"""Names of the columns that functions measure: by set of objects, with a channel or without."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from openhcs_runtime.pipeline.decorators import Measurements

_DEFAULT = "objects"
_SHAPES = (
    "area",
    "centroid",
    "eccentricity",
    "form_factor",
    "major_axis",
    "minor_axis",
    "orientation",
    "perimeter",
    "solidity",
)
"""Beginnings of the names of columns that describe objects by their labels alone."""


def prefixes(name: str, set_names: Sequence[str], planes: int) -> list[str]:
    """Return the prefix of the columns of each plane: the given name, or else that of its objects."""
    return [name or (set_names[place] if set_names else _DEFAULT) for place in range(planes)]


def named(measured: Measurements, name: str, prefix: str) -> Measurements:
    """Return measurements with the name of their set, and with what does not depend on the channel.

    Args:
        measured: the measurements, of which those of the plane begin with the prefix.
        name: the name that was given to the set; empty for none.
        prefix: prefix of the measurements of the plane.
    """
    columns = measured.objects if isinstance(measured.objects, Mapping) else ()
    of_objects = [column for column in columns if column.startswith(_SHAPES)]
    of_plane = [
        column
        for column in measured.summary
        if column == f"{prefix}_count" or column.removeprefix(f"{prefix}_").startswith(_SHAPES)
    ]
    return replace(measured, name=name, without_channel=(*of_objects, *of_plane))
