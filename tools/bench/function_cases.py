"""The functions of the library that are measured, and what other libraries have for the same job.

``UNMEASURED`` names the others and says why.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import cv2
import function_peers as peers
import numpy as np
from function_case import Agrees, Case, Peer, as_many, near, same, same_column, same_labels
from function_images import Images
from scipy import ndimage
from skimage import filters, measure, morphology, restoration, segmentation

from openhcs_runtime import functions as ours

UNMEASURED = {
    **dict.fromkeys(("segment_cellpose", "segment_instanseg", "segment_onnx", "segment_stardist"), "time of the model"),
    **dict.fromkeys(("find_quality_limits", "fit_normaliser", "flag_quality"), "compares numbers of a plate"),
    **dict.fromkeys(("judge_quality", "normalise", "quality_gate"), "compares numbers of a plate"),
    "estimate_illumination": "reads a plate",
    "measure_cellprofiler": "is cp_measure",
}
"""Functions that are not measured, and why."""

ROUNDED = "float32: the result depends on the order of additions, and so on the processor; ours is exact"


def cases(images: Images) -> Iterator[Case]:
    """Yield all cases for images of one size."""
    yield from _denoising(images)
    yield from _backgrounds(images)
    yield from _illumination(images)
    yield from _projections(images)
    yield from _objects(images)
    yield from _label_operations(images)
    yield from _measurements(images)
    yield from _features(images)


def _denoising(images: Images) -> Iterator[Case]:
    stack, plane, single = images.nuclei, images.plane, images.plane.astype(np.float32)
    yield Case(
        "denoise",
        lambda: ours.denoise(stack),
        (
            Peer("scipy gaussian_filter", lambda: ndimage.gaussian_filter(single, 1, mode="nearest"), near(1e-4)),
            Peer("OpenCV GaussianBlur", lambda: peers.blurred(single, 1), near(1e-4), False, ROUNDED),
        ),
    )
    for radius in (1, 2, 5):
        disk = morphology.disk(radius)
        of_scipy = partial(ndimage.median_filter, plane, footprint=disk, mode="nearest")
        yield Case(
            f"denoise_median, radius {radius}",
            partial(ours.denoise_median, stack, radius_px=radius),
            (
                Peer("scipy median_filter", of_scipy, same),
                Peer("scikit-image rank.median", partial(filters.rank.median, plane, disk)),
                *(
                    (Peer("OpenCV medianBlur", lambda: cv2.medianBlur(plane, 3), None, False, "a square, no disk"),)
                    if radius == 1
                    else ()
                ),
            ),
        )
    yield Case(
        "denoise_non_local_means",
        lambda: ours.denoise_non_local_means(stack),
        (
            Peer(
                "scikit-image denoise_nl_means",
                lambda: restoration.denoise_nl_means(single, patch_size=5, patch_distance=6, h=60.0, sigma=75.0),
            ),
        ),
        note="calls scikit-image, after an estimate of the noise",
    )
    scaled = (single - single.min()) / (single.max() - single.min())
    yield Case(
        "denoise_total_variation",
        lambda: ours.denoise_total_variation(stack),
        (Peer("scikit-image denoise_tv_chambolle", lambda: restoration.denoise_tv_chambolle(scaled)),),
    )


def _backgrounds(images: Images) -> Iterator[Case]:
    stack, plane, single = images.nuclei, images.plane, images.plane.astype(np.float32)
    yield Case(
        "subtract_background",
        lambda: ours.subtract_background(stack),
        (
            Peer(
                "OpenCV, opening of means",
                lambda: peers.without_background(plane),
                is_fair=False,
                note="means, not quartiles, of blocks",
            ),
            Peer("scikit-image rolling_ball", lambda: restoration.rolling_ball(single[::4, ::4], radius=12)),
        ),
    )
    yield Case(
        "subtract_constant",
        lambda: ours.subtract_constant(stack, value=100),
        (
            Peer("NumPy", lambda: np.maximum(single - np.float32(100), 0), same),
            Peer(
                "OpenCV subtract",
                lambda: cv2.subtract(plane, 100.0, dtype=cv2.CV_32F),
                None,
                False,
                "leaves negative values",
            ),
        ),
    )
    yield Case(
        "subtract_gaussian",
        lambda: ours.subtract_gaussian(stack),
        (
            Peer(
                "scipy gaussian_filter",
                lambda: np.maximum(single - ndimage.gaussian_filter(single, 50, mode="nearest"), 0),
                near(1e-3),
            ),
            Peer(
                "OpenCV GaussianBlur",
                lambda: np.maximum(single - peers.blurred(single, 50), 0),
                near(1e-3),
                False,
                ROUNDED,
            ),
        ),
    )
    disks = morphology.disk(15, decomposition="sequence")
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (31, 31))
    yield Case(
        "subtract_tophat",
        lambda: ours.subtract_tophat(stack),
        (
            Peer("scikit-image white_tophat", lambda: morphology.white_tophat(plane, disks), same),
            Peer("OpenCV MORPH_TOPHAT", lambda: cv2.morphologyEx(plane, cv2.MORPH_TOPHAT, ellipse)),
        ),
    )
    yield Case(
        "subtract_rolling_ball",
        lambda: ours.subtract_rolling_ball(stack),
        (Peer("scikit-image rolling_ball", lambda: restoration.rolling_ball(single[::4, ::4], radius=12)),),
    )


def _illumination(images: Images) -> Iterator[Case]:
    stack, plane, even = images.nuclei, images.plane, images.even
    yield Case(
        "correct_illumination",
        lambda: ours.correct_illumination(stack),
        (
            Peer(
                "OpenCV, blur of means", lambda: peers.evenly_lit(plane), None, False, "means, not quartiles, of blocks"
            ),
        ),
    )
    yield Case(
        "correct_flat_field",
        lambda: ours.correct_flat_field(stack, flat_field=even[0]),
        (Peer("OpenCV divide", lambda: cv2.divide(plane.astype(np.float32), even[0] / even[0].mean()), near(1e-6)),),
    )
    yield Case(
        "divide_by_illumination",
        lambda: ours.divide_by_illumination(stack, illumination=even),
        (Peer("OpenCV divide", lambda: cv2.divide(plane.astype(np.float32), even[0]), near(1e-6)),),
    )
    tiles = images.depth[:4]
    yield Case(
        "stitch_sites, 2 x 2",
        lambda: ours.stitch_sites(tiles, positions=None, pixel_size_um=None, grid=(2, 2), overlap=0.1),
        (Peer("OpenCV accumulateProduct", lambda: peers.stitched(tiles, 0.1), near(1e-4)),),
    )
    yield Case(
        "measure_quality",
        lambda: ours.measure_quality(stack),
        (Peer("scipy and NumPy, by hand", lambda: peers.quality(plane)),),
    )


def _projections(images: Images) -> Iterator[Case]:
    stack = images.depth
    of_opencv: dict[str, tuple[Callable[[], Any], Agrees]] = {
        "max": (lambda: peers.reduced(stack, cv2.max), same),
        "min": (lambda: peers.reduced(stack, cv2.min), same),
        "mean": (lambda: peers.accumulated(stack) / len(stack), near(1e-6)),
        "sum": (lambda: peers.accumulated(stack), same),
    }
    for kind, (run, agrees) in of_opencv.items():
        function = getattr(ours, f"{kind}_projection")
        yield Case(f"{kind}_projection, 5 planes", partial(function, stack), (Peer(f"OpenCV, {kind}", run, agrees),))
    yield Case(
        "std_projection, 5 planes",
        lambda: ours.std_projection(stack),
        (Peer("OpenCV accumulateSquare", lambda: peers.spread(stack), near(1e-2)),),
    )
    yield Case(
        "focus_projection, 5 planes",
        lambda: ours.focus_projection(stack),
        (Peer("OpenCV Laplacian, GaussianBlur", lambda: peers.sharpest(stack)),),
    )


def _objects(images: Images) -> Iterator[Case]:
    stack, plane = images.nuclei, images.plane
    mask = np.asarray(ours.threshold(stack))
    yield Case(
        "segment_nuclei",
        lambda: ours.segment_nuclei(stack),
        (Peer("scikit-image, Otsu and watershed", lambda: peers.nuclei(plane), as_many(0.05)),),
    )
    yield Case(
        "segment_cells",
        lambda: ours.segment_cells(images.channels[1:], shared_labels=images.labels),
        (Peer("scikit-image watershed", lambda: peers.cells(images.channels[1], images.marked), as_many(0)),),
    )
    yield Case(
        "label_objects",
        lambda: ours.label_objects(mask),
        (
            Peer("scikit-image label", lambda: measure.label(mask[0] > 0, connectivity=1)),
            Peer("OpenCV connectedComponents", lambda: peers.components(mask[0])),
        ),
    )
    yield Case(
        "split_touching",
        lambda: ours.split_touching(mask),
        (Peer("scikit-image watershed", lambda: peers.split(mask[0] > 0)),),
    )
    yield Case(
        "threshold",
        lambda: ours.threshold(stack),
        (
            Peer("scikit-image threshold_otsu", lambda: plane > filters.threshold_otsu(plane)),
            Peer("OpenCV THRESH_OTSU", lambda: cv2.threshold(plane, 0, 1, cv2.THRESH_OTSU)),
        ),
    )
    yield Case(
        "threshold_around",
        lambda: ours.threshold_around(stack),
        (
            Peer("scikit-image threshold_local", lambda: plane > filters.threshold_local(plane, 51)),
            Peer(
                "OpenCV boxFilter",
                lambda: plane > cv2.boxFilter(plane, cv2.CV_32F, (51, 51)),
                None,
                False,
                "a mean with equal weights: a running sum instead of a Gaussian",
            ),
        ),
    )
    yield Case(
        "threshold_fixed",
        lambda: ours.threshold_fixed(stack, level=500),
        (Peer("NumPy", lambda: (plane > 500).astype(np.uint16)),),
    )
    yield Case(
        "fill_holes",
        lambda: ours.fill_holes(mask),
        (Peer("scipy binary_fill_holes", lambda: ndimage.binary_fill_holes(mask[0] > 0)),),
    )


def _label_operations(images: Images) -> Iterator[Case]:
    stack, labels, marked = images.nuclei, images.labels, images.marked
    yield Case(
        "expand_objects",
        lambda: ours.expand_objects(stack, labels=labels),
        (Peer("scikit-image expand_labels", lambda: segmentation.expand_labels(marked, 5.0), same_labels),),
    )
    yield Case(
        "filter_objects",
        lambda: ours.filter_objects(stack, labels=labels, min_area_px=200),
        (Peer("NumPy bincount", lambda: peers.large_enough(marked, 200), same_labels),),
    )
    yield Case(
        "clear_border",
        lambda: ours.clear_border(stack, labels=labels),
        (Peer("scikit-image clear_border", lambda: segmentation.clear_border(marked), same_labels),),
    )
    yield Case(
        "outline_objects",
        lambda: ours.outline_objects(stack, labels=labels),
        (
            Peer(
                "OpenCV findContours",
                lambda: peers.contours(marked),
                None,
                False,
                "pixel centres in arrays; ours are checked polygons of the corners of pixels, apart from holes",
            ),
        ),
    )
    sets = {"nuclei": labels, "cells": images.cells}
    yield Case(
        "segment_cytoplasm",
        lambda: ours.segment_cytoplasm(stack, object_sets=sets),
        (Peer("NumPy where", lambda: np.where(marked > 0, 0, images.cells[0]), same_labels),),
    )
    yield Case(
        "relate_objects",
        lambda: ours.relate_objects(stack, object_sets=sets, children="nuclei", parents="cells"),
        (Peer("scipy.sparse histogram", lambda: peers.related(marked, images.cells[0])),),
    )
    yield Case(
        "track_objects, 5 time points",
        lambda: ours.track_objects(images.frames, labels=images.frames, pixel_size_um=None),
        (Peer("scikit-image and laptrack", lambda: peers.tracked(images.frames)),),
    )


def _measurements(images: Images) -> Iterator[Case]:
    stack, plane, labels, marked = images.nuclei, images.plane, images.labels, images.marked
    px: dict[str, Any] = {"labels": labels, "pixel_size_um": None}
    yield Case(
        "measure_objects",
        lambda: ours.measure_objects(stack, **px),
        (
            Peer(
                "scikit-image regionprops_table",
                lambda: measure.regionprops_table(marked, plane, ("area", "centroid", "intensity_mean")),
                same_column("intensity_mean", "intensity_mean"),
            ),
        ),
    )
    yield Case(
        "measure_intensity",
        lambda: ours.measure_intensity(stack, shared_labels=labels),
        (Peer("cp_measure intensity", lambda: peers.cp_measure("intensity", plane, marked), note="more columns"),),
    )
    wanted = ("perimeter", "axis_major_length", "axis_minor_length", "eccentricity", "solidity")
    yield Case(
        "measure_shape",
        lambda: ours.measure_shape(stack, **px),
        (
            Peer(
                "scikit-image regionprops_table",
                lambda: measure.regionprops_table(marked, properties=wanted),
                same_column("perimeter_px", "perimeter"),
            ),
        ),
    )
    yield Case(
        "measure_texture",
        lambda: ours.measure_texture(stack, shared_labels=labels),
        (
            Peer(
                "scikit-image graycomatrix",
                lambda: peers.texture(plane, marked),
                same_column("texture_contrast", "contrast"),
            ),
        ),
    )
    yield Case(
        "measure_skeleton",
        lambda: ours.measure_skeleton(stack, **px),
        (Peer("scikit-image skeletonize", lambda: morphology.skeletonize(marked > 0), None, False, "thins only"),),
        note="no peer that measures",
    )
    yield Case(
        "measure_neighbours",
        lambda: ours.measure_neighbours(stack, **px),
        (Peer("cp_measure neighbors", lambda: peers.neighbours(marked)),),
    )
    yield Case(
        "detect_spots",
        lambda: ours.detect_spots(stack, pixel_size_um=None),
        (Peer("scikit-image, LoG, peaks, labels", lambda: peers.spots(plane)),),
    )
    yield Case("check_nuclei", lambda: ours.check_nuclei(stack, **px), note="no peer")


def _features(images: Images) -> Iterator[Case]:
    stack, plane, labels, marked = images.nuclei, images.plane, images.labels, images.marked
    one: dict[str, Any] = {"shared_labels": labels, "channels": ("a",)}
    for name, group, column, other in (
        ("haralick", "texture", "texture_contrast_d3_a0", ""),
        ("granularity", "granularity", "granularity_1_percent", "Granularity_1"),
        ("radial", "radial_distribution", "radial_fraction_1of4", "RadialDistribution_FracAtD_1of4"),
        ("zernike", "zernike and radial_zernikes", "", ""),
    ):
        function = getattr(ours, f"measure_{name}")
        yield Case(
            f"measure_{name}",
            partial(function, stack, **one),
            (
                Peer(
                    f"cp_measure {group}",
                    partial(peers.cp_measure, group, plane, marked),
                    same_column(column, other) if other else None,
                ),
            ),
        )
    two: dict[str, Any] = {"shared_labels": np.concatenate([labels, labels]), "channels": ("a", "b")}
    yield Case(
        "measure_colocalisation, 2 channels",
        lambda: ours.measure_colocalisation(images.channels, **two),
        (Peer("cp_measure, four functions", lambda: peers.colocalisation(images.channels, marked)),),
    )
    yield Case(
        "measure_features, 2 channels",
        lambda: ours.measure_features(images.channels, pixel_size_um=None, **two),
        (Peer("cp_measure, twelve functions", lambda: peers.all_features(images.channels, marked)),),
    )
