"""Quality of images: measures on images of which the answer is known, and flags that name value and limit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

from openhcs_runtime import (
    Component,
    FunctionStep,
    GlobalConfig,
    PipelineConfig,
    PipelineOrchestrator,
    PlateStep,
    open_results,
)
from openhcs_runtime.config import ExecutionMode
from openhcs_runtime.functions import (
    find_quality_limits,
    flag_quality,
    measure_features,
    measure_neighbours,
    measure_objects,
    measure_quality,
    segment_nuclei,
)
from openhcs_runtime.functions.quality import measure_image
from openhcs_runtime.functions.quality_limits import limits_of
from openhcs_runtime.pipeline.plate_step import Step

RNG = np.random.default_rng(6)


def coloured_noise(slope: float, size: int = 256) -> NDArray[np.float64]:
    """Return an image whose power falls with the frequency to the power of ``slope``."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, np.newaxis], np.fft.rfftfreq(size))
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(RNG.normal(size=(size, size))) * frequency ** (slope / 2)
    return 1000 + 10 * np.fft.irfft2(spectrum, s=(size, size))


@pytest.mark.parametrize("slope", [-1.0, -2.0, -3.0])
def test_the_slope_of_the_spectrum_is_that_of_the_image(slope: float) -> None:
    image = coloured_noise(slope)
    assert measure_image(image)["focus_slope"] == pytest.approx(slope, abs=0.1)
    assert measure_image(image[:200])["focus_slope"] == pytest.approx(slope, abs=0.35)
    blurred = measure_image(ndimage.gaussian_filter(image, 1.5))
    assert blurred["focus_slope"] < slope - 0.5
    assert blurred["focus_score"] < measure_image(image)["focus_score"]


def test_illumination_is_measured_behind_the_cells() -> None:
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    light = 1 - 0.2 * (x**2 + y**2)
    cells = np.zeros((512, 512))
    for row, col in RNG.integers(20, 490, (60, 2)):
        cells[row - 15 : row + 15, col - 15 : col + 15] = 4
    image = (RNG.normal(1000, 20, (512, 512)) * light * (1 + cells)).astype(np.uint16)
    expected = 100 * np.ptp(light) / light.mean()
    assert measure_image(image)["illumination_range_percent"] == pytest.approx(expected, rel=0.2)
    even = (RNG.normal(1000, 20, (512, 512)) * (1 + cells)).astype(np.uint16)
    assert measure_image(even)["illumination_range_percent"] < 3


@pytest.mark.parametrize("image", [np.zeros((64, 64), np.uint16), np.full((64, 64), np.nan), np.ones((3, 3))])
def test_what_an_image_does_not_show_is_missing(image: NDArray[np.generic]) -> None:
    found = measure_image(image)
    assert np.isnan(found["focus_slope"])
    assert np.isnan(found["illumination_range_percent"]) or found["illumination_range_percent"] == 0


@pytest.mark.parametrize(
    ("dtype", "highest", "step", "percent"),
    [
        (np.uint16, 65520, 16, 50),
        (np.uint16, 65520, 1, 0),
        (np.uint16, 65472, 64, 50),
        (np.uint16, 16380, 4, 50),
        (np.uint16, 4095, 1, 50),
        (np.uint16, 255, 1, 50),
        (np.uint16, 4000, 1, 0),
        (np.uint32, 2**32 - 1, 1, 50),
        (np.uint8, 255, 1, 50),
        (np.float32, 65535, 1, 0),
    ],
)
def test_saturation_is_that_of_the_camera(dtype: type, highest: int, step: int, percent: float) -> None:
    image: NDArray[np.generic] = (np.arange(64 * 64) % 15 * step).reshape(64, 64).astype(dtype)
    image[:32] = highest
    assert measure_image(image)["saturated_percent"] == percent


def test_limits() -> None:
    values = np.array([1.0, 2, 3, 4, 5, np.nan])
    low, high = limits_of(values, (-1, 1), 2)
    assert [low, high] == pytest.approx([3 - 2 * 1.4826, 3 + 2 * 1.4826])
    assert limits_of(values, (-1,), 2) == (low, np.inf)
    assert limits_of(values[:4], (-1, 1), 2) == (-np.inf, np.inf)
    assert limits_of(np.ones(9), (-1, 1), 2) == (-np.inf, np.inf)


def test_images_are_flagged_with_value_and_limit(new_plate: Callable[..., Path], tmp_path: Path) -> None:
    plate = new_plate(wells=6, sites=1, channels=2, size=128)
    for path in plate.rglob("*.tif"):
        with tifffile.TiffFile(path) as file:
            pixels, description = file.asarray(), file.pages.first.description
        if "_A02_" in path.name and "_w1" in path.name:
            pixels = ndimage.gaussian_filter(pixels.astype(float), 12)
        elif "_A04_" in path.name and "_w2" in path.name:
            pixels = np.where(pixels > np.quantile(pixels, 0.95), 4095, pixels)
        tifffile.imwrite(path, pixels.astype(np.uint16), description=description, metadata=None)
    steps: list[Step] = [
        FunctionStep(measure_quality),
        FunctionStep({1: [segment_nuclei, measure_objects, measure_neighbours]}, group_by=Component.CHANNEL),
        FunctionStep(measure_features, variable_components=(Component.CHANNEL,)),
        PlateStep(find_quality_limits),
        FunctionStep(flag_quality),
    ]
    settings = PipelineConfig(results_dir=str(tmp_path / "results"))
    with PipelineOrchestrator(plate, steps, GlobalConfig(mode=ExecutionMode.THREADS), settings) as orchestrator:
        result = orchestrator.run()
    assert [well.error for well in result.wells if well.error] == []
    results = open_results(result.output_dir)
    images = {row["well"]: row for row in results.arrow("images").to_pylist()}
    flags = {well: (row["quality_flag_DAPI"], row["quality_flag_FITC"]) for well, row in images.items()}
    assert flags["A02"][0]
    assert flags["A04"][1]
    assert not any(flags["A05"])
    assert "focus_score" in images["A02"]["quality_reason_DAPI"]
    assert " is below " in images["A02"]["quality_reason_DAPI"]
    assert "saturated_percent 5" in images["A04"]["quality_reason_FITC"]
    assert images["A04"]["quality_reason_FITC"].count(" is above 1")
    check_features(results.arrow("nuclei").to_pylist(), {name: images[name]["nuclei_count"] for name in images})


def check_features(objects: list[dict[str, object]], counts: dict[str, int]) -> None:
    """Check that there is one row for each nucleus, with the features of all channels."""
    assert len(objects) == sum(counts.values())
    (first, *_) = objects
    assert len(first) > 400
    assert {"area_px2", "neighbour_count", "pearson_DAPI_FITC", "granularity_3_FITC_percent"} <= first.keys()
    assert {
        "intensity_mad_DAPI",
        "texture_entropy_d3_a45_DAPI_bit",
        "radial_zernike_phase_3_1_FITC_deg",
    } <= first.keys()
    assert all(isinstance(row["intensity_mean_FITC"], float) for row in objects)
