"""The kernels give the same results with each library, bit by bit, and those of SciPy."""

import importlib.util
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull
from skimage import filters, morphology
from skimage.segmentation import watershed as skimage_watershed

from openhcs_runtime.functions import (
    denoise,
    measure_objects,
    segment_nuclei,
    split_touching,
    subtract_background,
    subtract_constant,
    threshold,
    threshold_fixed,
)
from openhcs_runtime.functions.kernels import (
    PLAIN,
    Backend,
    Border,
    backend,
    ball_opening,
    components,
    disk_opening,
    distance,
    fill_holes,
    gaussian,
    gradient,
    histogram,
    installed,
    maximum,
    minimum,
    opening,
    using,
)
from openhcs_runtime.functions.kernels.groups import grouped
from openhcs_runtime.functions.kernels.hull import hull_of, joint_hull
from openhcs_runtime.functions.kernels.packing import apart
from openhcs_runtime.functions.kernels.watershed import watershed
from openhcs_runtime.plates.synthetic.camera import compose, planes
from openhcs_runtime.plates.synthetic.scene import Look

OTHERS = [Backend(opencv=True), Backend(edt=True), Backend(opencv=True, edt=True)]
MODES: dict[Border, Literal["nearest", "reflect"]] = {Border.NEAREST: "nearest", Border.REFLECT: "reflect"}

seeds = st.integers(0, 2**32 - 1)
shapes = st.tuples(st.integers(1, 60), st.integers(1, 60))
dtypes = st.sampled_from(["bool", "uint8", "uint16", "int16", "int32", "int64", "float16", "float32", "float64"])


def of_each(function: Callable[[], Any]) -> Any:
    """Return the result without optional libraries, after comparing it with those of the others."""
    with using(PLAIN):
        plain = function()
    for other in OTHERS:
        with using(other):
            result = function()
        np.testing.assert_array_equal(result, plain, strict=True)
    return plain


@st.composite
def images(draw: st.DrawFn) -> NDArray[Any]:
    """Images of any dtype and memory layout: noise, plateaus, one value, extremes."""
    height, width = draw(shapes)
    rng, dtype = np.random.default_rng(draw(seeds)), np.dtype(draw(dtypes))
    values = rng.normal(size=(2 * height, width)) * draw(st.sampled_from([0, 1, 3, 1e3, 1e4]))
    if dtype.kind in "iub":
        image = np.clip(values, *((0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)))
        image = np.rint(image).astype(dtype)
    else:
        image = (values * draw(st.sampled_from([1.0, 1e-9]))).astype(dtype)
    image = draw(st.sampled_from([image[::2], image[:height], np.asfortranarray(image[:height])]))
    return image[::-1, ::-1] if draw(st.booleans()) else image


@st.composite
def masks(draw: st.DrawFn) -> NDArray[np.bool_]:
    """Masks from clumps to noise, also empty and full ones, of any memory layout."""
    height, width = draw(shapes)
    noise = np.random.default_rng(draw(seeds)).normal(size=(height, 2 * width))
    blurred = ndimage.gaussian_filter(noise, draw(st.sampled_from([0.1, 1.0, 3.0])))
    mask: NDArray[np.bool_] = blurred > np.quantile(blurred, draw(st.sampled_from([0.1, 0.5, 0.9])))
    mask = draw(st.sampled_from([mask, np.zeros_like(mask), np.ones_like(mask)]))
    return draw(st.sampled_from([mask[:, ::2], mask[:, :width], np.asfortranarray(mask[:, :width])]))


@settings(max_examples=20, deadline=None)
@given(images(), st.sampled_from([0.1, 0.5, 1.0, 2.4, 7.0]), st.sampled_from(Border))
def test_gaussian(image: NDArray[Any], sigma: float, border: Border) -> None:
    smooth = of_each(lambda: gaussian(image, sigma, border))
    expected = ndimage.gaussian_filter(image.astype(np.float64), sigma, mode=MODES[border])
    spread = float(np.ptp(image.astype(np.float64)))
    largest = float(np.abs(image.astype(np.float64)).max())
    np.testing.assert_allclose(smooth, expected, rtol=0, atol=2.0**-14 * spread + 2.0**-20 * largest)


@settings(max_examples=20, deadline=None)
@given(images(), st.sampled_from([0.25, 1.0, 2.0]), st.sampled_from(Border))
def test_gradient(image: NDArray[Any], sigma: float, border: Border) -> None:
    steep = of_each(lambda: gradient(image, sigma, border))
    expected = ndimage.gaussian_gradient_magnitude(image.astype(np.float64), sigma, mode=MODES[border])
    largest = float(np.abs(image.astype(np.float64)).max())
    np.testing.assert_allclose(steep, expected, rtol=0, atol=2e-4 * largest)


@pytest.mark.parametrize("scale", [1e-36, 1e-30, 1e30, 3e38])
def test_a_gaussian_filter_keeps_very_small_and_very_large_values(scale: float) -> None:
    image = (np.random.default_rng(1).random((40, 33)) * scale).astype(np.float32)
    smooth = of_each(lambda: gaussian(image, 1.5))
    np.testing.assert_allclose(smooth, ndimage.gaussian_filter(image, 1.5, mode="nearest"), rtol=0, atol=3e-5 * scale)


def test_the_gaussian_filter_keeps_the_sum_of_a_point_and_is_exact_for_a_flat_image() -> None:
    point = np.zeros((401, 401), np.float32)
    point[200, 200] = 1.0
    for sigma in (0.3, 1.0, 5.0, 40.0):
        smooth = gaussian(point, sigma)
        assert float(smooth.sum(dtype=np.float64)) == pytest.approx(1.0, abs=1e-7)
        np.testing.assert_array_equal(smooth, smooth[::-1, ::-1])
        flat = gaussian(np.full((9, 50), 0.1, np.float32), sigma)
        assert flat.min() == flat.max() == pytest.approx(0.1, abs=2.0**-24)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_spread_only_to_their_neighbours(bad: float) -> None:
    image = np.zeros((40, 40), np.float32)
    image[20, 20] = bad
    with np.errstate(invalid="ignore"):
        smooth = of_each(lambda: gaussian(image, 1.0))
    assert not np.isfinite(smooth[20, 20])
    assert smooth[0, 0] == 0


@settings(max_examples=20, deadline=None)
@given(masks())
def test_distance(mask: NDArray[np.bool_]) -> None:
    found = of_each(lambda: distance(mask))
    if not mask.all():
        np.testing.assert_array_equal(found, ndimage.distance_transform_edt(mask).astype(np.float32))


@settings(max_examples=20, deadline=None)
@given(masks(), st.booleans())
def test_components(mask: NDArray[np.bool_], corners: bool) -> None:
    labels = of_each(lambda: components(mask, corners=corners)[0])
    count = components(mask, corners=corners)[1]
    expected, wanted = ndimage.label(mask, np.ones((3, 3)) if corners else None)
    assert count == wanted
    assert (labels > 0).tolist() == mask.tolist()
    assert len(set(zip(labels[mask].tolist(), expected[mask].tolist(), strict=True))) == count
    _, first = np.unique(labels[mask], return_index=True)
    assert first.tolist() == sorted(first.tolist())


@settings(max_examples=20, deadline=None)
@given(masks(), st.sampled_from([None, 1, 4, 30]))
def test_holes(mask: NDArray[np.bool_], below: int | None) -> None:
    filled = of_each(lambda: fill_holes(mask, below))
    expected = ndimage.binary_fill_holes(mask)
    if below is not None:
        holes, count = ndimage.label(expected & ~mask)
        small = np.bincount(holes.ravel(), minlength=count + 1) < below
        expected = mask | (small[holes] & (holes > 0))
    np.testing.assert_array_equal(filled, expected)


@settings(max_examples=25, deadline=None)
@given(images(), st.integers(1, 12))
def test_extremes_and_openings(image: NDArray[Any], side: int) -> None:
    lowest, highest = of_each(lambda: minimum(image, side)), of_each(lambda: maximum(image, side))
    opened = of_each(lambda: opening(image, side))
    if image.dtype in (np.bool_, np.float16):
        return  # SciPy refuses these
    np.testing.assert_array_equal(lowest, ndimage.grey_erosion(image, (side, side), mode="nearest"))
    np.testing.assert_array_equal(highest, ndimage.grey_dilation(image, (side, side), mode="nearest"))
    for mode in ("nearest", "reflect"):
        np.testing.assert_array_equal(opened, ndimage.grey_opening(image, (side, side), mode=mode))


@settings(max_examples=20, deadline=None)
@given(masks())
def test_openings_of_masks(mask: NDArray[np.bool_]) -> None:
    opened = of_each(lambda: opening(mask, 3, empty_beyond=True))
    np.testing.assert_array_equal(opened, ndimage.binary_opening(mask, np.ones((3, 3), bool)))


@settings(max_examples=15, deadline=None)
@given(images(), st.integers(1, 9))
def test_openings_with_disks(image: NDArray[Any], radius: int) -> None:
    if image.dtype == np.float16:
        return  # scikit-image refuses it
    opened = of_each(lambda: disk_opening(image, radius))
    disk = morphology.disk(radius, decomposition="sequence")
    np.testing.assert_array_equal(opened, morphology.opening(image, disk), strict=True)


def test_a_disk_leaves_an_image_with_nan_to_scikit_image() -> None:
    image = np.random.default_rng(1).random((20, 20)).astype(np.float32)
    image[4, 5] = np.nan
    opened = of_each(lambda: disk_opening(image, 3))
    np.testing.assert_array_equal(opened, morphology.opening(image, morphology.disk(3, decomposition="sequence")))


@settings(max_examples=10, deadline=None)
@given(seeds, shapes, st.sampled_from([(5.0, 1), (30.0, 2), (50.0, 4), (7.5, 9)]))
def test_openings_with_balls(seed: int, shape: tuple[int, int], ball: tuple[float, int]) -> None:
    image = (100 * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)
    radius, block = ball
    reach = max(1, int(radius / block))
    y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    squares = radius**2 - (y**2 + x**2) * float(block) ** 2
    expected = ndimage.grey_opening(
        image, footprint=squares >= 0, structure=np.sqrt(np.maximum(squares, 0)), mode="nearest"
    )
    np.testing.assert_array_equal(ball_opening(image, radius, block), expected, strict=True)


@settings(max_examples=10, deadline=None)
@given(images())
def test_histograms(image: NDArray[Any]) -> None:
    if image.dtype not in (np.uint8, np.uint16):
        image = np.abs(image.astype(float)).clip(0, 65535).astype(np.uint16)
    counts = of_each(lambda: histogram(image))
    np.testing.assert_array_equal(counts, np.bincount(image.ravel(), minlength=len(counts)))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32"])
def test_thresholds_and_constants_are_those_of_the_definition(dtype: str) -> None:
    stack = np.random.default_rng(2).poisson(40, (1, 50, 60)).astype(dtype)
    for factor in (1.0, 0.93):
        mask = of_each(partial(threshold, stack, factor=factor))
        np.testing.assert_array_equal(mask, stack > factor * filters.threshold_otsu(stack[0]))
    for level in (-2.0, 40, 40.0, 40.5, 1e9, np.inf):
        np.testing.assert_array_equal(threshold_fixed(stack, level=level), stack > level)
        expected = np.maximum(stack.astype(np.float32) - np.float32(level), 0)
        np.testing.assert_array_equal(subtract_constant(stack, value=level), expected, strict=True)


@settings(max_examples=20, deadline=None)
@given(masks(), seeds)
def test_watershed(mask: NDArray[np.bool_], seed: int) -> None:
    height = np.random.default_rng(seed).permutation(mask.size).reshape(mask.shape).astype(np.float32)
    sown, _ = components(mask & (height > 0.8 * mask.size))
    basins = of_each(lambda: watershed(height, sown, mask))
    np.testing.assert_array_equal(basins, skimage_watershed(height, sown, mask=mask))


@settings(max_examples=8, deadline=None)
@given(masks())
def test_objects_apart_from_each_other_keep_their_shape(mask: NDArray[np.bool_]) -> None:
    labels, count = components(mask)
    pixels = np.flatnonzero(labels)
    packed = apart(pixels, labels.ravel()[pixels], mask.shape[1])
    canvas = packed.spread(labels.ravel()[pixels])
    np.testing.assert_array_equal(packed.gather(canvas), labels.ravel()[pixels])
    again, found = components(canvas > 0)
    assert found == count
    for number in range(1, count + 1):
        window = ndimage.find_objects(labels)[number - 1]
        there = ndimage.find_objects(canvas)[number - 1]
        np.testing.assert_array_equal(labels[window] == number, canvas[there] == number)
        assert len(np.unique(again[canvas == number])) == 1


@settings(max_examples=20, deadline=None)
@given(masks())
def test_hulls(mask: NDArray[np.bool_]) -> None:
    y, x = np.nonzero(mask)
    points = np.column_stack([y, x])
    if len(y) < 3 or np.linalg.matrix_rank(points - points[0]) < 2:
        return  # SciPy has no hull of a line
    expected = ConvexHull(points)
    area = expected.volume + expected.area / 2 + 1
    assert hull_of(y, x).area == pytest.approx(area)
    half = len(y) // 2
    assert joint_hull(hull_of(y[half:], x[half:]), hull_of(y[:half], x[:half])).area == pytest.approx(area)


@pytest.mark.parametrize("part", [0.0, 0.2, 0.5, 1.0])
def test_quantiles_of_groups_are_those_of_numpy(part: float) -> None:
    rng = np.random.default_rng(3)
    values, numbers = rng.normal(size=200).astype(np.float32), rng.integers(0, 40, 200)
    groups = grouped(numbers, 70)
    expected = [np.quantile(values[numbers == n].astype(float), part) if n in numbers else 0 for n in range(70)]
    np.testing.assert_allclose(groups.quantiles(values, part), expected, rtol=1e-12)
    assert groups.sizes.tolist() == np.bincount(numbers, minlength=70).tolist()


LOOKS = {
    "clumps": Look(diameter_px=14, density=3, clumping=0.8, texture=0.2),
    "small": Look(diameter_px=8),
    "large": Look(diameter_px=48, density=2, clumping=0.5),
    "saturated": Look(diameter_px=18, saturation=0.6, clumping=0.6),
    "dim and dead": Look(diameter_px=18, dim=0.3, dead=0.1, haze=0.4),
}


@pytest.mark.parametrize("look", LOOKS)
def test_nuclei_and_their_measurements_do_not_depend_on_the_libraries(look: str) -> None:
    rng = np.random.default_rng(1)
    (_, _, image), *_ = planes(rng, compose(rng, 131, LOOKS[look]), channels=1, z=1)
    stack = image[np.newaxis, ::-1, :120]
    if look in ("clumps", "small"):
        stack = (stack / stack.max()).astype(np.float32)
    assert of_each(partial(_labels_and_measurements, stack)).size


def _labels_and_measurements(stack: NDArray[Any]) -> NDArray[Any]:
    labels = segment_nuclei(stack)[1]
    corrected = denoise(subtract_background(stack))
    (found,) = measure_objects(corrected, labels=labels, pixel_size_um=0.5, name="nuclei")[1]
    assert isinstance(found.objects, Mapping)
    objects: dict[str, NDArray[Any]] = dict(found.objects)
    columns = np.array([values.astype(float) for values in objects.values()])
    return np.concatenate([part.ravel() for part in (labels, corrected, columns, split_touching(labels > 0)[1])])


@settings(max_examples=6, deadline=None)
@given(images(), st.sampled_from([None, 6.0, 20.0, 50.0]))
def test_segmentation_of_any_image(image: NDArray[Any], diameter: float | None) -> None:
    large = np.repeat(np.repeat(image, 2, axis=0), 3, axis=1)
    if large.dtype == np.float16 or min(large.shape) < 8:
        return
    labels = of_each(lambda: segment_nuclei(large[np.newaxis], diameter_px=diameter)[1])
    assert labels.shape == (1, *large.shape)


def test_what_is_installed_is_used_unless_asked_otherwise() -> None:
    assert installed() == Backend(
        opencv=importlib.util.find_spec("cv2") is not None, edt=importlib.util.find_spec("edt") is not None
    )
    assert backend() == installed()
    with using(PLAIN):
        assert backend() == PLAIN
    assert backend() == installed()
