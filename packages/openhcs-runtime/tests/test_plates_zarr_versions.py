"""OME-Zarr as other versions and layouts have it: 0.1 to 0.3, 0.6, archives, single images and collections of images.

The inputs are written by zarr-python and by hand after the specifications, without the writer of this package.
"""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from openhcs_runtime.config import GlobalConfig
from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.pipeline.source import load_pipeline
from openhcs_runtime.plates import Plate, StagePosition, make_plate, open_plate
from openhcs_runtime.results import ResultStatus

pytestmark = pytest.mark.usefixtures("zarr_ends")
AXES = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]


def pixels(*shape: int) -> NDArray[np.uint16]:
    return np.random.default_rng(7).integers(1, 60000, shape, np.uint16)


def write_array(folder: Path, data: NDArray[np.uint16], *, v3: bool, separator: str = "/") -> None:
    keys = {"name": "default" if v3 else "v2", "separator": separator}
    array = zarr.create_array(
        folder, shape=data.shape, dtype=data.dtype, chunks=(*[1] * (data.ndim - 2), 32, 32), zarr_format=3 if v3 else 2,
        chunk_key_encoding=keys,  # type: ignore[arg-type]
    )  # fmt: skip
    array[...] = data


def write_attributes(folder: Path, attributes: dict[str, Any], *, v3: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if v3:
        document = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": attributes}}
        (folder / "zarr.json").write_text(json.dumps(document))
    else:
        (folder / ".zgroup").write_text('{"zarr_format": 2}')
        (folder / ".zattrs").write_text(json.dumps(attributes))


def planes(plate: Plate, well: str) -> list[NDArray[Any]]:
    return [plate.read(image) for image in plate.images[well]]


@pytest.mark.parametrize(("version", "axes"), [("0.1", None), ("0.2", None), ("0.3", ["t", "c", "z", "y", "x"])])
def test_the_first_versions(tmp_path: Path, version: str, axes: list[str] | None) -> None:
    data = pixels(1, 2, 2, 40, 50)
    plate = {"version": version, "rows": [{"name": "B"}], "columns": [{"name": "7"}], "wells": [{"path": "B/7"}]}
    write_attributes(tmp_path / "p.zarr", {"plate": plate}, v3=False)
    write_attributes(tmp_path / "p.zarr/B/7", {"well": {"version": version, "images": [{"path": "0"}]}}, v3=False)
    multiscale: dict[str, Any] = {"version": version, "datasets": [{"path": "0"}]}
    multiscale |= {"axes": axes} if axes else {}
    write_attributes(tmp_path / "p.zarr/B/7/0", {"multiscales": [multiscale]}, v3=False)
    write_array(tmp_path / "p.zarr/B/7/0/0", data, v3=False, separator="." if version == "0.1" else "/")
    opened = open_plate(tmp_path / "p.zarr")
    assert (opened.wells, opened.pixel_size_um, opened.problems) == (("B07",), None, ())
    assert np.array_equal(planes(opened, "B07"), data[0].reshape(4, 40, 50))


def write_0_6(folder: Path, transformations: list[dict[str, Any]], data: NDArray[np.uint16]) -> None:
    multiscale = {
        "coordinateSystems": [{"name": "stage", "axes": AXES}, {"name": "physical", "axes": AXES}],
        "datasets": [{"path": "0", "coordinateTransformations": transformations}],
        "coordinateTransformations": [
            {"type": "scale", "scale": [7.0, 7.0, 7.0], "input": "physical", "output": "stage"}
        ],
    }
    write_attributes(folder, {"version": "0.6.dev2", "multiscales": [multiscale]}, v3=True)
    write_array(folder / "0", data, v3=True)


def test_the_coordinate_systems_of_0_6(tmp_path: Path) -> None:
    data = pixels(2, 40, 50)
    steps = [{"type": "scale", "scale": [2.0, 0.5, 0.5]}, {"type": "translation", "translation": [0.0, 10.0, 20.0]}]
    whole = [{"type": "sequence", "input": "0", "output": "physical", "transformations": steps}]
    write_0_6(tmp_path / "i.zarr", whole, data)
    plate = open_plate(tmp_path / "i.zarr")
    assert (plate.wells, plate.pixel_size_um, plate.z_step_um) == (("A01",), 0.5, 2.0)
    assert plate.positions == {("A01", 1): StagePosition(10.0, 20.0)}
    assert np.array_equal(planes(plate, "A01"), data)


def test_a_size_that_a_rotation_changes_is_not_known(tmp_path: Path) -> None:
    turned = [{"type": "rotation", "rotation": [[1, 0, 0], [0, 0, 1], [0, -1, 0]], "input": "0", "output": "physical"}]
    write_0_6(tmp_path / "i.zarr", turned, pixels(2, 40, 50))
    plate = open_plate(tmp_path / "i.zarr")
    assert (plate.pixel_size_um, plate.positions) == (None, {})


@pytest.mark.parametrize("listed", [False, True])
def test_a_collection_of_images_is_a_plate_of_one_well(tmp_path: Path, listed: bool) -> None:
    folder = tmp_path / "c.zarr"
    write_attributes(folder, {"bioformats2raw.layout": 3}, v3=False)
    write_attributes(folder / "OME", {"series": ["1", "0"]} if listed else {}, v3=False)
    data = {name: pixels(2, 40, 50) + number for number, name in enumerate("01")}
    for name, image in data.items():
        scale = {"type": "scale", "scale": [1.0, 0.25, 0.25]}
        multiscale = {"version": "0.4", "axes": AXES, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}
        write_attributes(folder / name, {"multiscales": [multiscale]}, v3=False)
        write_array(folder / name / "0", image, v3=False)
    plate = open_plate(folder)
    assert (plate.wells, plate.pixel_size_um) == (("A01",), 0.25)
    assert "a collection of images" in plate.problems[0].message
    assert np.array_equal(planes(plate, "A01"), np.concatenate([data["0"], data["1"]]))


def zipped(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:  # stored, as the RFC recommends
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
    return path


def test_an_archive_is_read_and_run(tmp_path: Path) -> None:
    local = make_plate(tmp_path / "p", wells=2, sites=2, channels=2, z=2, size=64, format="ome_zarr")
    archive = zipped(local, tmp_path / "p.ozx")
    plate, same = open_plate(archive), open_plate(local)
    assert (str(plate.path), plate.wells, plate.problems) == (str(archive), same.wells, ())
    for well in same.wells:
        assert np.array_equal(planes(plate, well), planes(same, well))
    pipeline = load_pipeline(
        "from openhcs_runtime import FunctionStep\nfrom openhcs_runtime.functions import segment_nuclei\n"
        "pipeline_steps = [FunctionStep(segment_nuclei)]\n"
    )
    taken = []
    for _ in range(2):
        with PipelineOrchestrator(archive, pipeline, GlobalConfig(num_workers=2)) as orchestrator:
            orchestrator.initialize()
            orchestrator.compile()
            result = orchestrator.execute()
        assert result.status is ResultStatus.COMPLETE
        assert Path(result.output_dir).parent == tmp_path / "p.ozx_results"
        taken.append(bool(result.wells[0].taken_from))
    assert taken == [False, True]


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    local = make_plate(tmp_path / "p", wells=1, sites=1, channels=1, size=64, format="ome_zarr")
    archive = zipped(local, tmp_path / "p.ozx")
    archive.write_bytes(archive.read_bytes()[:-40])
    with pytest.raises(PlateError, match=r"p\.ozx can't be read: it is not a ZIP archive, or a damaged one"):
        open_plate(archive)
    with pytest.raises(PlateError, match="no such plate"):
        open_plate(tmp_path / "none.ozx")


def test_an_image_that_was_damaged_in_an_archive_fails(tmp_path: Path) -> None:
    local = make_plate(tmp_path / "p", wells=1, sites=1, channels=1, size=64, format="ome_zarr")
    archive = zipped(local, tmp_path / "p.ozx")
    with zipfile.ZipFile(archive) as opened:
        chunk = max(opened.infolist(), key=lambda info: info.file_size)
    data = bytearray(archive.read_bytes())
    data[chunk.header_offset + 200] ^= 255
    archive.write_bytes(data)
    plate = open_plate(archive)
    with pytest.raises(Exception, match="Bad CRC-32"):
        plate.read(plate.images["A01"][0])


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), 0.0, -0.5])
def test_a_scale_that_is_no_size_is_reported(tmp_path: Path, odd: float) -> None:
    write_0_6(tmp_path / "i.zarr", [{"type": "scale", "scale": [1.0, 0.5, odd]}], pixels(2, 40, 50))
    plate = open_plate(tmp_path / "i.zarr")
    assert plate.pixel_size_um is None
    said = [problem.message for problem in plate.problems]
    assert any("the image of well A01 has a scale or translation that is not a size" in text for text in said)
