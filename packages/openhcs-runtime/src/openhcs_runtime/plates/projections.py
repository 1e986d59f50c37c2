"""Projections that the microscope has made, next to the planes that it has made them from."""

import os
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from openhcs_runtime.plates.base import ImageRef, PlateProblem, stray
from openhcs_runtime.plates.image_table import ImageTable
from openhcs_runtime.plates.table_builder import table_of

__all__ = ["without_projections"]


def without_projections(images: Iterable[ImageRef]) -> tuple[ImageTable, list[PlateProblem]]:
    """Leave out the projections (z 0) of channels that have planes.

    Returns:
        The other images, and one problem for each channel whose projections are left out.
    """
    found = table_of(images)
    with_planes = {channel for _, channel, z, _ in found.places if z}
    is_left = np.array([z == 0 and channel in with_planes for _, channel, z, _ in found.columns.places], np.bool_)
    left: defaultdict[int, list[str]] = defaultdict(list)
    for row in np.flatnonzero(is_left[found.columns.place]).tolist():
        left[found.columns.numbers(row)[1]].append(os.path.basename(found.columns.path(row)))
    problems = []
    for channel, names in sorted(left.items()):
        count = f"{len(names):,} projections" if len(names) > 1 else "1 projection"
        text = f"{count} of channel {channel}, such as {min(names)}: left out because the channel has planes"
        problems.append(stray(text, files=len(names)))
    return found.take(np.flatnonzero(~is_left[found.columns.place])), problems
