"""Thumbnails of wells: how they are made, stored and shown, and that a run writes them."""

import logging
from pathlib import Path

import msgspec
import numpy as np
import pytest
import tifffile

from openhcs_runtime.config import ExecutionMode, GlobalConfig, PipelineConfig
from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.pipeline.source import load_pipeline
from openhcs_runtime.plates import make_plate, open_plate, read_image
from openhcs_runtime.thumbnails import (
    Limits,
    ThumbnailRecorder,
    WellThumbnail,
    fingerprint,
    plate_limits,
    read_plate_thumbnails,
    read_run_thumbnail,
    render,
    run_thumbnail,
    shrink,
    thumbnail_images,
    write_plate_thumbnails,
)


@pytest.mark.parametrize(
    ("kind", "expected"), [("uint8", "uint16"), ("uint16", "uint16"), ("float32", "float32"), ("int32", "float32")]
)
def test_a_plane_is_reduced_by_the_mean_of_squares(kind: str, expected: str) -> None:
    plane = np.arange(300 * 520).reshape(300, 520).astype(kind)
    small = shrink(plane, 128)
    assert (small.shape, small.dtype) == ((60, 104), np.dtype(expected))
    means = plane.reshape(60, 5, 104, 5).mean(axis=(1, 3))
    np.testing.assert_allclose(small, np.floor(means) if expected == "uint16" else means, rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 1000), (7, 129), (128, 128)])
def test_planes_of_any_shape_have_a_thumbnail(shape: tuple[int, int]) -> None:
    small = shrink(np.full(shape, 7, np.uint16), 128)
    assert 0 < max(small.shape) <= 128
    assert set(small.ravel()) == {7}


def well(name: str, level: int = 100, mark: str = "f", **planes: np.ndarray) -> WellThumbnail:
    made = planes or {"1": np.full((4, 6), level, np.uint16), "2": np.full((4, 6), 0.5, np.float32)}
    return WellThumbnail(name, mark, {int(channel): plane for channel, plane in made.items()})


def test_thumbnails_come_back_from_a_file_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "plate"
    odd = WellThumbnail("B01", "other", {1: np.ones((2, 3), np.uint16)}, "image b.tif can't be read")
    write_plate_thumbnails(file, [well("A01", 5), well("A02", 9), odd])
    found = read_plate_thumbnails(file)
    assert {name: (one.fingerprint, one.problem) for name, one in found.items()} == {
        "A01": ("f", ""), "A02": ("f", ""), "B01": ("other", "image b.tif can't be read"),
    }  # fmt: skip
    assert [found[name].planes[1].max() for name in ("A01", "A02", "B01")] == [5, 9, 1]
    assert found["A02"].planes[2].dtype == np.float32


def test_a_damaged_file_is_reported_and_not_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "plate"
    assert read_plate_thumbnails(file) == {}
    assert not caplog.records
    write_plate_thumbnails(file, [well("A01")])
    whole = file.read_bytes()
    middle = whole.index(b".zst") + 40
    for damaged in (whole[:-30], b"", whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :]):
        file.write_bytes(damaged)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert read_plate_thumbnails(file) == {}
        assert "thumbnails are made again" in caplog.text


def test_the_contrast_is_that_of_the_plate_and_not_of_a_well() -> None:
    wells = [well(f"A{number:02}", level) for number, level in enumerate((0, 0, 0, 1000), 1)]
    limits = plate_limits(wells)
    dark, bright = (render(wells[number], limits, {1: 0xFF0000}) for number in (0, 3))
    assert dark is not None
    assert bright is not None
    assert (dark.max(), bright[..., 0].min(), bright[..., 1].max()) == (0, 255, 0)


def test_pixels_without_a_value_are_black_and_do_not_count() -> None:
    plane = np.array([[0.0, 1.0], [np.nan, np.inf]], np.float32)
    one = WellThumbnail("A01", "", {1: plane})
    limits = plate_limits([one])
    assert limits[1].high <= 1.0
    picture = render(one, limits, {1: 0xFFFFFF})
    assert picture is not None
    assert picture[..., 0].tolist() == [[0, 255], [0, 255]]
    assert render(one, limits, {2: 0xFFFFFF}) is None
    assert render(well("A01"), {1: Limits(0, 1), 2: Limits(0, 1)}, {2: 0xFF, 1: 0xFF00}) is not None


def test_the_images_of_a_thumbnail_are_of_one_site_plane_and_time(tmp_path: Path) -> None:
    plate = open_plate(make_plate(tmp_path / "plate", wells=1, sites=2, channels=2, z=3, size=64))
    (images,) = plate.images.values()
    chosen = thumbnail_images(images)
    assert [(one.key.site, one.key.channel, one.key.z_index) for one in chosen] == [(1, 1, 2), (1, 2, 2)]
    changed = [chosen[0], msgspec.structs.replace(chosen[1], mtime_ns=chosen[1].mtime_ns + 1)]
    assert fingerprint(chosen) != fingerprint(changed)


PIPELINE = """
from openhcs_runtime import FunctionStep
def brighter(stack):
    if stack.max(axis=(1, 2)).min() == 0:
        raise ValueError("an empty image")
    return stack
pipeline_steps = [FunctionStep(brighter)]
"""


def test_a_run_writes_the_thumbnail_of_each_well_that_it_reads_also_if_it_fails(tmp_path: Path) -> None:
    folder = make_plate(tmp_path / "plate", wells=2, sites=2, channels=2, size=256)
    empty = open_plate(folder).images["A02"][0].path
    tifffile.imwrite(empty, np.zeros((256, 256), np.uint16))
    plate = open_plate(folder)
    config = GlobalConfig(1, ExecutionMode.THREADS)
    with PipelineOrchestrator(folder, load_pipeline(PIPELINE), config, PipelineConfig(str(tmp_path / "out"))) as made:
        result = made.run()
    assert {one.well: str(one.status) for one in result.wells} == {"A01": "complete", "A02": "failed"}
    for name, channels in {"A01": {1, 2}, "A02": {1}}.items():
        found = read_run_thumbnail(tmp_path / "out", name)
        chosen = thumbnail_images(plate.images[name])
        assert found is not None
        assert (found.fingerprint, set(found.planes)) == (fingerprint(chosen), channels)
        np.testing.assert_array_equal(found.planes[1], shrink(read_image(plate.format, chosen[0])))


def test_a_well_is_not_harmed_by_a_thumbnail_that_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plate = open_plate(make_plate(tmp_path / "plate", wells=1, sites=1, channels=1, size=64))
    (images,) = plate.images.values()
    recorder = ThumbnailRecorder("A01", images)
    recorder.add(images[0], plate.read(images[0]))
    (tmp_path / "thumbnails").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        recorder.write(tmp_path)
    assert "well A01 has no thumbnail" in caplog.text
    assert not run_thumbnail(tmp_path, "A01").exists()
