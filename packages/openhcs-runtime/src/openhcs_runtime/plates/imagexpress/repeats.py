"""Finds channels of one plane that an export repeats in every folder of a z step."""

import os
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from openhcs_runtime.exceptions import ImageError
from openhcs_runtime.plates.base import ImageRef, PlateProblem, stray
from openhcs_runtime.plates.tiff.read import read_plane

_COMPARED = 3
"""So many stacks of a channel are looked at, spread over the plate."""


def without_repeats(
    images: Sequence[ImageRef], in_folders: Collection[str]
) -> tuple[list[ImageRef], list[PlateProblem]]:
    """The images without those of channels of which all planes of a stack have the same pixels.

    A camera never gives the same picture twice, so the planes of a stack are compared, in stacks from several places of
    the plate; stacks of even pictures tell nothing. Only images in folders of z steps are looked at.

    Args:
        images: All images of a plate.
        in_folders: The paths of those that lie in a folder of a z step.
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
        text = f"channel {channel} has one plane, which the export repeats in every ZStep folder: it counts once"
        problems.append(stray(f"{text} (left out are {len(left):,} files such as {_name(left[0])})", files=len(left)))
    kept = [image for image in images if image.path not in dropped]
    firsts = {stack[0].path for of_channel in stacks.values() for stack in of_channel.values() if len(stack) > 1}
    repeated = {image.key.channel for image in images if image.path in dropped}
    return [
        replace(image, key=replace(image.key, z_index=1))
        if image.key.channel in repeated and image.path in firsts
        else image
        for image in kept
    ], problems


def _name(image: ImageRef) -> str:
    return os.path.join(os.path.basename(os.path.dirname(image.path)), os.path.basename(image.path))


def _are_repeats(stacks: Sequence[Sequence[ImageRef]]) -> bool:
    """Whether the planes of each stack are the same picture; False where none of them shows anything."""
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
