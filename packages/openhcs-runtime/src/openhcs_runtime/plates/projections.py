"""Projections that the microscope has made, next to the planes that it has made them from."""

import os
from collections import defaultdict
from collections.abc import Iterable

from openhcs_runtime.plates.base import ImageRef, PlateProblem, stray

__all__ = ["without_projections"]


def without_projections(images: Iterable[ImageRef]) -> tuple[list[ImageRef], list[PlateProblem]]:
    """Leave out the projections (z 0) of channels that have planes.

    Returns:
        The other images, and one problem for each channel whose projections are left out.
    """
    found = list(images)
    with_planes = {image.key.channel for image in found if image.key.z_index}
    left: defaultdict[int, list[str]] = defaultdict(list)
    kept = []
    for image in found:
        if image.key.z_index == 0 and image.key.channel in with_planes:
            left[image.key.channel].append(os.path.basename(image.path))
        else:
            kept.append(image)
    problems = []
    for channel, names in sorted(left.items()):
        count = f"{len(names):,} projections" if len(names) > 1 else "1 projection"
        text = f"{count} of channel {channel}, such as {min(names)}: left out because the channel has planes"
        problems.append(stray(text, files=len(names)))
    return kept, problems
