"""Nuclei of all sizes and looks against the truth of made images; what is no nucleus; doubts."""

import dataclasses
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from openhcs_runtime.functions import NucleiDoubt, ThresholdMethod, check_nuclei, segment_nuclei
from openhcs_runtime.functions.nuclei_check import doubts_about
from openhcs_runtime.functions.nuclei_size import diameter_of_nuclei
from openhcs_runtime.functions.small_masks import dilated_cross, fill_label_holes, opened_labels, rim_of
from openhcs_runtime.plates.synthetic.camera import compose, planes
from openhcs_runtime.plates.synthetic.scene import Look


def picture(look: Look, size: int, seed: int = 1) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
    rng = np.random.default_rng(seed)
    frame = compose(rng, size, look)
    (_, _, image), *_ = planes(rng, frame, channels=1, z=1)
    return image, frame.labels()


def f1(truth: NDArray[np.int32], found: NDArray[np.int32]) -> float:
    both = np.zeros((truth.max() + 1, found.max() + 1))
    np.add.at(both, (truth.ravel(), found.ravel()), 1)
    union = both.sum(1)[1:, np.newaxis] + both.sum(0)[np.newaxis, 1:] - both[1:, 1:]
    return float(2 * (both[1:, 1:] > 0.5 * union).sum() / (truth.max() + found.max()))


LOOKS = {
    "clumps": Look(clumping=0.7, density=2),
    "texture": Look(texture=0.25, foci=1.0),
    "haze": Look(haze=0.6),
    "dead": Look(dead=0.1, texture=0.2),
    "dim": Look(dim=0.2),
    "debris": Look(debris=2),
}


@pytest.mark.parametrize("diameter", [20, 100])
@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_nuclei_are_found(look: str, diameter: int) -> None:
    image, truth = picture(dataclasses.replace(LOOKS[look], diameter_px=diameter), 300 if diameter == 20 else 900)
    found = segment_nuclei(image[np.newaxis])[1][0]
    assert abs(found.max() - truth.max()) <= max(1, 0.15 * truth.max())
    assert f1(truth, found) >= 0.85


@pytest.mark.parametrize("diameter", [9, 14, 20, 32, 50, 80, 120])
def test_the_size_is_found(diameter: int) -> None:
    image, _ = picture(Look(diameter_px=diameter), max(256, 8 * diameter))
    size = diameter_of_nuclei(image)
    assert size is not None
    assert 0.75 <= size / diameter <= 1.35


def test_one_bright_cell_decides_nothing() -> None:
    image, truth = picture(Look(), 256)
    bright = image.astype(np.float64)
    bright[100:130, 40:70] += 60000 * (ndimage.gaussian_filter(np.pad(np.ones((10, 10)), 10), 2))
    found = segment_nuclei(np.clip(bright, 0, 65535).astype(np.uint16)[np.newaxis])[1][0]
    away = np.ones(truth.shape, bool)
    away[90:140, 30:80] = False
    assert len(np.unique(found[away])) >= 0.9 * len(np.unique(truth[away]))


def noise(level: float, shape: tuple[int, int] = (160, 160)) -> NDArray[np.uint16]:
    return np.random.default_rng(0).poisson(level, shape).astype(np.uint16)


@pytest.mark.parametrize("diameter", [None, 9.0, 20.0, 60.0])
@pytest.mark.parametrize(
    "plane",
    [noise(3), noise(200), noise(200).astype(np.uint8), noise(9).astype(np.float32), np.zeros((160, 160), np.uint16)],
)
def test_what_is_empty_has_none(plane: NDArray[np.generic], diameter: float | None) -> None:
    assert segment_nuclei(plane[np.newaxis], diameter_px=diameter)[1].max() == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (2, 2), (3, 100), (7, 9), (20, 23)])
def test_tiny_planes_are_no_error(shape: tuple[int, int]) -> None:
    for diameter in (None, 6.0, 50.0):
        assert segment_nuclei(noise(200, shape)[np.newaxis], diameter_px=diameter)[1].shape == (1, *shape)


def test_specks_are_dropped_by_their_share_of_a_nucleus() -> None:
    y, x = np.mgrid[:120, :200]
    image = sum(2000.0 * (np.hypot(y - 60, x - at) <= radius) for at, radius in ((30, 15), (90, 3.5), (150, 7)))
    image = ndimage.gaussian_filter(np.asarray(image, dtype=np.float64), 1) + np.random.default_rng(0).normal(
        300, 10, y.shape
    )
    found = segment_nuclei(image[np.newaxis].astype(np.uint16), diameter_px=30)[1][0]
    assert found[60, 30] > 0
    assert found[60, 90] == 0
    assert found[60, 150] > 0


def test_holes_are_filled_and_numbers_have_no_gaps() -> None:
    image, _ = picture(Look(diameter_px=60, texture=0.3), 500)
    found = segment_nuclei(image[np.newaxis])[1][0]
    assert sorted(np.unique(found)) == list(range(found.max() + 1))
    for number in range(1, found.max() + 1):
        assert np.array_equal(ndimage.binary_fill_holes(found == number), found == number)


def test_the_diameter_in_micrometres() -> None:
    image, truth = picture(Look(diameter_px=40), 400)
    in_um = segment_nuclei(image[np.newaxis], diameter_um=12, pixel_size_um=0.3)[1]
    assert np.array_equal(in_um, segment_nuclei(image[np.newaxis], diameter_px=40)[1])
    assert abs(in_um.max() - truth.max()) <= 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"diameter_um": 12.0}, "the plate has no pixel size"),
        ({"diameter_um": 12.0, "diameter_px": 20.0}, "not both"),
        ({"diameter_px": 0.0}, "diameter_px is 0.0"),
        ({"diameter_px": math.nan}, "diameter_px is nan"),
    ],
)
def test_a_diameter_that_makes_no_sense_is_refused(arguments: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        segment_nuclei(noise(200)[np.newaxis], **arguments)  # type: ignore[arg-type]


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        segment_nuclei(np.full((1, 30, 30), np.nan))


def test_a_method_of_threshold_still_holds() -> None:
    image, truth = picture(Look(), 256)
    found = segment_nuclei(image[np.newaxis], diameter_px=20, method=ThresholdMethod.OTSU, factor=0.6)[1]
    assert abs(found.max() - truth.max()) <= 1


def squares(side: int, step: int, size: int = 200) -> NDArray[np.int32]:
    labels = np.zeros((size, size), np.int32)
    starts = [(y, x) for y in range(0, size - side, step) for x in range(0, size - side, step)]
    for number, (y, x) in enumerate(starts, start=1):
        labels[y : y + side, x : x + side] = number
    return labels


def test_doubts() -> None:
    plane = noise(200, (200, 200))
    assert doubts_about(plane, squares(20, 50), 0.5) == frozenset()
    assert doubts_about(plane, squares(20, 50), 10.0) == {NucleiDoubt.SIZE}
    assert doubts_about(plane, squares(20, 50), 0.01) == {NucleiDoubt.SIZE}
    assert doubts_about(plane, squares(90, 100), None) == {NucleiDoubt.SIZE, NucleiDoubt.COVER}
    saturated = np.where(squares(20, 50) > 0, 4095, plane)
    assert doubts_about(saturated, squares(20, 50), 0.5) == {NucleiDoubt.SATURATION}
    assert doubts_about(plane, np.zeros((200, 200), np.int32), 0.5) == frozenset()


def test_doubts_are_columns_and_warnings(caplog: pytest.LogCaptureFixture) -> None:
    plane, labels = noise(200, (200, 200)), squares(20, 50)
    _, (good, bad) = check_nuclei(
        np.stack([plane, np.where(labels > 0, 4095, plane)]), labels=np.stack([labels, labels]), pixel_size_um=0.5
    )
    assert dict(good.summary) == {f"nuclei_doubt_{name}": 0 for name in ("size", "cover", "saturation")}
    assert bad.summary["nuclei_doubt_saturation"] == 1
    assert "unlikely to be nuclei: many pixels have the highest value" in caplog.text


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (40, 37)])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.8, 1.0])
def test_the_operations_of_small_masks_are_those_of_scipy(shape: tuple[int, int], share: float) -> None:
    mask = np.random.default_rng(5).random(shape) < share
    np.testing.assert_array_equal(rim_of(mask), mask & ~ndimage.binary_erosion(mask, border_value=1))
    for steps in (1, 3):
        grown = ndimage.binary_dilation(mask, iterations=steps)
        np.testing.assert_array_equal(dilated_cross(mask, steps), grown)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_objects_are_opened_and_filled_one_by_one(dtype: type[np.integer]) -> None:
    labels = np.zeros((30, 40), dtype=dtype)
    labels[2:12, 3:13], labels[2:12, 13:20] = 7, 2  # side by side
    labels[5, 20:30] = 2  # too narrow
    labels[20:30, 0:9] = 70_000 if dtype is np.int32 else 9
    labels[4:6, 5:7] = labels[8, 13] = 0  # a hole, and one that two objects enclose
    filled = fill_label_holes(labels.copy())
    assert (filled[4:6, 5:7] == 7).all()
    assert filled[8, 13] == 0
    opened = opened_labels(filled)
    for number in np.unique(labels[labels > 0]).tolist():
        mask = np.pad(filled == number, 1, mode="edge")
        np.testing.assert_array_equal(opened == number, ndimage.binary_opening(mask, np.ones((3, 3), bool))[1:-1, 1:-1])
