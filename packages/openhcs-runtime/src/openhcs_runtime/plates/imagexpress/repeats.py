"""Detection of single-plane channels that an export repeats in every ``ZStep`` folder."""

import os
from collections import defaultdict
from collections.abc import Collection, Sequence

import numpy as np
from msgspec import structs

from openhcs_runtime.exceptions import ImageError
from openhcs_runtime.plates.base import ImageRef, PlateProblem, stray
from openhcs_runtime.plates.tiff.read import read_plane

_COMPARED = 3
"""Number of stacks compared per channel, spread over the plate."""


def without_repeats(
    images: Sequence[ImageRef], in_folders: Collection[str]
) -> tuple[list[ImageRef], list[PlateProblem]]:
    """Keep one plane of each channel whose stacks consist of identical planes.

    A camera never records the same pixels twice, so the planes are compared in stacks from several parts of the plate;
    stacks of uniform images are inconclusive. Only images in ``ZStep`` folders are considered.

    Args:
        images: All images of a plate.
        in_folders: The paths of the images in ``ZStep`` folders.

    Returns:
        The images to keep, and the problems to report.
    """
    stacks: defaultdict[int, dict[tuple[str, int, int], list[ImageRef]]] = defaultdict(dict)
    for image in images:
        if image.path in in_folders:
            key = image.key
            stacks[key.channel].setdefault((key.well, key.site, key.timepoint), []).append(image)
    dropped: set[str] = set()
    problems = []
    for channel, of_channel in sorted(stacks.items()):
        several = [sorted(stack, key=lambda image: image.key) for stack in of_channel.values() if len(stack) > 1]
        if not several or not _are_repeats(several[:: max(1, len(several) // _COMPARED)][:_COMPARED]):
            continue
        left = [image for stack in several for image in stack[1:]]
        dropped.update(image.path for image in left)
        text = f"channel {channel} has one plane, repeated in every ZStep folder by the export: it counts once"
        problems.append(stray(f"{text} (left out: {len(left):,} files such as {_name(left[0])})", files=len(left)))
    kept = [image for image in images if image.path not in dropped]
    firsts = {stack[0].path for of_channel in stacks.values() for stack in of_channel.values() if len(stack) > 1}
    repeated = {image.key.channel for image in images if image.path in dropped}
    return [
        structs.replace(image, key=structs.replace(image.key, z_index=1))
        if image.key.channel in repeated and image.path in firsts
        else image
        for image in kept
    ], problems


def _name(image: ImageRef) -> str:
    return os.path.join(os.path.basename(os.path.dirname(image.path)), os.path.basename(image.path))


def _are_repeats(stacks: Sequence[Sequence[ImageRef]]) -> bool:
    """Return whether the planes of each stack are identical; False if all images are uniform."""
    telling = 0
    for stack in stacks:
        try:
            first = read_plane(stack[0].path)
            if first.size and first.min() == first.max():
                continue
            if any(not np.array_equal(first, read_plane(image.path)) for image in stack[1:]):
                return False
        except ImageError:
            return False
        telling += 1
    return telling > 0
