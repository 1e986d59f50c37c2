"""The function library: each function on images of which the right answer is known."""

import inspect
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from openhcs_runtime import functions
from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.exceptions import StepError
from openhcs_runtime.functions import GridOrder, ThresholdMethod
from openhcs_runtime.pipeline.calls import SetKey, WellContext, call_chain
from openhcs_runtime.pipeline.decorators import OutputKind, Stack, traits_of
from openhcs_runtime.pipeline.patterns import group_images
from openhcs_runtime.pipeline.step import FunctionStep
from openhcs_runtime.rois import Mask, Polygon

RNG = np.random.default_rng(3)
Y, X = np.mgrid[:64, :80]


def is_plain(function: Any) -> bool:
    """Whether a function needs neither weights nor a plate."""
    traits = traits_of(function)
    return inspect.isfunction(function) and not (traits.check or traits.plate_output or traits.plate_inputs)


FUNCTIONS = [value for name in dir(functions) if is_plain(value := getattr(functions, name))]
ARGUMENTS: dict[str, dict[str, Any]] = {
    "subtract_constant": {"value": 100},
    "correct_flat_field": {"flat_field": np.ones((64, 80))},
    "threshold_fixed": {"level": 100},
    "stitch_sites": {"grid": (1, 2)},
    "relate_objects": {"children": "nuclei", "parents": "cells"},
}


def disk(y: float, x: float, radius: float) -> Stack:
    return np.asarray((Y - y) ** 2 + (X - x) ** 2 <= radius**2)


BLOBS = disk(20, 20, 8) | disk(40, 60, 8)
IMAGE = (1000 * BLOBS + 100).astype(np.uint16)
LABELS = (disk(20, 20, 8) + 2 * disk(40, 60, 8)).astype(np.int32)


def found(keys: tuple[ImageKey, ...], labels: Stack) -> dict[SetKey, Stack]:
    """The same labels as nuclei and as cells."""
    return {(key, name): labels for key in keys for name in ("nuclei", "cells")}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_every_function_gives_what_it_declares(function: Any, kind: type) -> None:
    noisy: Stack = np.clip(np.stack([IMAGE, IMAGE[::-1]]) * 0.2 + RNG.normal(0, 5, (2, 64, 80)), 0, 255).astype(kind)
    (group,) = group_images([ImageKey("A01", site) for site in (1, 2)], (Component.SITE,))
    known = WellContext(
        dict.fromkeys(group.keys, LABELS), {1: (0, 0), 2: (0, 40)}, 0.5, found=found(group.keys, LABELS)
    )
    step = FunctionStep((function, ARGUMENTS.get(function.__name__, {})))
    before = noisy.copy()
    result = call_chain(step.calls_for(None), noisy, group, known)
    assert np.array_equal(noisy, before), "a function leaves its argument alone"
    assert np.isfinite(result.stack).all()
    traits = traits_of(function)
    assert len(result.keys) == (1 if traits.reduces else 2)
    assert bool(result.labels) == (OutputKind.LABELS in traits.outputs)
    assert bool(result.measurements) == (OutputKind.MEASUREMENTS in traits.outputs)
    assert bool(result.rois) == (OutputKind.ROIS in traits.outputs)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_every_function_copes_with_an_empty_image(function: Any) -> None:
    (group,) = group_images([ImageKey("A01", site) for site in (1, 2)], (Component.SITE,))
    empty = np.zeros((64, 80), np.int32)
    known = WellContext({key: empty.copy() for key in group.keys}, {}, None, found=found(group.keys, empty))
    step = FunctionStep((function, ARGUMENTS.get(function.__name__, {})))
    result = call_chain(step.calls_for(None), np.zeros((2, 64, 80), np.uint16), group, known)
    assert not result.stack.any()
    assert not any(labels.any() for labels in result.labels.values())


def test_the_docstring_of_every_function_says_what_it_gives() -> None:
    assert [function.__name__ for function in FUNCTIONS if len(inspect.getdoc(function) or "") < 60] == []


def test_projections() -> None:
    stack = np.stack([np.full((3, 4), value, np.uint16) for value in (1, 2, 6)])
    expected = {
        "max": (6, np.uint16),
        "min": (1, np.uint16),
        "mean": (3, np.float32),
        "sum": (9, np.float64),
        "std": (math.sqrt(14 / 3), np.float32),
    }
    for name, (value, kind) in expected.items():
        made = getattr(functions, f"{name}_projection")(stack)
        assert (made.shape, made.dtype) == ((1, 3, 4), kind), name
        assert np.allclose(made, value), name


def test_the_sharpest_plane_is_taken() -> None:
    sharp = (RNG.random((64, 80)) * 1000).astype(np.uint16)
    blurred = functions.denoise(sharp[np.newaxis], sigma_px=3)[0].astype(np.uint16)
    left = X < 40
    stack = np.stack([np.where(left, sharp, blurred), np.where(left, blurred, sharp)])
    made = functions.focus_projection(stack)[0]
    far = np.abs(X - 40) > 8
    assert (made[far] == sharp[far]).mean() > 0.97


@pytest.mark.parametrize(
    "function",
    [functions.subtract_background, functions.subtract_rolling_ball, functions.subtract_gaussian],
)
def test_backgrounds_go_and_objects_stay(function: Any) -> None:
    tilted = IMAGE + 5.0 * X + 3.0 * Y
    made = function(tilted[np.newaxis])[0]
    assert np.median(made[~BLOBS]) < 0.15 * np.median(made[BLOBS])
    assert made.min() >= 0


def test_the_top_hat_keeps_what_is_small() -> None:
    wide = np.where(disk(32, 40, 25), 500, 0).astype(np.uint16)
    wide[5, 5] = 900
    made = functions.subtract_tophat(wide[np.newaxis], radius_px=6)[0]
    assert made[5, 5] == 900
    assert made[32, 40] == 0
    assert made.dtype == np.uint16


def test_a_rolling_ball_agrees_with_the_full_one() -> None:
    image = (100 + 2.0 * X + 200 * disk(30, 30, 5)).astype(np.float32)
    y, x = np.ogrid[-30:31, -30:31]
    height = 30.0**2 - y**2 - x**2
    ball = np.sqrt(np.maximum(height, 0))
    exact = image - ndimage.grey_opening(image, footprint=height >= 0, structure=ball, mode="nearest")
    made = functions.subtract_rolling_ball(image[np.newaxis], radius_px=30)[0]
    assert np.abs(made - exact).max() < 25, "of 200 counts"


def test_flat_fields(tmp_path: Path) -> None:
    light = (1 + 0.5 * np.exp(-((Y - 32) ** 2 + (X - 40) ** 2) / 2000)).astype(np.float32)
    dark = np.full(light.shape, 20, np.float32)
    tifffile.imwrite(tmp_path / "flat.tif", light * 1000 + dark)
    seen = np.stack([light * 300 + dark, light * 600 + dark])
    made = functions.correct_flat_field(seen, flat_field=str(tmp_path / "flat.tif"), dark_field=dark)
    assert made.std(axis=(1, 2)).max() < 0.01
    assert np.allclose(made.mean(axis=(1, 2)), (seen - dark).mean(axis=(1, 2)), rtol=1e-3)
    tifffile.imwrite(tmp_path / "flat.tif", np.ones((5, 5), np.float32))
    with pytest.raises(ValueError, match=r"flat_field has shape \(5, 5\)"):
        functions.correct_flat_field(seen, flat_field=tmp_path / "flat.tif")
    with pytest.raises(ValueError, match="not brighter"):
        functions.correct_flat_field(seen, flat_field=dark, dark_field=dark)


@pytest.mark.parametrize(
    "function",
    [functions.denoise, functions.denoise_median, functions.denoise_non_local_means, functions.denoise_total_variation],
)
def test_noise_goes_and_edges_stay(function: Any) -> None:
    noisy = (IMAGE + RNG.normal(0, 60, IMAGE.shape)).astype(np.float32)
    even = disk(20, 20, 5) | ~(disk(20, 20, 12) | disk(40, 60, 12))
    error = [float(np.std((image - IMAGE)[even])) for image in (noisy, function(noisy[np.newaxis])[0])]
    assert error[1] < 0.6 * error[0]
    assert np.median(function(noisy[np.newaxis])[0][disk(20, 20, 5)]) == pytest.approx(1100, rel=0.05)


@pytest.mark.parametrize("method", ThresholdMethod)
def test_automatic_thresholds(method: ThresholdMethod) -> None:
    noisy = IMAGE + RNG.normal(0, 20, IMAGE.shape)
    assert (functions.threshold(noisy[np.newaxis], method=method)[0] == BLOBS).mean() > 0.95


def test_other_thresholds() -> None:
    assert np.array_equal(functions.threshold_fixed(IMAGE[np.newaxis], level=500)[0], BLOBS)
    tilted = IMAGE * 0.1 + 2.0 * X
    assert (functions.threshold_around(tilted[np.newaxis], radius_px=20, offset=20)[0] == BLOBS).mean() > 0.97
    ring = disk(30, 30, 10) & ~disk(30, 30, 5)
    assert np.array_equal(functions.fill_holes(ring[np.newaxis])[0], disk(30, 30, 10))


def test_cells_have_the_numbers_of_their_nuclei() -> None:
    cells = (disk(22, 22, 16) * 300 + disk(42, 58, 16) * 300 + 50).astype(np.float32)
    nuclei = (disk(20, 20, 5) * 7 + disk(40, 60, 5) * 3).astype(np.int32)
    _, labels = functions.segment_cells(cells[np.newaxis], shared_labels=nuclei[np.newaxis], factor=1)
    assert set(np.unique(labels)) == {0, 3, 7}
    assert (labels[0] == 7).sum() == pytest.approx(math.pi * 16**2, rel=0.15)
    assert np.array_equal(labels[0][nuclei > 0], nuclei[nuclei > 0])


def test_objects_grow_and_are_picked() -> None:
    labels = LABELS.copy()
    labels[0:3, 70:75] = 9
    stack, many = IMAGE[np.newaxis], labels[np.newaxis]
    _, grown = functions.expand_objects(stack, labels=many, distance_px=3)
    assert (grown[0] == 1).sum() == pytest.approx(math.pi * 11**2, rel=0.06)
    _, kept = functions.filter_objects(stack, labels=many, min_area_px=50, max_area_px=1000)
    assert set(np.unique(kept)) == {0, 1, 2}
    _, kept = functions.filter_objects(stack, labels=many, max_area_px=15)
    assert set(np.unique(kept)) == {0, 9}
    _, kept = functions.clear_border(stack, labels=many)
    assert set(np.unique(kept)) == {0, 1, 2}
    many[0, 20, 20] = 0
    _, (rois,) = functions.outline_objects(stack, labels=many)
    assert [(type(roi), roi.label) for roi in rois] == [(Mask, 1), (Polygon, 2), (Polygon, 9)]


def test_brightness_of_another_image() -> None:
    plane = np.arange(64 * 80, dtype=np.float32).reshape(64, 80)
    _, (measured,) = functions.measure_intensity(plane[np.newaxis], shared_labels=LABELS[np.newaxis], name="n")
    inside = plane[LABELS == 2]
    assert isinstance(measured.objects, dict)
    row = {name: values[1] for name, values in measured.objects.items()}
    assert row == pytest.approx(
        {
            "label": 2,
            "intensity_mean": inside.mean(),
            "intensity_sum": inside.sum(),
            "intensity_std": inside.std(),
            "intensity_min": inside.min(),
            "intensity_median": np.median(inside),
            "intensity_max": inside.max(),
        }
    )
    assert list(measured.summary) == ["n_intensity_mean", "n_intensity_sum_mean"]


def test_shapes() -> None:
    bar = np.zeros((60, 60), np.int32)
    bar[20:24, 10:50] = 5
    for turned, angle in ((bar, 0), (bar.T, 90)):
        _, (measured,) = functions.measure_shape(
            np.zeros((1, 60, 60)), labels=turned[np.newaxis], pixel_size_um=0.5, name="n"
        )
        assert isinstance(measured.objects, dict)
        row = {name: values[0] for name, values in measured.objects.items()}
        assert row["label"] == 5
        assert row["orientation_deg"] % 180 == pytest.approx(angle, abs=1e-6)
        assert row["major_axis_px"] == pytest.approx(40 * 2 / math.sqrt(3), rel=0.01)
        assert row["major_axis_um"] == pytest.approx(row["major_axis_px"] / 2)
        assert row["solidity"] == 1
        assert row["form_factor"] == pytest.approx(4 * math.pi * 160 / 84**2, rel=0.1)
        assert measured.summary["n_perimeter_mean_um"] == row["perimeter_um"]


def test_texture_tells_stripes_from_even_light() -> None:
    stripes = np.where(X % 6 < 3, 1000, 100).astype(np.uint16)
    striped = np.where(LABELS == 1, stripes, 500)
    _, (measured,) = functions.measure_texture(striped[np.newaxis], shared_labels=LABELS[np.newaxis], name="n")
    contrast, entropy = measured.objects["texture_contrast"], measured.objects["texture_entropy_bit"]
    assert contrast[0] > 50
    assert contrast[1] == 0
    assert entropy[0] > entropy[1] == 0
    assert measured.objects["texture_energy"][1] == 1
    assert measured.summary["n_texture_contrast_mean"] == pytest.approx(contrast.mean())
    dot = np.zeros((1, 64, 80), np.int32)
    dot[0, 3, 3] = 4
    _, (measured,) = functions.measure_texture(striped[np.newaxis], shared_labels=dot)
    assert measured.objects["label"].tolist() == [4]
    assert np.isnan(measured.objects["texture_contrast"]).all()


def tiles(overlap: int, *, snake: bool = False) -> tuple[Stack, Stack, list[tuple[int, int]]]:
    """An image, and the six tiles of 32 x 32 that it is cut into, in two rows."""
    scene = (RNG.random((64 - overlap, 96 - 2 * overlap)) * 60000).astype(np.uint16)
    step = 32 - overlap
    order = [(row, column if not (snake and row) else 2 - column) for row in (0, 1) for column in (0, 1, 2)]
    corners = [(row * step, column * step) for row, column in order]
    return scene, np.stack([scene[y : y + 32, x : x + 32] for y, x in corners]), corners


def test_sites_are_put_where_they_were_taken() -> None:
    scene, stack, corners = tiles(8)
    positions = np.array(corners) * 0.65 + (-500.0, 1200.0)
    order = RNG.permutation(6)
    made = functions.stitch_sites(stack[order], positions=positions[order], pixel_size_um=0.65)
    assert made.shape == (1, *scene.shape)
    assert made.dtype == np.uint16
    assert np.abs(made[0].astype(int) - scene).max() <= 1


@pytest.mark.parametrize("order", GridOrder)
def test_sites_are_put_on_a_grid(order: GridOrder) -> None:
    scene, stack, _ = tiles(8, snake=order is GridOrder.SNAKE)
    made = functions.stitch_sites(stack, positions=None, pixel_size_um=None, grid=(2, 3), overlap=0.25, order=order)
    assert np.abs(made[0].astype(int) - scene).max() <= 1


def test_no_seam_where_light_differs() -> None:
    stack = np.stack([np.full((40, 40), 100.0), np.full((40, 40), 200.0)])
    made = functions.stitch_sites(stack, positions=None, pixel_size_um=None, grid=(1, 2), overlap=0.5)[0]
    assert np.abs(np.diff(made[20])).max() < 12


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"positions": None, "pixel_size_um": 1.0}, r"no positions for the sites: give grid="),
        ({"positions": np.zeros((2, 2)), "pixel_size_um": None}, "no pixel size for the sites"),
        ({"positions": None, "pixel_size_um": 1.0, "grid": (2, 2)}, "a grid of 2 x 2 .* does not fit 2 sites"),
        ({"positions": np.array([[0, 0], [1e6, 1e6]]), "pixel_size_um": 1.0}, "nearly empty: check positions"),
    ],
)
def test_sites_that_can_not_be_stitched(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        functions.stitch_sites(np.zeros((2, 8, 8)), **options)


def test_labels_of_another_size_are_named() -> None:
    (group,) = group_images([ImageKey("A01")], (Component.SITE,))
    known = WellContext({ImageKey("A01"): LABELS})
    with pytest.raises(StepError, match="labels with a different size from the images: 64x80, 8x8"):
        call_chain(FunctionStep(functions.measure_objects).calls_for(None), np.zeros((1, 8, 8)), group, known)
