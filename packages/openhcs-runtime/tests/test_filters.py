"""Filters of our own, which are faster than those of SciPy and scikit-image and have the same results, bit by bit."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage
from skimage import morphology, segmentation
from skimage.restoration import denoise_tv_chambolle

from openhcs_runtime import functions
from openhcs_runtime.functions import denoise_median
from openhcs_runtime.functions.features import reconstruction, skeletons, spots
from openhcs_runtime.functions.features.laplacian import laplacian_of_gaussian
from openhcs_runtime.functions.features.regions import Regions, Segments
from openhcs_runtime.functions.medians import disk_median
from openhcs_runtime.functions.relations import parents_of
from openhcs_runtime.functions.total_variation import least_variation
from openhcs_runtime.pipeline.decorators import Stack

RNG = np.random.default_rng(5)
SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40))


def median_of_scipy(plane: Stack, radius: int) -> Stack:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    found: Stack = ndimage.median_filter(plane, footprint=y**2 + x**2 <= radius**2, mode="nearest")
    return found


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int64, np.float32, np.float64, bool])
@pytest.mark.parametrize("radius", [0, 1, 2, 3, 4, 9])
def test_the_median_is_that_of_scipy(radius: int, dtype: type) -> None:
    offset = -30 if np.dtype(dtype).kind in "if" else 0
    for shape in ((1, 1), (9, 150), (140, 31)):
        plane: Stack = (RNG.gamma(2, 30, shape).clip(0, 255) + offset).astype(dtype)
        found = disk_median(plane, radius)
        assert found.dtype == plane.dtype
        np.testing.assert_array_equal(found, median_of_scipy(plane, radius))


@given(arrays.arrays(st.sampled_from([np.uint8, np.uint16, np.float32]), SHAPES, elements=st.integers(0, 255)))
def test_the_median_of_any_plane_is_that_of_scipy(plane: Stack) -> None:
    for radius in (1, 4):
        np.testing.assert_array_equal(disk_median(plane, radius), median_of_scipy(plane, radius))


def test_a_plane_with_a_nan_is_left_to_scipy() -> None:
    plane = RNG.normal(size=(20, 30))
    plane[3, 4] = np.nan
    np.testing.assert_array_equal(disk_median(plane, 2), median_of_scipy(plane, 2))


def test_the_values_of_a_plane_may_be_all_that_16_bits_have() -> None:
    plane = RNG.permutation(np.arange(1 << 16, dtype=np.uint16)).reshape(256, 256)
    np.testing.assert_array_equal(disk_median(plane, 5), median_of_scipy(plane, 5))


@pytest.mark.parametrize("radius", [1, 5])
def test_a_median_needs_little_memory(radius: int) -> None:
    stack = RNG.integers(0, 4096, (1, 600, 600), np.uint16)
    assert peak_of(denoise_median, stack, radius_px=radius) < 4 * stack.nbytes


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (40, 33), (300, 130)])
@pytest.mark.parametrize("weight", [0.01, 0.1, 0.5])
def test_less_variation_is_that_of_scikit_image(shape: tuple[int, int], weight: float) -> None:
    image = RNG.random(shape, dtype=np.float32)
    image[shape[0] // 2 :] *= np.float32(0.3)
    found = least_variation(image, weight)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, denoise_tv_chambolle(image, weight=weight))


def test_less_variation_needs_less_memory_than_scikit_image() -> None:
    image = RNG.random((500, 400), dtype=np.float32)
    assert peak_of(least_variation, image, 0.1) < 0.7 * peak_of(denoise_tv_chambolle, image, weight=0.1)


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (64, 700)])
@pytest.mark.parametrize("sigma", [0.7, 1.77, 6.3])
def test_the_laplacian_is_that_of_scipy(shape: tuple[int, int], sigma: float) -> None:
    image = RNG.normal(size=shape)
    expected = ndimage.gaussian_laplace(image, sigma, mode="nearest")
    np.testing.assert_array_equal(laplacian_of_gaussian(image, sigma), expected)


@pytest.mark.parametrize("count", [0, 40, 600])
def test_pixels_of_spots_that_overlap_have_the_number_of_the_nearest(count: int) -> None:
    shape = (200, 240)
    rows, cols = np.divmod(np.sort(RNG.choice(200 * 240, count, replace=False)), 240)
    seeds = np.zeros(shape, np.int32)
    seeds[rows, cols] = np.arange(1, count + 1)
    for radius in (1.0, 3.5):
        expected = segmentation.expand_labels(seeds, radius)
        np.testing.assert_array_equal(spots.pixels_of(shape, rows, cols, radius), expected)


@pytest.mark.parametrize("radius", [1, 2, 5, 10])
def test_an_opening_with_a_disk_is_that_of_scipy(radius: int) -> None:
    for shape in ((11, 9), (70, 60)):
        image = RNG.normal(size=shape)
        expected = ndimage.grey_opening(image, footprint=morphology.disk(radius, dtype=bool))
        np.testing.assert_array_equal(reconstruction.opened(image, radius), expected)


def test_a_disk_larger_than_the_image_leaves_its_lowest_value() -> None:
    image = np.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(reconstruction.opened(image, 10), np.ones((2, 2)))


@pytest.mark.parametrize("most", [1024, 16])
def test_reconstructions_are_those_of_scikit_image(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconstruction, "_MOST_STEPS", most)
    cross = morphology.disk(1, dtype=bool)
    for image in (RNG.random((33, 41)), ndimage.gaussian_filter(RNG.normal(size=(60, 50)), 2).clip(0)):
        eroded = expected = image
        for found in reconstruction.reconstructions(image, 8):
            eroded = morphology.erosion(eroded, cross)
            expected = morphology.reconstruction(eroded, expected, footprint=cross)
            np.testing.assert_array_equal(found, expected)


def test_values_of_objects_are_summed_and_sorted_like_by_numpy() -> None:
    owner = np.repeat(np.arange(7), [3, 0, 50, 1, 0, 900, 0])
    segments, values = Segments.of(owner, 7), RNG.integers(0, 60, len(owner)).astype(float)
    np.testing.assert_array_equal(segments.sums(values), np.bincount(owner, weights=values, minlength=7))
    np.testing.assert_array_equal(segments.sums(values > 30), np.bincount(owner, weights=values > 30, minlength=7))
    order = np.lexsort((values, owner))
    np.testing.assert_array_equal(segments.order_of(values), order)
    np.testing.assert_array_equal(segments.ordered(values), values[order])
    none = Segments.of(owner[:0], 2)
    np.testing.assert_array_equal(none.sums(values[:0]), [0, 0])
    assert np.isnan(none.highest(values[:0])).all()


def test_skeletons_of_objects_that_touch_are_those_of_each_object_alone() -> None:
    tiles = np.kron(RNG.integers(0, 6, (9, 9)), np.ones((8, 8), int))
    labels = np.where(ndimage.gaussian_filter(RNG.normal(size=tiles.shape), 1) > -0.05, tiles, 0)
    together = skeletons.skeletons(Regions.of(labels))
    assert together["skeleton_branch_count"].sum() > 9
    for place, number in enumerate(Regions.of(labels).numbers):
        alone = skeletons.skeletons(Regions.of(labels == number))
        assert {name: values[0] for name, values in alone.items()} == {
            name: values[place] for name, values in together.items()
        }


@given(
    arrays.arrays(np.int32, (6, 7), elements=st.integers(0, 4)),
    arrays.arrays(np.int32, (6, 7), elements=st.sampled_from([0, 1, 2, 70_000])),
)
def test_a_parent_covers_most_pixels_of_its_child(children: Stack, parents: Stack) -> None:
    numbers, found = parents_of(children, parents)
    assert numbers.tolist() == [number for number in np.unique(children).tolist() if number]
    for number, parent in zip(numbers, found, strict=True):
        over = parents[(children == number) & (parents > 0)].tolist()
        assert parent == min(over, key=lambda label: (-over.count(label), label), default=0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_projections_are_those_of_whole_stacks(dtype: type) -> None:
    stack: Stack = RNG.uniform(0, 255, (4, 700, 61)).astype(dtype)
    for name, expected in (
        ("mean", stack.mean(axis=0, dtype=np.float64).astype(np.float32)),
        ("sum", stack.sum(axis=0, dtype=np.float64)),
        ("std", stack.std(axis=0, dtype=np.float64).astype(np.float32)),
    ):
        found = getattr(functions, f"{name}_projection")(stack)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected[np.newaxis])


def test_the_sharpest_planes_are_those_that_scipy_finds() -> None:
    stack = ndimage.gaussian_filter(RNG.poisson(9000, (3, 80, 90)).astype(np.uint16), (0, 1, 1))
    bends = [
        np.abs(ndimage.correlate1d(plane.astype(np.float32), [-1, 2, -1], axis=axis, mode="nearest"))
        for plane in stack
        for axis in (0, 1)
    ]
    sharpness = np.stack(
        [ndimage.gaussian_filter(bends[2 * k] + bends[2 * k + 1], 2, mode="nearest") for k in range(3)]
    )
    best = sharpness.argmax(axis=0)
    assert len(np.unique(best)) > 1
    found = functions.focus_projection(stack)
    np.testing.assert_array_equal(found[0], np.take_along_axis(stack, best[np.newaxis], axis=0)[0])


@pytest.mark.parametrize("function", [functions.std_projection, functions.focus_projection])
def test_a_projection_needs_little_memory(function: Any) -> None:
    stack = RNG.integers(0, 4096, (48, 200, 200), np.uint16)
    assert peak_of(function, stack) < 1.5 * stack.nbytes


def peak_of(function: Any, *arguments: Any, **options: Any) -> int:
    """Return the most memory that a function needs in addition, in bytes."""
    tracemalloc.start()
    try:
        function(*arguments, **options)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
