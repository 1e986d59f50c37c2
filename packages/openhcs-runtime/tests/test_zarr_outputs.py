"""The images of a pipeline as OME-Zarr plates, and plates whose format a pattern tells."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from openhcs_runtime import Component, FunctionStep, GlobalConfig, PipelineConfig, PipelineOrchestrator, PlateResult
from openhcs_runtime.config import ExecutionMode, ImageFormat
from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.functions import denoise, segment_nuclei
from openhcs_runtime.outputs.wells import digest_of, read_part
from openhcs_runtime.plates import open_plate
from openhcs_runtime.results import ResultStatus

pytestmark = pytest.mark.usefixtures("zarr_ends")
NewPlate = Callable[..., Path]


def _run(plate: Path, steps: list[FunctionStep], *, resume: bool = False, **options: object) -> PlateResult:
    settings = GlobalConfig(num_workers=2, mode=ExecutionMode.THREADS)
    with PipelineOrchestrator(plate, steps, settings, PipelineConfig(**options)) as orchestrator:  # type: ignore[arg-type]
        return orchestrator.run(resume=resume)


def test_images_and_their_labels_are_a_plate_that_is_read_again(new_plate: NewPlate, tmp_path: Path) -> None:
    plate = new_plate(sites=2, channels=2)
    steps = [
        FunctionStep(denoise, materialize=True, name="Smooth"),
        FunctionStep({1: segment_nuclei}, group_by=Component.CHANNEL, materialize=True, name="Segment"),
    ]
    tiff, zarr = tmp_path / "tiff", tmp_path / "zarr"
    _run(plate, steps, output_dir=str(tiff))
    result = _run(plate, steps, output_dir=str(zarr), image_format=ImageFormat.OME_ZARR)
    assert result.status is ResultStatus.COMPLETE, result
    smooth = open_plate(zarr / "images" / "Smooth.ome.zarr")
    assert smooth.format == "ome_zarr"
    assert smooth.wells == ("A01", "A02", "A03", "A04")
    assert smooth.pixel_size_um == open_plate(plate).pixel_size_um
    assert smooth.components[Component.CHANNEL] == (1, 2)
    for image in smooth.images["A03"]:
        name = f"A03_s{image.key.site}_w{image.key.channel}.tif"
        assert np.array_equal(smooth.read(image), tifffile.imread(tiff / "images" / "Smooth" / name))
    segment = zarr / "images" / "Segment.ome.zarr"
    assert open_plate(segment).components[Component.CHANNEL] == (1,)
    assert (segment / "A" / "03" / "0" / "labels" / "objects_w1" / "zarr.json").is_file()
    assert list((zarr / "images").rglob("*.tif")) == []

    again = _run(plate, steps, resume=True, output_dir=str(zarr), image_format=ImageFormat.OME_ZARR)
    assert all(well.reused for well in again.wells)


@pytest.mark.filterwarnings("ignore")  # other people's libraries warn of each other
@pytest.mark.usefixtures("no_dask_threads")
def test_wells_say_what_the_plate_map_says_and_any_reader_opens_the_plate(new_plate: NewPlate, tmp_path: Path) -> None:
    plate, steps = new_plate(wells=2), [FunctionStep(denoise, materialize=True)]
    options: dict[str, Any] = {"output_dir": str(tmp_path / "out"), "image_format": ImageFormat.OME_ZARR}
    images = tmp_path / "out" / "images" / "images.ome.zarr"

    def own(*place: str) -> object:
        return zarr.open_group(images.joinpath(*place), mode="r").attrs.get("openhcs")

    _run(plate, steps, **options)
    assert (own(), own("A", "01")) == (None, None)
    for dose in (0.3, 10):  # the second map is another one than that of the run in which the wells were made
        (plate / "platemap.csv").write_text(f"well,compound,dose\nA1,X <b>,{dose}\n", encoding="utf-8")
        again = _run(plate, steps, resume=True, **options)
        assert [well.reused for well in again.wells] == [True, True]
        assert own() == {"plate_map": {"file": "platemap.csv", "columns": ["compound", "dose"]}}
        assert own("A", "01") == {"plate_map": {"compound": "X <b>", "dose": dose}}
        assert own("A", "02") == {"plate_map": {"compound": None, "dose": None}}
    for well in ("A01", "A02"):
        record = read_part(tmp_path / "out", well)
        assert record is not None
        assert {file.name: file.digest for file in record.files} == {
            file.name: digest_of(tmp_path / "out" / file.name) for file in record.files
        }
    assert import_module("ngio").open_ome_zarr_plate(images).wells_paths() == ["A/01", "A/02"]
    (read, *_) = import_module("ome_zarr.reader").Reader(import_module("ome_zarr.io").parse_url(images))()
    assert [type(spec).__name__ for spec in read.specs] == ["Plate"]
    assert open_plate(images).wells == ("A01", "A02")


def test_a_pattern_tells_what_the_names_say(new_plate: NewPlate, tmp_path: Path) -> None:
    plate = new_plate()
    for number, image in enumerate(sorted(plate.rglob("*.tif"))):
        image.rename(plate / f"nuclei-A0{number + 1}.tif")
    result = _run(
        plate, [FunctionStep(segment_nuclei)], output_dir=str(tmp_path / "out"), pattern=r"nuclei-(?P<well>[A-P]\d\d)"
    )
    assert [well.well for well in result.wells] == ["A01", "A02", "A03", "A04"]
    assert result.status is ResultStatus.COMPLETE


def test_another_format_is_refused() -> None:
    with pytest.raises(PipelineError, match="tiff or ome_zarr"):
        PipelineConfig(image_format="png")  # type: ignore[arg-type]


def test_each_level_can_be_one_file(new_plate: NewPlate, tmp_path: Path) -> None:
    plate = new_plate(wells=1, sites=1, channels=2, z=3)
    steps = [FunctionStep(denoise, materialize=True)]
    for sharded in (False, True):
        output = str(tmp_path / str(sharded))
        _run(plate, steps, output_dir=output, image_format=ImageFormat.OME_ZARR, sharded=sharded)
    many, few = (open_plate(tmp_path / str(sharded) / "images" / "images.ome.zarr") for sharded in (False, True))
    assert few.problems == many.problems == ()
    for one, other in zip(many.images["A01"], few.images["A01"], strict=True):
        assert one.key == other.key
        assert np.array_equal(many.read(one), few.read(other))
    level = Path(few.images["A01"][0].path)
    assert [path.is_file() for path in sorted(level.rglob("*"))].count(True) == 2  # one shard, and zarr.json
    with pytest.raises(PipelineError, match="sharded needs image_format='ome_zarr'"):
        PipelineConfig(sharded=True)
