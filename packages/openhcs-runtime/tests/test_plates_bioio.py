"""Files that bioio reads, as plates: CZI as Zeiss' own library writes it, OME-TIFF by tifffile; and without bioio."""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import tifffile

from openhcs_runtime import Component, FunctionStep, GlobalConfig, PipelineConfig, PipelineOrchestrator
from openhcs_runtime.components import ImageKey
from openhcs_runtime.config import ExecutionMode
from openhcs_runtime.exceptions import ImageError, PlateError
from openhcs_runtime.functions import denoise
from openhcs_runtime.plates import Plate, ProblemKind, open_plate
from openhcs_runtime.plates.bioio.scenes import Scene, wells_by_pattern, wells_of
from openhcs_runtime.plates.pattern import NamePattern


def scenes(*names: str, stem: str = "file", wells: Sequence[str] = ()) -> list[Scene]:
    found = dict(enumerate(wells))
    return [Scene("f", stem, n, name, (1, 1, 1), well=found.get(n, "")) for n, name in enumerate(names)]


@pytest.mark.parametrize(
    ("names", "wells"),
    [
        (("A1-1", "A1-2", "B2-1"), [("A01", 1), ("A01", 2), ("B02", 1)]),
        (("A1/R1", "A1/R2", "H12/R1"), [("A01", 1), ("A01", 2), ("H12", 1)]),
        (("Matrix/A/1/R1", "Matrix/A/2/R1"), [("A01", 1), ("A02", 1)]),
        (("P1-A1", "P2-A1", "P1-B1"), [("A01", 1), ("A01", 2), ("B01", 1)]),
        (("WellAA01", "WellAF48"), [("AA01", 1), ("AF48", 1)]),
        (("A1", "overview"), [("A01", 1), None]),
    ],
)
def test_wells_in_names_of_scenes(names: tuple[str, ...], wells: list[tuple[str, int] | None]) -> None:
    assert wells_of(scenes(*names)) == (wells, True)


def test_wells_in_metadata_and_in_names_of_files_and_nowhere() -> None:
    assert wells_of(scenes("A1", "A2", wells=("C03", "C03"))) == ([("C03", 1), ("C03", 2)], True)
    assert wells_of(scenes("XYPos:0", "XYPos:1", stem="WellD05_ChannelDAPI_Seq0000")) == (
        [("D05", 1), ("D05", 2)],
        True,
    )
    assert wells_of(scenes("Image:0", "Image:1")) == ([("A01", 1), ("A01", 2)], False)


def test_wells_by_a_pattern() -> None:
    made = scenes("well 3 row 2 field 0", "well 3 row 2 field 1", "other", stem="slide")
    pattern = NamePattern(r"well (?P<col>\d+) row (?P<row>\d+) field (?P<site>\d+)")
    assert wells_by_pattern(made, pattern) == [("B03", 1), ("B03", 2), None]
    assert wells_by_pattern(made[:1], NamePattern(r"slide/well (?P<col>\d+) row (?P<row>\d+).*")) == [("B03", 1)]


@pytest.mark.parametrize("name", ["plate.czi", "plate.ND2", "plate.lif"])
def test_without_bioio_the_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, "bioio", None)
    (tmp_path / name).write_bytes(b"x")
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(PlateError, match=r"pip install 'openhcs-runtime\[bioio\]'"):
            open_plate(path)


def test_a_plate_of_tiff_files_with_such_a_file_is_one_of_tiff_files(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "p_A01_s1_w1.tif", np.zeros((4, 5), np.uint16))
    (tmp_path / "overview.czi").write_bytes(b"x")
    assert open_plate(tmp_path).format == "imagexpress"
    (tmp_path / "p_A01_s1_w1.tif").rename(tmp_path / "unknown A01.tif")
    (tmp_path / "below").mkdir()
    (tmp_path / "overview.czi").rename(tmp_path / "below" / "overview.czi")
    with pytest.raises(PlateError, match="no plate of a known format"):
        open_plate(tmp_path)


def values(plate: Plate) -> dict[ImageKey, int]:
    return {image.key: int(plate.read(image)[0, 0]) for images in plate.images.values() for image in images}


def write_czi(path: Path, *, offset: int = 0) -> None:
    czi = import_module("pylibCZIrw.czi")
    with czi.create_czi(str(path)) as file:
        for c in range(2):
            for z in range(3):
                pixels = np.full((8, 10, 1), offset + 10 * c + z, np.uint16)
                file.write(pixels, plane={"C": c, "Z": z, "T": 0})
        names = {0: "DAPI", 1: "GFP"}
        file.write_metadata("p", channel_names=names, scale_x=0.5e-6, scale_y=0.5e-6, scale_z=2e-6)


@pytest.mark.filterwarnings("ignore")
def test_a_folder_of_czi_files(tmp_path: Path) -> None:
    write_czi(tmp_path / "exp_A1.czi")
    write_czi(tmp_path / "exp_B2.czi", offset=100)
    (tmp_path / "broken.czi").write_bytes(b"no image")
    plate = open_plate(tmp_path)
    assert (plate.format, plate.wells, plate.channel_names) == ("bioio", ("A01", "B02"), {1: "DAPI", 2: "GFP"})
    assert (plate.pixel_size_um, plate.z_step_um) == (0.5, 2)
    assert values(plate) == {
        ImageKey(well, 1, c + 1, z + 1): offset + 10 * c + z
        for well, offset in (("A01", 0), ("B02", 100))
        for c in range(2)
        for z in range(3)
    }
    (problem,) = plate.problems
    assert (problem.kind, "broken.czi can't be opened by bioio" in problem.message) == (ProblemKind.UNREADABLE, True)


@pytest.mark.filterwarnings("ignore")
def test_a_run_over_one_czi_file(tmp_path: Path) -> None:
    write_czi(tmp_path / "WellC07.czi")
    step = FunctionStep(denoise, name="denoise", materialize=True, variable_components=(Component.SITE,))
    config = PipelineConfig(output_dir=str(tmp_path / "out"))
    machine = GlobalConfig(num_workers=1, mode=ExecutionMode.THREADS)
    with PipelineOrchestrator(tmp_path / "WellC07.czi", [step], machine, config) as orchestrator:
        orchestrator.initialize()
        orchestrator.compile()
        result = orchestrator.run()
    assert [well.well for well in result.wells] == ["C07"]
    assert len(list((tmp_path / "out").rglob("*.tif*"))) == 6


@pytest.mark.usefixtures("zarr_ends")
@pytest.mark.filterwarnings("ignore")
def test_one_ome_tiff_of_many_scenes(tmp_path: Path) -> None:
    path = tmp_path / "plate.ome.tiff"
    with tifffile.TiffWriter(path, ome=True) as file:
        for number, name in enumerate(("A1-1", "A1-2", "B2-1")):
            pixels = np.full((2, 1, 8, 10), 100 * number, np.uint16) + np.array([0, 1], np.uint16)[:, None, None, None]
            metadata = {"axes": "TCYX", "Name": name, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
            file.write(pixels, photometric="minisblack", metadata=metadata)
    plate = open_plate(path, format="bioio")
    assert values(plate) == {
        ImageKey(well, site, timepoint=t + 1): 100 * n + t
        for n, (well, site) in enumerate((("A01", 1), ("A01", 2), ("B02", 1)))
        for t in range(2)
    }
    assert (plate.pixel_size_um, plate.problems) == (0.5, ())
    by_pattern = open_plate(path, format="bioio", pattern=r"(?P<row>[A-P])(?P<col>\d)-(?P<site>\d)")
    assert values(by_pattern) == values(plate)
    path.write_bytes(b"II")
    image = plate.images["A01"][0]
    with pytest.raises(ImageError, match=r"can't be (opened|read) by bioio"):
        plate.read(image)


def test_a_file_that_is_no_plate_is_still_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"x")
    with pytest.raises(PlateError, match="is a file, not a plate"):
        open_plate(tmp_path / "a.tif")
