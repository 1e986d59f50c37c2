"""Functions that find objects: labelling, splitting of touching objects, cells around nuclei."""

import numpy as np

from openhcs_runtime.functions.kernels import Border, components, distance, gaussian, maximum, opening
from openhcs_runtime.functions.kernels.watershed import watershed
from openhcs_runtime.functions.thresholds import ThresholdMethod, threshold
from openhcs_runtime.pipeline.decorators import InputKind, OutputKind, Stack, special_inputs, special_outputs
from openhcs_runtime.rois.label_numbers import consecutive


@special_outputs(OutputKind.LABELS, finds="objects")
def label_objects(stack: Stack) -> tuple[Stack, Stack]:
    """Number the connected objects (8 neighbours) of each plane of a mask; the stack is passed on."""
    return stack, np.stack([components(plane > 0, corners=True)[0] for plane in stack])


@special_outputs(OutputKind.LABELS, finds="objects")
def split_touching(stack: Stack, *, min_distance_px: float = 5.0, min_area_px: int = 30) -> tuple[Stack, Stack]:
    """Label the objects of a mask, splitting those that touch at their necks; the stack is passed on.

    Watershed on the distance transform, with one seed per prominent maximum (Vincent & Soille, IEEE Trans. PAMI 13(6),
    1991).

    Args:
        stack: The masks (n, Y, X).
        min_distance_px: The smallest distance between the centres of two objects.
        min_area_px: Smaller objects are dropped.

    Returns:
        The stack, and labels int32 (n, Y, X).
    """
    labels = [_split(plane > 0, min_distance_px, min_area_px) for plane in stack]
    return stack, np.stack(labels)


@special_inputs(InputKind.SHARED_LABELS)
@special_outputs(OutputKind.LABELS, finds="cells")
def segment_cells(
    stack: Stack,
    *,
    shared_labels: Stack,
    method: ThresholdMethod = ThresholdMethod.OTSU,
    factor: float = 0.6,
    smooth_px: float = 2.0,
) -> tuple[Stack, Stack]:
    """Label the cells around labelled nuclei, possibly from another channel; the stack is passed on.

    Seeded watershed on the inverted smoothed image (Meyer & Beucher, J. Vis. Commun. Image Represent. 1(1), 1990). A
    cell includes its nucleus and has the same number; there are no cells without a nucleus.

    Args:
        stack: The images (n, Y, X).
        shared_labels: Integer labels (n, Y, X) of the nuclei, from the engine.
        method: Method of the automatic threshold for cells.
        factor: Factor applied to the threshold.
        smooth_px: Standard deviation of the smoothing.

    Returns:
        The stack, and labels int32 (n, Y, X).
    """
    cells = []
    for plane, seeds in zip(stack, shared_labels, strict=True):
        smooth = gaussian(plane, smooth_px)
        mask = threshold(smooth[np.newaxis], method=method, factor=factor)[0] | (seeds > 0)
        numbers, marked = consecutive(seeds)
        found = watershed(-smooth, marked, mask=mask)
        cells.append(np.concatenate([[0], numbers])[found].astype(seeds.dtype))
    return stack, np.stack(cells)


def _split(mask: Stack, min_distance_px: float, min_area_px: int) -> Stack:
    """Return the labels (int32) of one mask."""
    mask = opening(mask, 3, empty_beyond=True)
    smooth = gaussian(distance(mask), min_distance_px / 4, Border.REFLECT)
    highest = maximum(smooth, 2 * round(min_distance_px) + 1)
    seeds, _ = components((smooth == highest) & mask, corners=True)
    labels = watershed(-smooth, seeds, mask)
    areas = np.bincount(labels[mask], minlength=1)
    areas[0] = 0
    renumber = np.zeros(len(areas), dtype=np.int32)
    kept = areas >= max(1, min_area_px)
    renumber[kept] = np.arange(1, int(kept.sum()) + 1)
    kept_labels: Stack = renumber[labels]
    return kept_labels
