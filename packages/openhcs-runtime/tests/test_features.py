"""Native features of objects: equal to cp_measure, right or missing at the limits, the same for any labels."""

import contextlib
import inspect
import math
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import regionprops_table

from openhcs_runtime.functions import (
    detect_spots,
    measure_colocalisation,
    measure_features,
    measure_granularity,
    measure_intensity,
    measure_neighbours,
    measure_objects,
    measure_texture,
    track_objects,
)
from openhcs_runtime.functions.cellprofiler import measure_cellprofiler
from openhcs_runtime.functions.features.catalogue import FEATURES, FeatureGroup, feature_of
from openhcs_runtime.functions.features.costes import costes
from openhcs_runtime.functions.features.measured import IN_SITES
from openhcs_runtime.functions.features.outlines import convex_areas, perimeters
from openhcs_runtime.functions.features.regions import Regions
from openhcs_runtime.pipeline.decorators import Measurements, traits_of

Columns = Mapping[str, Any]
CHANNELS = ("DAPI", "ER", "ch3")
FULL = 65535
WITH_CP_MEASURE = pytest.mark.skipif(
    sys.version_info >= (3, 14), reason="centrosome, which cp_measure needs, has no wheels for this Python"
)


def nuclei(size: int = 176, channels: int = 3, seed: int = 5) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
    """Return images (channels, size, size) and labels of ellipses, some of which touch each other or the border."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    labels = np.zeros((size, size), np.int32)
    number = 0
    while number < size * size // 2500:
        (cy, cx), (a, b), angle = rng.uniform(0, size, 2), rng.uniform(7, 15, 2), rng.uniform(0, np.pi)
        u = ((y - cy) * np.cos(angle) + (x - cx) * np.sin(angle)) / a
        v = ((x - cx) * np.cos(angle) - (y - cy) * np.sin(angle)) / b
        inside = (u * u + v * v < 1) & (labels == 0)
        if inside.sum() > 100 and ndimage.label(inside, np.ones((3, 3)))[1] == 1:
            number += 1
            labels[inside] = number
    shape = ndimage.gaussian_filter((labels > 0).astype(float), 2)
    images = []
    for channel in range(channels):
        grain = ndimage.gaussian_filter(rng.normal(size=shape.shape), 1 + channel)
        bright = 12_000 + 9_000 * channel
        image = 500 + bright * shape * np.clip(1 + 0.4 * grain / grain.std(), 0, None) + rng.normal(0, 80, shape.shape)
        images.append(np.clip(image, 0, FULL).astype(np.uint16))
    return np.stack(images), labels


IMAGES, LABELS = nuclei()


def measured(images: NDArray[Any], labels: NDArray[Any], **arguments: Any) -> list[Measurements]:
    """Measure the channels of one site."""
    names = tuple(f"c{at}" for at in range(len(images)))
    inputs: dict[str, Any] = {"channels": names, "pixel_size_um": None, **arguments}
    return measure_features(images, shared_labels=np.stack([labels] * len(images)), **inputs)[1]


def table(measurements: Measurements) -> dict[str, Any]:
    """Return the columns of objects."""
    assert isinstance(measurements.objects, Mapping)
    return dict(measurements.objects)


def columns_of(measurements: list[Measurements]) -> dict[str, NDArray[np.float64]]:
    """Return all columns of all channels, as floats."""
    return {
        f"{name}@{at}": np.asarray(values, float)
        for at, each in enumerate(measurements)
        for name, values in table(each).items()
    }


@contextlib.contextmanager
def whole_circles() -> Iterator[None]:
    """The circle of cp_measure with the pixels that are on it, which rounding takes in or leaves out."""
    from centrosome import zernike

    original = zernike.minimum_enclosing_circle

    def wider(*arguments: Any) -> tuple[Any, Any]:
        centres, radii = original(*arguments)
        return centres, np.asarray(radii) * (1 + 1e-12)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zernike, "minimum_enclosing_circle", wider)
        yield


def natively(images: NDArray[Any], labels: NDArray[Any]) -> list[Columns]:
    """Measure the named channels of one site."""
    stacked = np.stack([labels] * len(images))
    _, found = measure_features(images, shared_labels=stacked, channels=CHANNELS[: len(images)], pixel_size_um=0.5)
    return [table(each) for each in found]


def by_cp_measure(images: NDArray[Any], labels: NDArray[Any]) -> list[Columns]:
    """Measure the same with cp_measure."""
    stacked = np.stack([labels] * len(images))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what can't be measured, and of stray backslashes in its texts
        with whole_circles():
            _, found = measure_cellprofiler(images, shared_labels=stacked, channels=CHANNELS[: len(images)])
    return [table(each) for each in found]


RELATIVE = {
    FeatureGroup.SHAPE: 1e-9,
    FeatureGroup.INTENSITY: 1e-9,
    FeatureGroup.ZERNIKE: 1e-9,
    FeatureGroup.RADIAL: 1e-9,
    FeatureGroup.GRANULARITY: 1e-9,
    FeatureGroup.TEXTURE: 1e-6,
    FeatureGroup.COLOCALISATION: 1e-9,
}
"""Tolerances that the modules state, relative to the value, or to a thousandth of the largest one of its column."""
NOT_IN_CP = ("overlap_",)
"""What cp_measure has, but not among the features that it measures together."""


@WITH_CP_MEASURE
def test_values_are_those_of_cp_measure() -> None:
    images, labels = nuclei(112, channels=2, seed=8)
    native, theirs = natively(images, labels), by_cp_measure(images, labels)
    compared = dict.fromkeys(IN_SITES, 0)
    for at, columns in enumerate(native):
        for name, values in columns.items():
            feature = feature_of(name)
            if feature is None or "_um" in name or name.startswith(NOT_IN_CP):
                continue
            other = feature.in_cp_measure(name)
            of_pairs = feature.group is FeatureGroup.COLOCALISATION
            expected = theirs[0][of_pair(other, name)] if of_pairs else theirs[at].get(other, theirs[0].get(other))
            assert expected is not None, name
            assert deviation(name, np.asarray(values, float), expected, columns) <= RELATIVE[feature.group], name
            compared[feature.group] += 1
    assert compared == {
        FeatureGroup.SHAPE: 74,
        FeatureGroup.ZERNIKE: 150,
        FeatureGroup.INTENSITY: 38,
        FeatureGroup.RADIAL: 24,
        FeatureGroup.GRANULARITY: 32,
        FeatureGroup.TEXTURE: 104,
        FeatureGroup.COLOCALISATION: 9,
    }
    check_overlap(images, labels, native[0])


def of_pair(other: str, name: str) -> str:
    """Return the column of cp_measure for a pair; the second coefficient of a pair is the first of the reverse one."""
    first, second = name.split("_")[-2:]
    if "Costes" in other and CHANNELS.index(first) > CHANNELS.index(second):
        return f"Correlation_Costes_2_{second}_{first}"
    if CHANNELS.index(first) > CHANNELS.index(second) and other.endswith("_1"):
        return f"{other[:-1]}2_{second}_{first}"
    return f"{other}_{first}_{second}"


def deviation(name: str, values: NDArray[Any], expected: NDArray[Any], columns: Columns) -> float:
    """Return the largest relative deviation of a column in the units of cp_measure."""
    if (name.startswith("intensity_") and not name.endswith("_px")) or name.startswith("radial_zernike_magnitude"):
        values = values / FULL
    elif name.startswith("radial_zernike_phase"):  # of a moment of about 0 the phase is anything
        magnitude = np.asarray(columns[name.replace("phase", "magnitude").removesuffix("_deg")], float)
        turned = np.abs((np.radians(values) - expected + np.pi) % (2 * np.pi) - np.pi)
        return float((turned * magnitude / FULL).max())
    elif name == "orientation_deg":
        expected = (90 - expected) % 180
    assert np.array_equal(np.isnan(values), np.isnan(expected)), name
    smallest = 1e-3 * max(1.0, float(np.nanmax(np.abs(expected), initial=0)))
    return float(np.nanmax(np.abs(values - expected) / np.maximum(np.abs(expected), smallest)))


def check_overlap(images: NDArray[Any], labels: NDArray[Any], columns: Columns) -> None:
    from cp_measure.core.measurecolocalization import get_correlation_overlap

    first, second = (image / FULL for image in images)
    expected = get_correlation_overlap(first, second, labels)
    np.testing.assert_allclose(columns["overlap_DAPI_ER"], expected["Correlation_Overlap"], rtol=1e-9)
    np.testing.assert_allclose(columns["overlap_k_DAPI_ER"], expected["Correlation_K_1"], rtol=1e-9)
    np.testing.assert_allclose(columns["overlap_k_ER_DAPI"], expected["Correlation_K_2"], rtol=1e-9)


@WITH_CP_MEASURE
@pytest.mark.filterwarnings("ignore")  # cp_measure warns of what can't be measured
@pytest.mark.parametrize("scale", [255, 4095, 65535])
def test_costes_is_that_of_cp_measure_for_any_correlation_and_brightness(scale: int) -> None:
    from cp_measure.core.measurecolocalization import get_correlation_costes

    rng = np.random.default_rng(scale)
    labels = np.kron(np.arange(1, 17).reshape(4, 4), np.ones((15, 15), int)).astype(np.int32)
    regions = Regions.of(labels)
    known = 0
    for brightness in (0.1, 0.3, 0.5, 0.8):
        base, *noises = rng.normal(size=(3, 60, 60))
        mixed = (base + rng.uniform(0, 1) * noises[0], rng.uniform(-1, 1) * base + noises[1])
        one, other = (np.clip(np.rint((brightness + 0.2 * part) * scale), 0, scale) / scale for part in mixed)
        values = (regions.values(one), regions.values(other))
        found = costes(regions.segments, *values, scale=scale, first="a", second="b")
        expected = get_correlation_costes(one, other, labels, scale_max=scale)
        for name, of_cp in (
            ("manders_costes_a_b", "Correlation_Costes_1"),
            ("manders_costes_b_a", "Correlation_Costes_2"),
        ):
            coefficients = np.asarray(found[name], float)
            np.testing.assert_allclose(coefficients, expected[of_cp], rtol=1e-9)
            known += int(np.isfinite(coefficients).sum())
    assert known > 16


@WITH_CP_MEASURE
def test_neighbours_are_those_of_cp_measure() -> None:
    from cp_measure.multimask.measureobjectneighbors import D_ADJACENT, D_WITHIN, measureobjectneighbors

    _, (found,) = measure_neighbours(IMAGES[:1], labels=LABELS[np.newaxis], pixel_size_um=0.5)
    expected = measureobjectneighbors(LABELS, LABELS, D_WITHIN, 5) | measureobjectneighbors(LABELS, LABELS, D_ADJACENT)
    compared = 0
    for name, values in table(found).items():
        feature = feature_of(name)
        if feature is not None and (other := feature.in_cp_measure(name)):
            np.testing.assert_allclose(np.asarray(values, float), expected[other], rtol=1e-9, err_msg=name)
            compared += 1
    assert compared == 6
    centres = [ndimage.center_of_mass(number == LABELS) for number in range(1, LABELS.max() + 1)]
    apart = [math.dist(centres[0], other) for other in centres[1:]]
    assert table(found)["neighbour_first_label"][0] == int(np.argmin(apart)) + 2
    assert table(found)["neighbour_first_um"][0] == pytest.approx(0.5 * min(apart))


def test_every_name_is_in_the_catalogue() -> None:
    names = {name for columns in natively(IMAGES, LABELS) for name in columns if name != "label"}
    assert [name for name in names if feature_of(name) is None] == []
    used = {feature_of(name) for name in names}
    assert [each.name for each in FEATURES if each.group in IN_SITES and each not in used] == []
    assert feature_of("manders_costes_DAPI_Stain_5") is feature_of("manders_costes_DAPI_ER")


@pytest.mark.parametrize(("angle", "number"), [(0, "00"), (45, "03"), (90, "02"), (135, "01")])
def test_directions_have_the_numbers_of_cp_measure(angle: int, number: str) -> None:
    name = f"texture_contrast_d3_a{angle}"
    feature = feature_of(name)
    assert feature is not None
    assert feature.in_cp_measure(name) == f"Contrast_3_{number}_256"


def test_five_channels_have_a_thousand_features() -> None:
    images, labels = nuclei(96, channels=5)
    found = measured(images, labels)
    assert sum(len(table(each)) - 1 for each in found) >= 1000
    shared = found[0].without_channel
    assert {"area_px2", "zernike_2_0", "pearson_c0_c4", "objects_count"} <= set(shared)
    assert not any(str(name).startswith(("intensity_", "texture_", "granularity_", "radial_")) for name in shared)
    assert not any(table(each).keys() & set(shared) for each in found[1:])


def flat(*shapes: tuple[slice, slice], size: int = 64) -> NDArray[np.int32]:
    labels = np.zeros((size, size), np.int32)
    for number, shape in enumerate(shapes, start=1):
        labels[shape] = number
    return labels


EDGE_LABELS = {
    "none": flat(),
    "one pixel": flat((np.s_[30:31], np.s_[30:31])),
    "a line": flat((np.s_[30:31], np.s_[10:40])),
    "touching": flat((np.s_[10:20], np.s_[10:20]), (np.s_[10:20], np.s_[20:30])),
    "the border": flat((np.s_[:9], np.s_[:9]), (np.s_[60:], np.s_[:])),
    "the whole image": flat((np.s_[:], np.s_[:])),
    "in two parts": flat((np.s_[10:20], np.s_[10:20])) + flat((np.s_[40:50], np.s_[40:50])),
}
EDGE_IMAGES: dict[str, NDArray[Any]] = {
    "noise": np.random.default_rng(2).integers(100, 4000, (2, 64, 64)).astype(np.uint16),
    "zero": np.zeros((2, 64, 64), np.uint16),
    "constant": np.full((2, 64, 64), 1000, np.uint16),
    "saturated": np.full((2, 64, 64), FULL, np.uint16),
    "unknown": np.full((2, 64, 64), np.nan, np.float32),
    "negative": np.random.default_rng(2).normal(0, 10, (2, 64, 64)).astype(np.float32),
}


@pytest.mark.parametrize("image", EDGE_IMAGES)
@pytest.mark.parametrize("labels", EDGE_LABELS)
def test_what_can_not_be_measured_is_missing(labels: str, image: str) -> None:
    stack, marked = EDGE_IMAGES[image], EDGE_LABELS[labels]
    found = measured(stack, marked, intensity_max=FULL)
    columns = columns_of(found)
    assert all(len(values) == len(np.unique(marked[marked > 0])) for values in columns.values())
    assert not any(np.isinf(values).any() for values in columns.values())
    if marked.any() and image == "unknown":
        known = {name for name, values in columns.items() if name.endswith("@1") and not np.isnan(values).all()}
        assert known == {"label@1"}
        assert np.isnan(columns["intensity_mean@0"]).all()
        assert np.isnan(columns["texture_contrast_d3_a0@1"]).all()
        assert np.isnan(columns["pearson_c0_c1@0"]).all()
    if labels == "the whole image":
        of_edge = [name for name in columns if name.startswith(("radial_fraction", "intensity_edge"))]
        assert len(of_edge) == 18
        assert all(np.isnan(columns[name]).all() for name in of_edge)
    if marked.any() and image == "constant":
        assert (columns["intensity_mean@0"] == 1000).all()
        assert (columns["intensity_std@0"] == 0).all()
        assert np.isnan(columns["pearson_c0_c1@0"]).all()


def test_a_pixel_that_is_not_finite_spoils_its_object_only() -> None:
    spoilt = IMAGES.astype(np.float32)
    row, col = np.argwhere(LABELS == 3)[20]
    spoilt[0, row, col] = np.nan
    fine = columns_of(measured(IMAGES, LABELS, intensity_max=FULL))
    found = columns_of(measured(spoilt, LABELS, intensity_max=FULL))
    others = np.arange(1, LABELS.max() + 1) != 3
    for name, values in found.items():
        if name.startswith("granularity") and name.endswith("@0"):
            assert np.isnan(values).all()
        else:
            np.testing.assert_allclose(values[others], fine[name][others], rtol=1e-5, atol=1e-5, err_msg=name)
    assert np.isnan(found["radial_cv_1of4@0"][2])
    assert np.isnan(found["manders_costes_c1_c0@0"][2])
    of_brightness = ("intensity", "mass", "radial", "texture", "granularity")
    assert all(np.isnan(found[name][2]) for name in found if name.startswith(of_brightness) and name.endswith("@0"))
    assert found["texture_contrast_d3_a0@1"][2] == fine["texture_contrast_d3_a0@1"][2]


def test_labels_may_have_gaps_and_any_order() -> None:
    shuffled = np.random.default_rng(1).permutation(np.arange(5, 5 + 7 * LABELS.max(), 7))[: LABELS.max()]
    other = np.concatenate([[0], shuffled])[LABELS]
    one, found = columns_of(measured(IMAGES[:2], LABELS)), columns_of(measured(IMAGES[:2], other))
    assert (found["label@0"] == np.sort(shuffled)).all()
    order = np.argsort(shuffled)
    for name, values in found.items():
        if not name.startswith("label"):
            np.testing.assert_allclose(values, one[name][order], rtol=1e-9, atol=1e-9, err_msg=name)


TURNABLE = (
    "area_px2",
    "feret_min_px",
    "feret_max_px",
    "major_axis_px",
    "moment_hu_0",
    "zernike_4_2",
    "radial_zernike_magnitude_3_1",
    "intensity_mad",
    "mass_displacement_px",
    "radius_median_px",
)


@settings(max_examples=8, deadline=None)
@given(turns=st.integers(1, 3), mirrored=st.booleans())
def test_what_does_not_depend_on_direction_is_the_same_when_turned(turns: int, mirrored: bool) -> None:
    groups = ("shape", "zernike", "intensity")

    def turned(plane: NDArray[Any]) -> NDArray[Any]:
        return np.rot90(plane[..., ::-1] if mirrored else plane, turns, (-2, -1)).copy()

    one = columns_of(measured(IMAGES[:1], LABELS, groups=groups))
    other = columns_of(measured(turned(IMAGES[:1]), turned(LABELS), groups=groups))
    for name in TURNABLE:
        np.testing.assert_allclose(other[f"{name}@0"], one[f"{name}@0"], rtol=1e-6, err_msg=name)


def test_values_that_are_known() -> None:
    labels = flat((np.s_[10:14], np.s_[20:30]))
    image = np.zeros((1, 64, 64), np.uint16)
    image[0, 10:14, 20:30] = np.arange(40).reshape(4, 10)
    (found,) = measured(image, labels, pixel_size_um=0.5)
    values = {name: float(column[0]) for name, column in table(found).items()}
    expected = {
        "area_px2": 40,
        "area_um2": 10,
        "intensity_sum": 780,
        "intensity_lower_quartile": 9.75,
        "intensity_mad": 10,
        "intensity_edge_min": 0,
        "intensity_max_x_px": 29,
        "feret_max_px": math.hypot(3, 9),
        "feret_min_px": 3,
        "bounding_box_min_y_px": 10,
        "orientation_deg": 0,
        "extent": 1,
        "radius_max_px": 2,
    }
    (square,) = measured(image, flat((np.s_[10:14], np.s_[20:24])), groups="shape")
    assert np.isnan(table(square)["orientation_deg"]).all()
    assert {name: pytest.approx(values[name]) for name in expected} == expected


@pytest.mark.parametrize(
    ("images", "arguments", "message"),
    [
        (IMAGES.astype(np.float32), {}, "channel c0 can have is not known.*set intensity_max"),
        (IMAGES, {"intensity_max": 4095}, "above intensity_max=4095"),
        (IMAGES, {"groups": ["colour"]}, "group of features"),
        (IMAGES, {"groups": ["tracking"]}, "step of its own"),
        (IMAGES, {"channels": ("a", "b", "a")}, "variable_components"),
    ],
)
def test_what_is_refused(images: NDArray[Any], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measured(images, LABELS, **arguments)


@WITH_CP_MEASURE
@pytest.mark.filterwarnings("ignore")  # cp_measure warns of what can't be measured
def test_what_cp_measure_gets_wrong_is_missing_or_refused() -> None:
    images, labels = EDGE_IMAGES["noise"], EDGE_LABELS["touching"]
    arguments: dict[str, Any] = {"shared_labels": np.stack([labels] * 2), "channels": ("a b", "c__d")}
    first, second = measure_cellprofiler(images, **arguments)[1]
    columns = table(first)
    assert columns["Neighbors_FirstClosestDistance_Adjacent"].tolist() == [10, 10]
    assert np.isnan(columns["Neighbors_SecondClosestDistance_Adjacent"]).all()
    assert not any("ClosestObjectNumber" in name for name in columns)
    assert {"Correlation_Pearson_a b_c__d", "Area", "objects_count"} <= set(first.without_channel)
    assert table(second)["Intensity_MaxIntensity"] == pytest.approx(
        [images[1][labels == at].max() / FULL for at in (1, 2)]
    )
    with pytest.raises(ValueError, match="channel a b has pixels that are not finite"):
        measure_cellprofiler(EDGE_IMAGES["unknown"], **arguments, intensity_max=1)
    with pytest.raises(ValueError, match="channel a b has pixels below 0"):
        measure_cellprofiler(EDGE_IMAGES["negative"], **arguments, intensity_max=100)
    empty = {**arguments, "shared_labels": np.zeros((2, 64, 64), int)}
    assert [len(table(each)["label"]) for each in measure_cellprofiler(images, **empty)[1]] == [0, 0]


def test_channels_with_different_objects_need_the_name_of_one() -> None:
    cells = ndimage.grey_dilation(LABELS, (3, 3))
    labels = np.stack([LABELS, cells, LABELS])
    arguments: dict[str, Any] = {
        "shared_labels": labels,
        "channels": CHANNELS,
        "set_names": ["nuclei", "cells", "nuclei"],
        "object_sets": {"nuclei": np.stack([LABELS] * 3), "cells": np.stack([cells] * 3)},
        "pixel_size_um": None,
        "groups": "shape",
    }
    with pytest.raises(ValueError, match="set name to that of the objects to measure, nuclei or cells"):
        measure_features(IMAGES, **arguments)
    _, found = measure_features(IMAGES, **arguments, name="cells")
    assert found[0].summary == {"cells_count": cells.max()}
    assert (table(found[0])["area_px2"] == np.bincount(cells.ravel())[1:]).all()


def test_images_of_one_channel_are_measured_each_by_itself() -> None:
    stack, labels = np.stack([IMAGES[0], IMAGES[1]]), np.stack([LABELS, np.where(LABELS == 2, 0, LABELS)])
    arguments: dict[str, Any] = {"shared_labels": labels, "channels": ("DAPI", "DAPI")}
    _, (one, other) = measure_features(stack, pixel_size_um=None, groups=["shape", "intensity"], **arguments)
    assert (len(table(one)["area_px2"]), len(table(other)["area_px2"])) == (LABELS.max(), LABELS.max() - 1)
    with pytest.raises(ValueError, match="two channels"):
        measure_colocalisation(stack, **arguments)


@pytest.mark.parametrize("spoilt", [np.nan, np.inf])
def test_simple_measures_of_an_object_with_an_unknown_pixel_are_missing(spoilt: float) -> None:
    labels = EDGE_LABELS["touching"][np.newaxis]
    stack = EDGE_IMAGES["noise"][:1].astype(np.float32)
    fine = {**table(measure_intensity(stack, shared_labels=labels)[1][0])}
    fine |= table(measure_texture(stack, shared_labels=labels)[1][0])
    stack[0, 12, 12] = spoilt
    found = {**table(measure_intensity(stack, shared_labels=labels)[1][0])}
    found |= table(measure_texture(stack, shared_labels=labels)[1][0])
    assert np.isnan(table(measure_objects(stack, labels=labels, pixel_size_um=None)[1][0])["intensity_sum"][0])
    for name in fine.keys() - {"label"}:
        assert np.isnan(found[name][0]), name
        assert np.isfinite(found[name][1]), name


@pytest.mark.parametrize(
    ("function", "arguments", "problem"),
    [
        (measure_features, {"distances_px": 5}, "distances_px must be a list of whole numbers of 1 or more"),
        (measure_features, {"distances_px": [1.5]}, "distances_px must be a list of whole numbers"),
        (measure_features, {"rings": 0}, "rings must be a whole number from 1 to 100, not 0"),
        (measure_features, {"intensity_max": math.inf}, "intensity_max must be a number above 0, not inf"),
        (measure_granularity, {"steps": 0}, "steps must be a whole number from 1 to 256, not 0"),
        (measure_granularity, {"subsampling": 0}, "subsampling must be a number above 0 and at most 1, not 0"),
        (measure_granularity, {"subsampling": 2}, "subsampling must be a number above 0 and at most 1, not 2"),
        (measure_granularity, {"background_radius_px": -1}, "background_radius_px must be a whole number from 1"),
        (measure_texture, {"distance_px": 0}, "distance_px must be a whole number of 1 or more, not 0"),
        (measure_texture, {"levels": 256}, "levels must be a whole number from 2 to 255, not 256"),
        (measure_neighbours, {"distance_px": math.inf}, "distance_px must be a number above 0, not inf"),
        (measure_neighbours, {"distance_px": 5, "distance_um": 5}, "give distance_px or distance_um, not both"),
        (detect_spots, {"diameter_px": 0.5}, "diameter_px must be a number from 2 to 500, not 0.5"),
        (detect_spots, {"min_snr": "6"}, "min_snr must be a number above 0, not '6'"),
        (track_objects, {"max_gap_frames": 1.5}, "max_gap_frames must be a whole number from 0 to 1000, not 1.5"),
        (track_objects, {"frame_interval_s": 0}, "frame_interval_s must be a number above 0, not 0"),
    ],
)
def test_arguments_out_of_range_are_named_in_both_ways(function: Any, arguments: dict[str, Any], problem: str) -> None:
    check = traits_of(function).check
    assert check is not None
    assert next(iter(check(**arguments))).startswith(problem)
    inputs = {"pixel_size_um": 0.5, "channels": ("a", "b")} | dict.fromkeys(("labels", "shared_labels"), LABELS[None])
    known = inspect.signature(function).parameters
    with pytest.raises(ValueError, match=re.escape(problem)):
        function(IMAGES[:1], **{name: value for name, value in inputs.items() if name in known}, **arguments)


def test_negative_labels_and_spots_below_a_pixel_are_refused() -> None:
    with pytest.raises(ValueError, match="labels must be whole numbers of 0 or more, and one is -1"):
        measure_neighbours(IMAGES[:1], labels=-LABELS[np.newaxis].clip(0, 1), pixel_size_um=None)
    with pytest.raises(ValueError, match=r"diameter_um must be from 2 to 500 pixels, and 0.3 micrometres are 0.6"):
        detect_spots(IMAGES[:1], diameter_um=0.3, pixel_size_um=0.5)
    near = measure_neighbours(IMAGES[:1], labels=LABELS[np.newaxis], pixel_size_um=None, distance_px=1e300)[1][0]
    assert (table(near)["neighbour_count"] == LABELS.max() - 1).all()


def test_a_step_with_wrong_arguments_is_refused_when_it_is_compiled() -> None:
    check = traits_of(measure_features).check
    assert check is not None
    assert list(check(groups=["shape"])) == []
    assert "choose" in next(iter(check(groups=["colour"])))
    assert "above 0" in next(iter(check(intensity_max=0)))


@pytest.mark.parametrize("seed", range(12))
def test_outlines_and_hulls_of_all_objects_at_once_are_those_of_each(seed: int) -> None:
    """Also of objects that touch, are in several pieces, have holes, or are at the border of the image."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.random(rng.integers(1, 90, 2)), rng.uniform(0.3, 4))
    labels = ndimage.label(smooth > np.quantile(smooth, rng.uniform(0.2, 0.8)))[0]
    labels = (labels // 2, labels, rng.integers(0, 4, smooth.shape))[seed % 3]
    regions = Regions.of(labels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hulls of a single line
        expected = regionprops_table(regions.labels, properties=("area_convex", "perimeter"))
    np.testing.assert_array_equal(convex_areas(regions), expected["area_convex"])
    np.testing.assert_allclose(perimeters(regions), expected["perimeter"], rtol=1e-12)
