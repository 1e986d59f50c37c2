"""Functions that expand, filter or outline labelled objects, which keep their numbers."""

import numpy as np

from openhcs_runtime.pipeline.decorators import InputKind, OutputKind, Stack, special_inputs, special_outputs
from openhcs_runtime.rois.label_numbers import consecutive
from openhcs_runtime.rois.labels import labels_to_rois
from openhcs_runtime.rois.shapes import Roi


@special_inputs(InputKind.LABELS)
@special_outputs(OutputKind.LABELS, finds="expanded")
def expand_objects(stack: Stack, *, labels: Stack, distance_px: float = 5.0) -> tuple[Stack, Stack]:
    """Expand each object by ``distance_px``, unless another one is nearer; the stack is passed on.

    A stand-in for cells around nuclei (scikit-image's expand_labels, after CellProfiler's IdentifySecondaryObjects by
    distance; Carpenter et al., Genome Biology 7:R100, 2006).
    """
    from skimage.segmentation import expand_labels  # noqa: PLC0415  loads slowly

    return stack, np.stack([expand_labels(plane, distance_px) for plane in labels])


@special_inputs(InputKind.LABELS)
@special_outputs(OutputKind.LABELS, finds="filtered")
def filter_objects(
    stack: Stack, *, labels: Stack, min_area_px: int = 0, max_area_px: int | None = None
) -> tuple[Stack, Stack]:
    """Keep objects with an area from ``min_area_px`` to ``max_area_px`` inclusive; the stack is passed on."""
    kept = []
    for plane in labels:
        _, marked = consecutive(plane)
        areas = np.bincount(marked.ravel())
        wrong = areas < min_area_px
        if max_area_px is not None:
            wrong |= areas > max_area_px
        kept.append(np.where(wrong[marked], 0, plane))
    return stack, np.stack(kept)


@special_inputs(InputKind.LABELS)
@special_outputs(OutputKind.LABELS, finds="inner")
def clear_border(stack: Stack, *, labels: Stack, margin_px: int = 0) -> tuple[Stack, Stack]:
    """Drop objects within ``margin_px`` of the edge of the image, which are cut off; the stack is passed on.

    Soille, Morphological Image Analysis, 2003 (border objects).
    """
    return stack, np.stack([_without_border(plane, margin_px) for plane in labels])


@special_inputs(InputKind.LABELS)
@special_outputs(OutputKind.ROIS)
def outline_objects(stack: Stack, *, labels: Stack, keep_holes: bool = True) -> tuple[Stack, list[tuple[Roi, ...]]]:
    """Return the outlines of objects as regions of interest; the stack is passed on.

    See ``openhcs_runtime.rois.labels_to_rois``: polygons along the edges of pixels, masks for objects with holes.
    """
    return stack, [labels_to_rois(plane, keep_holes=keep_holes) for plane in labels]


def _without_border(labels: Stack, margin_px: int) -> Stack:
    from skimage.segmentation import clear_border as inner_objects  # noqa: PLC0415  loads slowly

    _, marked = consecutive(labels)
    return np.where(inner_objects(marked, buffer_size=margin_px) > 0, labels, 0)
