"""``openhcs-runtime info``, ``make-plate --format``, and runs over plates of every format."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from openhcs_runtime.builtin import builtin_pipeline
from openhcs_runtime.cli.map_view import map_view
from openhcs_runtime.cli.plate_view import first_image, plate_lines, plate_map
from openhcs_runtime.components import Component
from openhcs_runtime.config import ExecutionMode, GlobalConfig, PipelineConfig
from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.plates import Metadata, make_plate, open_plate
from openhcs_runtime.plates.folder_plate import FolderPlate
from openhcs_runtime.plates.formats import format_names
from openhcs_runtime.plates.well_ranges import number_ranges, well_ranges
from openhcs_runtime.testing import CommandLine


@pytest.mark.parametrize(
    ("wells", "text"),
    [
        (["A01"], "A01"),
        (["A02", "A01", "A03"], "A01-A03"),
        (["A01", "B01"], "A01, B01"),
        ([f"{row}{column:02d}" for row in "ABC" for column in (1, 2, 3, 5)], "A-C x 1-3+5"),
        ([f"{row}{column:02d}" for row in ("Z", "AA", "AB") for column in (1, 2)], "Z-AB x 1-2"),
        (["A01", "A02", "B07", "D01", "D03"], "A01-A02, B07, D01, D03"),
    ],
)
def test_wells_in_few_words(wells: list[str], text: str) -> None:
    assert well_ranges(wells) == text


def test_numbers_in_few_words() -> None:
    assert number_ranges([7, 1, 3, 2]) == "1-3, 7"


def test_a_map_shows_gaps_in_the_grid_that_fits(new_plate: Callable[..., Path]) -> None:
    folder = new_plate(wells=97, sites=2, size=32)
    next(folder.rglob("*_B02_s2_w1.tif")).unlink()
    lines = plate_map(open_plate(folder))
    assert len(lines) == 18
    assert (lines[2], lines[3], lines[7]) == (" A " + "#" * 24, " B #o" + "#" * 22, " F " + "." * 24)


def test_info_of_a_plate_with_everything_odd(shared_command: CommandLine, tmp_path: Path) -> None:
    folder = make_plate(tmp_path / "p", wells=3, sites=2, channels=2, size=32)
    next(folder.rglob("*_A02_s2_w1.tif")).unlink()
    tifffile.imwrite(folder / "TimePoint_1" / "overview.tif", np.zeros((4, 4), np.uint8))
    finished, as_json = shared_command.both("info", folder)
    assert finished.code == as_json.code == 0
    for text in (
        "ImageXpress",
        "3: A01-A03",
        "1 DAPI, 2 FITC",
        "32 x 32 pixels (Y x X), uint16",
        "0.65 um",
        "A #o#...",
    ):
        assert text in finished.stdout
    assert "Missing:\n  no image of well A02, site 2, channel 1, z 1, time point 1\n" in finished.stdout
    assert "Not part of the plate:\n  overview.tif is not an image" in finished.stdout
    document = as_json.document
    assert document["format"] == "imagexpress"
    assert [(each["channel"], each["name"]) for each in document["channels"]] == [(1, "DAPI"), (2, "FITC")]
    assert (document["image_shape"], document["dtype"], document["images"]) == ([32, 32], "uint16", 11)
    assert document["missing"] == {"A02": 1}
    assert [problem["kind"] for problem in document["problems"]] == ["stray_file", "gap"]


def test_info_with_a_pattern_and_a_first_image_that_is_broken(shared_command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "A1-GFP.tif").write_bytes(b"no image")
    finished, as_json = shared_command.both("info", tmp_path, "--pattern", r"(?P<well>\w+)-(?P<channel>\w+)")
    assert (finished.code, finished.stderr) == (0, "")
    assert "1; image A1-GFP.tif is damaged or not a TIFF" in finished.stdout
    nothing = {"excitation_nm": None, "emission_nm": None}
    assert as_json.document["channels"] == [{"channel": 1, "name": "GFP", **nothing}]
    assert as_json.document["image_error"].startswith("image A1-GFP.tif is damaged")


def test_info_of_what_is_no_plate(shared_command: CommandLine, tmp_path: Path) -> None:
    for arguments in (("info", tmp_path), ("info", tmp_path, "--pattern", "(")):
        finished, as_json = shared_command.both(*arguments)
        assert (finished.code, finished.stdout, finished.stderr.count("\n")) == (2, "", 1)
        assert as_json.document["error"]["kind"] == "plate"


def test_info_shows_wavelengths_layout_positions_and_the_time_step(shared_command: CommandLine, tmp_path: Path) -> None:
    folder = make_plate(tmp_path / "p", wells=2, sites=2, channels=2, size=32, format="yokogawa_cv")
    finished, as_json = shared_command.both("info", folder)
    for line in (
        "Layout       8 x 12 wells (rows x columns)\n",
        "Positions    known\n",
        "Wavelengths  1 excitation 405 nm, emission 445 nm; 2 excitation 488 nm, emission 525 nm\n",
    ):
        assert line in finished.stdout
    assert "Time step" not in finished.stdout, "there is a single time point"
    document = as_json.document
    assert document["channels"][0] == {"channel": 1, "name": "DAPI", "excitation_nm": 405.0, "emission_nm": 445.0}
    assert (document["plate_shape"], document["has_positions"], document["time_step_s"]) == ([8, 12], True, None)
    opened = open_plate(folder)
    assert isinstance(opened, FolderPlate)
    components = {**opened.components, Component.TIMEPOINT: (1, 2)}
    timed = replace(opened, components=components, metadata=Metadata(time_step_s=90.0, shape=(2, 3)))
    assert "Time step    90 s" in plate_lines(timed, first_image(timed))
    assert plate_map(timed) == ["      ", "   123", " A ##.", " B ..."]
    assert len(plate_map(replace(timed, metadata=Metadata(shape=(1, 1))))) == 10, "the wells don't fit"


def test_the_formats_are_listed_with_their_packages(shared_command: CommandLine, tmp_path: Path) -> None:
    finished, as_json = shared_command.both("info", "--formats")
    assert re.search(r"^opera_phenix +Opera Phenix +openhcs-runtime 0\.", finished.stdout, re.MULTILINE)
    formats = {each["format"]: each for each in as_json.document["formats"]}
    assert formats["ome_zarr"]["title"] == "OME-Zarr"
    assert formats.keys() == set(format_names())
    for wrong in ((), (tmp_path, "--formats")):
        assert shared_command("info", *wrong).code == 2
    assert "'openhcs-runtime info --formats' lists" in shared_command("info", tmp_path).stderr


@pytest.mark.parametrize("kind", ["opera_phenix", "ome_zarr"])
def test_plates_made_in_other_formats(shared_command: CommandLine, kind: str) -> None:
    options = ("--wells", "1", "--sites", "2", "--channels", "1", "--size", "64", "--format", kind)
    made = shared_command("make-plate", f"made_{kind}", *options, "--json")
    assert (made.code, made.document["format"]) == (0, kind)
    shown = shared_command("info", f"made_{kind}", "--json")
    assert (shown.document["format"], shown.document["images"], shown.document["problems"]) == (kind, 2, [])


@pytest.mark.usefixtures("zarr_ends")
@pytest.mark.parametrize("mode", list(ExecutionMode))
def test_a_run_gives_the_same_for_every_format(tmp_path: Path, mode: ExecutionMode) -> None:
    tables = []
    for kind in ("imagexpress", "opera_phenix", "ome_zarr"):
        plate = make_plate(tmp_path / kind, wells=2, sites=2, channels=2, z=2, size=128, format=kind)
        config = GlobalConfig(num_workers=2, mode=mode)
        output = PipelineConfig(output_dir=str(tmp_path / f"{kind}_out"))
        with PipelineOrchestrator(plate, builtin_pipeline(), config, output) as orchestrator:
            result = orchestrator.run()
        assert result.status == "complete"
        tables.append(Path(result.measurements or "").read_text())
    assert tables[0] == tables[1] == tables[2]


@pytest.mark.usefixtures("zarr_ends")
def test_a_damaged_chunk_fails_its_well_alone(tmp_path: Path) -> None:
    plate = make_plate(tmp_path / "p", wells=3, sites=1, channels=1, size=64, format="ome_zarr")
    chunk = next((plate / "A" / "02" / "0" / "0" / "c").rglob("0/0/0/0/0"))
    chunk.write_bytes(chunk.read_bytes()[:50])
    output = PipelineConfig(output_dir=str(tmp_path / "out"))
    with PipelineOrchestrator(plate, builtin_pipeline(), GlobalConfig(num_workers=1), output) as orchestrator:
        result = orchestrator.run()
    failed = [well for well in result.wells if well.status == "failed"]
    assert [(well.well, "A/02/0/0 is damaged" in well.error) for well in failed] == [("A02", True)]


def test_the_plate_map_is_checked_before_a_run(tmp_path: Path) -> None:
    plate = open_plate(make_plate(tmp_path / "p", wells=2, sites=1, channels=1, size=32))
    assert map_view(plate).text == "none"
    (tmp_path / "p_platemap.csv").write_text("well,compound,dose\nA01,DMSO,0\nH12,x,1\n")
    found = map_view(plate)
    assert found.text == "p_platemap.csv: compound, dose"
    assert [line.split(" ")[-1] for line in found.problems] == ["describes", "A02"]
    assert "Plate map    p_platemap.csv: compound, dose" in plate_lines(plate, first_image(plate))
    (tmp_path / "p_platemap.csv").write_text("well,compound\nH12,x\n")
    assert map_view(plate).text == "can't be used, see below"
    assert "give the map of this plate" in plate_lines(plate, first_image(plate))[-1]
