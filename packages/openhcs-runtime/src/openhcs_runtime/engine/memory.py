"""Estimates the peak memory for one well before any pixels are read.

The estimate for a well, assuming that all images have the size found in the header of one of them:

- 100 MB for a worker process with its libraries;
- for each image that a step processes, if there is a later step: one plane with at least 4 bytes per pixel, and one
  plane of labels (4 bytes per pixel), as results are kept from step to step;
- for the largest pattern group: the stack as stored, and one copy in double precision;
- five more planes in double precision for intermediate results of functions.

A step that names its memory (``FunctionStep(memory=...)``, without a GPU) needs at least that.

For the built-in functions that is 15 to 25 % more than measured. A function that makes more copies needs more.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from openhcs_runtime.components import ImageKey
from openhcs_runtime.exceptions import ImageError
from openhcs_runtime.pipeline.patterns import group_images
from openhcs_runtime.pipeline.plate_step import Step
from openhcs_runtime.plates.base import ImageRef, Plate
from openhcs_runtime.plates.image_files import ImageHeader
from openhcs_runtime.plates.image_table import layout_of
from openhcs_runtime.plates.read import read_header

_PROCESS_BYTES = 150_000_000
_KEPT_BYTES = 4
_LABEL_BYTES = 4
_DOUBLE_BYTES = 8
_WORKING_PLANES = 5


@dataclass(frozen=True, slots=True)
class WellMemory:
    """The well that needs the most memory, and how much, in bytes; 0 if no image header could be read."""

    well: str = ""
    needed_bytes: int = 0


def most_memory(plate: Plate, wells: Iterable[str], steps: Sequence[Step]) -> WellMemory:
    """Return the well that needs the most memory; of wells with the same set of images only one is checked."""
    layouts: dict[Hashable, str] = {}
    for well in wells:
        layouts.setdefault(layout_of(plate.images[well]), well)
    declared = max((step.resources.memory_bytes for step in steps if not step.resources.gpu), default=0)
    needs = [WellMemory(well, max(declared, _needed(plate, plate.images[well], steps))) for well in layouts.values()]
    return max(needs, key=lambda need: need.needed_bytes, default=WellMemory())


def estimate(header: ImageHeader, kept: int, largest_group: int) -> int:
    """Return the bytes needed for a well, as described in the module's docstring.

    Args:
        header: header of an image.
        kept: number of images kept between steps.
        largest_group: number of images in the largest pattern group.
    """
    pixels = header.shape[0] * header.shape[1]
    between = kept * (max(header.dtype.itemsize, _KEPT_BYTES) + _LABEL_BYTES)
    stack = largest_group * (header.dtype.itemsize + _DOUBLE_BYTES)
    return _PROCESS_BYTES + pixels * (between + stack + _WORKING_PLANES * _DOUBLE_BYTES)


def in_gigabytes(size: int) -> str:
    """Format a number of bytes as gigabytes."""
    return f"{size / 1e9:.3g} GB"


def _needed(plate: Plate, images: Sequence[ImageRef], steps: Sequence[Step]) -> int:
    try:
        header = read_header(plate.format, images[0])
    except (ImageError, IndexError):
        return 0  # the well fails at run time, with the name of the image
    keys = [image.key for image in images]
    worked_on: set[ImageKey] = set()
    largest = 1
    for step in steps:
        for group in group_images(keys, step.variable_components):
            if step.calls_for(group.value(step.group_by) if step.group_by else None):
                worked_on.update(group.keys)
                largest = max(largest, len(group.keys))
    return estimate(header, len(worked_on) if len(steps) > 1 else 0, largest)
