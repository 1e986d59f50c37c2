"""Detection of single-plane channels that an export repeats in every ``ZStep`` folder."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.exceptions import ImageError
from openhcs_runtime.plates.base import ImageRef, PlateProblem, stray
from openhcs_runtime.plates.image_table import Codes, ImageTable, Rows
from openhcs_runtime.plates.tiff.read import read_plane

_COMPARED = 3
"""Number of stacks compared per channel, spread over the plate."""


def without_repeats(images: ImageTable, in_zsteps: NDArray[np.bool_]) -> tuple[ImageTable, list[PlateProblem]]:
    """Keep one plane of each channel whose stacks consist of identical planes.

    A camera never records the same pixels twice, so the planes are compared in stacks from several parts of the plate;
    stacks of uniform images are inconclusive. Only images in ``ZStep`` folders are considered.

    Args:
        images: All images of a plate.
        in_zsteps: Whether each image is in a ``ZStep`` folder.

    Returns:
        The images to keep, and the problems to report.
    """
    rows, channels = np.flatnonzero(in_zsteps), images.channel_codes()
    left, firsts = np.zeros(len(images), bool), []
    problems = []
    for channel, code in _channels(images, rows, channels):
        stacks = _Stacks.of(images, rows[channels[rows] == code])
        if not len(stacks.starts) or not _are_repeats(stacks.some(images)):
            continue
        left[stacks.later()] = True
        firsts += stacks.rows[stacks.starts].tolist()
        text = f"channel {channel} has one plane, repeated in every ZStep folder by the export: it counts once"
        count, second = len(stacks.later()), images[int(stacks.rows[stacks.starts[0] + 1])]
        problems.append(stray(f"{text} (left out: {count:,} files such as {_name(second)})", files=count))
    if not firsts:
        return images, problems
    places = {row: images.columns.numbers(row) for row in firsts}
    renumbered = images.with_places({row: (site, of, 1, time) for row, (site, of, _, time) in places.items()})
    return renumbered.take(np.flatnonzero(~left)), problems


@dataclass(frozen=True, slots=True)
class _Stacks:
    """The stacks of several planes, in the order in which they were found.

    Attributes:
        rows: Images, with those of a stack together and in the order of their planes.
        starts: Where each stack starts in them.
        ends: Where each stack ends.
    """

    rows: Rows
    starts: Rows
    ends: Rows

    @classmethod
    def of(cls, images: ImageTable, rows: Rows) -> "_Stacks":
        """Return the stacks of some images of a channel."""
        stack_of: dict[tuple[int, int], int] = {}
        places, place = images.columns.places, images.columns.place[rows]
        codes = np.array([stack_of.setdefault((site, time), len(stack_of)) for site, _, _, time in places])
        ranks = {z: rank for rank, z in enumerate(sorted({z for _, _, z, _ in places}))}
        planes = np.array([ranks[z] for _, _, z, _ in places])[place]
        stack = images.columns.well[rows].astype(np.int64) * len(stack_of) + codes[place]
        order = np.lexsort((planes, stack))
        rows, starts = rows[order], np.flatnonzero(np.diff(stack[order], prepend=-1))
        ends = np.append(starts[1:], len(rows))
        by_find = np.argsort(np.minimum.reduceat(rows, starts)) if len(rows) else starts
        several = by_find[(ends - starts)[by_find] > 1]
        return cls(rows, starts[several], ends[several])

    def some(self, images: ImageTable) -> list[list[ImageRef]]:
        """Return the images of a few stacks, spread over the plate."""
        chosen = slice(None, None, max(1, len(self.starts) // _COMPARED))
        bounds = list(zip(self.starts[chosen].tolist(), self.ends[chosen].tolist(), strict=True))[:_COMPARED]
        return [[images[int(row)] for row in self.rows[start:end]] for start, end in bounds]

    def later(self) -> Rows:
        """Return the rows of all planes but the first of each stack."""
        steps = np.zeros(len(self.rows) + 1, np.int64)
        steps[self.starts] += 1
        steps[self.ends] -= 1
        is_in = np.cumsum(steps)[:-1] > 0
        is_in[self.starts] = False
        return self.rows[is_in]


def _channels(images: ImageTable, rows: Rows, codes: Codes) -> list[tuple[int, int]]:
    """Return the channels of some images, sorted, each with its code."""
    found, first = np.unique(codes[rows], return_index=True)
    return sorted((images[int(rows[at])].key.channel, int(code)) for code, at in zip(found, first, strict=True))


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
