"""Plate folders as instruments, file systems and people leave them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from openhcs_runtime import Component, FunctionStep, GlobalConfig, PipelineConfig, PipelineOrchestrator, PlateResult
from openhcs_runtime.components import ImageKey
from openhcs_runtime.config import ExecutionMode, ImageFormat
from openhcs_runtime.exceptions import ImageError, PlateError
from openhcs_runtime.functions import denoise, max_projection, measure_objects, segment_nuclei
from openhcs_runtime.plates import ProblemKind, open_plate
from openhcs_runtime.testing import CommandLine

_UUID = "A52B1177-9DC7-4534-9623-9DCA396EFA0{}"
_XML = "http://www.perkinelmer.com/PEHH/HarmonyV7"


def write(path: Path, value: int = 7, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(value).integers(value, value + 3, (16, 16)).astype(np.uint16)
    tifffile.imwrite(path, image, metadata=None, **options)
    return path


def run(plate: Path, steps: list[FunctionStep], out: Path, **options: Any) -> PlateResult:
    settings = GlobalConfig(num_workers=1, mode=ExecutionMode.THREADS)
    with PipelineOrchestrator(plate, steps, settings, PipelineConfig(output_dir=str(out), **options)) as orchestrator:
        result = orchestrator.run()
    assert result.status == "complete", result
    return result


@pytest.fixture
def native(tmp_path: Path) -> Path:
    """MetaXpress on disk: w1 a stack with a projection, w2 only a projection, w3 one plane in ZStep_1."""
    folder = tmp_path / "1334"
    for well in ("A01", "A02"):
        write(folder / f"p_{well}_s1_w1{_UUID.format(1)}.tif", 900)
        write(folder / f"p_{well}_s1_w2{_UUID.format(2)}.tif", 800)
        write(folder / "ZStep_1" / f"p_{well}_s1_w3{_UUID.format(3)}.tif", 700)
        for z in (1, 2, 3):
            write(folder / f"ZStep_{z}" / f"p_{well}_s1_w1{_UUID.format(z)}.tif", 100 * z)
    return folder


@pytest.mark.parametrize("inside", ["", "TimePoint_1"])
def test_projections_beside_planes_are_left_out_and_listed(native: Path, inside: str) -> None:
    if inside:
        (native / inside).mkdir()
        for path in list(native.iterdir()):
            if path.name != inside:
                path.rename(native / inside / path.name)
    plate = open_plate(native)
    assert plate.components[Component.Z_INDEX] == (1, 2, 3)
    keys = [(image.key.channel, image.key.z_index) for image in plate.images["A01"]]
    assert keys == [(1, 1), (1, 2), (1, 3), (2, 1), (3, 1)]
    assert [int(plate.read(image).min()) for image in plate.images["A01"]] == [100, 200, 300, 800, 700]
    (problem,) = plate.problems
    assert (problem.kind, plate.left_out, plate.missing) == (ProblemKind.STRAY_FILE, 2, {})
    assert "2 projections of channel 1, such as p_A01_s1_w1" in problem.message


@pytest.mark.usefixtures("zarr_ends")
def test_one_rule_for_z_where_channels_are_stacks_and_single_planes(native: Path, tmp_path: Path) -> None:
    projected = FunctionStep(max_projection, variable_components=(Component.Z_INDEX,), materialize=True)
    steps = [projected, FunctionStep([segment_nuclei, measure_objects])]
    result = run(native, steps, tmp_path / "tiff")
    names = sorted(path.name for path in (tmp_path / "tiff" / "images").iterdir())
    assert names == [f"{well}_s1_w{channel}.tif" for well in ("A01", "A02") for channel in (1, 2, 3)]
    lines = Path(result.measurements).read_text().splitlines()[1:]
    assert [line.split(",")[3] for line in lines] == ["0"] * 6
    assert result.left_out_files == result.to_dict()["left_out_files"] == 2
    run(native, [projected], tmp_path / "zarr", image_format=ImageFormat.OME_ZARR)
    (folder,) = (tmp_path / "zarr" / "images").iterdir()
    written = open_plate(folder)
    assert [int(written.read(image).min()) >= 300 for image in written.images["A02"]] == [True] * 3
    run(native, [FunctionStep(denoise, materialize=True)], tmp_path / "all", image_format=ImageFormat.OME_ZARR)
    (folder,) = (tmp_path / "all" / "images").iterdir()
    stacks = open_plate(folder)
    assert stacks.problems == ()
    keys = [(image.key.site, image.key.channel, image.key.z_index) for image in stacks.images["A02"]]
    assert keys == [(1, 1, 1), (1, 1, 2), (1, 1, 3), (1, 2, 1), (1, 3, 1)]
    assert dict(stacks.channel_names) == {n: f"channel {n}" for n in (1, 2, 3)}


def test_a_single_plane_that_an_export_repeats_counts_once(tmp_path: Path) -> None:
    for well in ("A01", "A02"):
        for z in (1, 2, 3):
            folder = tmp_path / "TimePoint_1" / f"ZStep_{z}"
            write(folder / f"p_{well}_s1_w1.tif", 10 * z)
            write(folder / f"p_{well}_s1_w2.tif", 77)
    plate = open_plate(tmp_path)
    keys = [(image.key.channel, image.key.z_index) for image in plate.images["A02"]]
    assert keys == [(1, 1), (1, 2), (1, 3), (2, 1)]
    assert (plate.left_out, plate.missing) == (4, {})
    assert "channel 2 has one plane, repeated in every ZStep folder" in plate.problems[0].message


def test_stacks_of_even_planes_are_no_repeats(tmp_path: Path) -> None:
    for z in (1, 2):
        path = tmp_path / "TimePoint_1" / f"ZStep_{z}" / "p_A01_s1_w1.tif"
        path.parent.mkdir(parents=True)
        tifffile.imwrite(path, np.zeros((8, 8), np.uint16), metadata=None)
    assert len(open_plate(tmp_path).images["A01"]) == 2


def test_wells_of_one_digit_and_double_endings(tmp_path: Path) -> None:
    for column in range(1, 13):
        write(tmp_path / f"p_A{column}_s1_w1.tif")
    write(tmp_path / "p_B01_s1_w1.ome.tif")
    write(tmp_path / "p_B02_s1_w1.OME.TIFF")
    plate = open_plate(tmp_path)
    assert plate.wells == (*(f"A{column:02d}" for column in range(1, 13)), "B01", "B02")
    assert (plate.problems, plate.left_out) == ((), 0)
    write(tmp_path / "p_A01_s1_w1.tif")
    assert (
        "p_A1_s1_w1.tif has the same well, site and channel as p_A01_s1_w1.tif"
        in open_plate(tmp_path).problems[0].message
    )


def test_thumb_in_the_name_of_a_plate(tmp_path: Path) -> None:
    write(tmp_path / "mouse_thumb_A01_s1_w1.tif")
    write(tmp_path / f"mouse_thumb_A01_s1_w1_thumb{_UUID.format(1)}.tif")
    plate = open_plate(tmp_path)
    assert (plate.wells, len(plate.images["A01"]), plate.problems) == (("A01",), 1, ())


@pytest.mark.parametrize("pattern", [None, r".*_(?P<well>[A-P]\d\d)_s(?P<site>\d+)_w(?P<channel>\d+)"])
def test_folders_that_are_links(new_plate: Callable[..., Path], tmp_path: Path, pattern: str | None) -> None:
    plate, linked = new_plate(wells=2), tmp_path / "linked"
    linked.mkdir()
    (linked / "TimePoint_1").symlink_to(plate / "TimePoint_1")
    (linked / "again").symlink_to(linked)
    opened = open_plate(linked, pattern=pattern)
    assert (opened.wells, opened.problems) == (("A01", "A02"), ())


def test_a_link_that_leads_nowhere_fails_its_well(tmp_path: Path) -> None:
    write(tmp_path / "p_A01_s1_w1.tif")
    (tmp_path / "p_A02_s1_w1.tif").symlink_to(tmp_path / "gone.tif")
    assert open_plate(tmp_path).wells == ("A01", "A02")


@pytest.mark.parametrize("pattern", [None, r"p_(?P<well>[A-P]\d\d)_s1_w1"])
def test_a_link_to_itself_loses_only_its_image(tmp_path: Path, pattern: str | None) -> None:
    write(tmp_path / "p_A01_s1_w1.tif")
    for name in ("p_A02_s1_w1.tif", "TimePoint", "notes.txt"):
        (tmp_path / name).symlink_to(name)
    plate = open_plate(tmp_path, pattern=pattern)
    assert (plate.wells, plate.problems) == (("A01", "A02"), ())
    with pytest.raises(ImageError, match=r"p_A02_s1_w1\.tif can't be read"):
        plate.read(plate.images["A02"][0])


def test_files_that_lie_beside_the_folders_of_time_points(tmp_path: Path) -> None:
    write(tmp_path / "TimePoint_1" / "p_A01_s1_w1.tif", 100)
    write(tmp_path / "A_A01_s1_w1.tif", 900)
    plate = open_plate(tmp_path)
    assert int(plate.read(plate.images["A01"][0]).min()) == 100
    assert "A_A01_s1_w1.tif is left out: it is next to the folders of time points" in plate.problems[0].message


@pytest.mark.parametrize("separator", ["/", "\\"])
@pytest.mark.parametrize("above", ["", "Images"])
def test_a_harmony_export_with_a_folder_for_each_well(tmp_path: Path, separator: str, above: str) -> None:
    records = ""
    for column in (1, 2):
        for plane in (1, 2, 3):
            name = f"r01c{column:02d}f01p{plane:02d}-ch1t01.tiff"
            write(tmp_path / above / f"r01c{column:02d}" / name, resolution=(1550.3, 1550.3), resolutionunit=3)
            records += (
                f"<Image><URL>r01c{column:02d}{separator}{name}</URL><ChannelID>1</ChannelID>"
                '<ChannelName>DAPI</ChannelName><ImageResolutionX Unit="m">5E-07</ImageResolutionX>'
                f'<PositionZ Unit="m">{plane * 2e-6}</PositionZ><AbsPositionZ Unit="m">0.1346</AbsPositionZ></Image>'
            )
    assert open_plate(tmp_path).pixel_size_um is None
    index = tmp_path / above / "Index.idx.xml"
    index.write_text(f'<EvaluationInputData xmlns="{_XML}"><Images>{records}</Images></EvaluationInputData>')
    plate = open_plate(tmp_path)
    assert (plate.wells, plate.problems, plate.channel_names) == (("A01", "A02"), (), {1: "DAPI"})
    assert (plate.pixel_size_um, plate.z_step_um) == (0.5, 2.0)


@pytest.mark.parametrize("selection", ["", '"SiteSelection1", FALSE\n', '"SiteSelection1", TRUE\n'])
def test_a_htd_of_a_single_site(tmp_path: Path, selection: str) -> None:
    write(tmp_path / "p_A01_w1.tif")
    (tmp_path / "p.HTD").write_text(
        '"HTSInfoFile", Version 1.0\n"XWells", 1\n"YWells", 1\n"WellsSelection1", TRUE\n"Sites", TRUE\n'
        f'"XSites", 1\n"YSites", 1\n{selection}"Waves", TRUE\n"NWavelengths", 1\n"WaveName1", "DAPI"\n"EndFile"\n'
    )
    plate = open_plate(tmp_path)
    assert (plate.problems, plate.missing, plate.channel_names) == ((), {}, {1: "DAPI"})


def test_a_format_of_another_maker_is_named(tmp_path: Path) -> None:
    write(tmp_path / "003005000.tif")
    (tmp_path / "003005000.flex").write_bytes(b"")
    with pytest.raises(PlateError, match=r"measurement of an Opera or Operetta .* can't be read; .*--pattern"):
        open_plate(tmp_path)


def test_names_that_are_not_utf8(tmp_path: Path, shared_command: CommandLine) -> None:
    folder = tmp_path / "plate"
    folder.mkdir()
    path = write(tmp_path / "x.tif")
    names = [b"pl\xe4te_A01_s1_w1.tif", b"pl\xe4te_A02_s1_w1.tif", b"\xe4.tif"]
    try:
        for name in names:
            (folder / os.fsdecode(name)).write_bytes(path.read_bytes())
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    (folder / os.fsdecode(names[1])).write_bytes(b"no image")
    settings = GlobalConfig(num_workers=1)
    options = PipelineConfig(output_dir=str(tmp_path / "out"))
    with PipelineOrchestrator(folder, [FunctionStep(denoise, materialize=True)], settings, options) as orchestrator:
        result = orchestrator.run()
    assert [well.status for well in result.wells] == ["complete", "failed"]
    assert result.wells[1].error.startswith("image pl\\xe4te_A02_s1_w1.tif is damaged")
    shown = shared_command("info", folder)
    assert (shown.code, "\\xe4.tif is not an image of the plate" in shown.stdout) == (0, True)
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/ix\xe4"))
    folder.rename(odd)
    for command in ("info", "run", "compile"):
        refused = shared_command(command, odd)
        assert (refused.code, refused.stderr.count("\n")) == (2, 1)
        assert "ix\\xe4 is not valid UTF-8: rename" in refused.stderr


def test_control_characters_in_names_are_shown_escaped(tmp_path: Path, shared_command: CommandLine) -> None:
    folder = tmp_path / "pl\x1bate"
    write(folder / "p_A01_s1_w1.tif")
    write(folder / "over\nview\x9b31m.tif")
    shown = shared_command("info", folder)
    assert "\\nview\\x9b31m.tif is not an image" in shown.stdout
    assert "pl\\x1bate" in shown.stdout
    assert not {"\x1b", "\x9b"} & set(shown.stdout)
    (folder / "p_A01_s1_w1.tif").unlink()
    with pytest.raises(PlateError, match=r"pl\\x1bate.*over\\nview"):
        open_plate(folder)


def test_control_characters_in_channel_names_are_shown_escaped(tmp_path: Path) -> None:
    write(tmp_path / "A01_GF\x1bP.tif")
    plate = open_plate(tmp_path, pattern="(?P<well>A01)_(?P<channel>[^.]*)")
    assert plate.channel_names == {1: "GF\\x1bP"}


def test_what_is_left_out_is_said_at_the_end_of_a_run(tmp_path: Path) -> None:
    write(tmp_path / "plate" / "p_A01_s1_w1.tif")
    for stray in ("overview.tif", "p_A01_s1_w1 - Copy.tif"):
        write(tmp_path / "plate" / stray)
    for other in ("Thumbs.db", "._p_A01_s1_w1.tif", ".DS_Store"):
        (tmp_path / "plate" / other).write_bytes(b"?")
    assert run(tmp_path / "plate", [FunctionStep(denoise)], tmp_path / "out").left_out_files == 2


def test_sizes_are_written_as_imagej_reads_them(tmp_path: Path) -> None:
    stack: NDArray[Any] = np.random.default_rng(0).integers(0, 99, (3, 16, 16)).astype(np.uint16)
    (tmp_path / "plate").mkdir()
    calibrated: dict[str, Any] = {"resolution": (2, 2), "metadata": {"axes": "ZYX", "unit": "um", "spacing": 1.5}}
    tifffile.imwrite(tmp_path / "plate" / "p_A01_s1_w1.tif", stack, imagej=True, **calibrated)
    run(tmp_path / "plate", [FunctionStep(denoise, materialize=True)], tmp_path / "out")
    with tifffile.TiffFile(tmp_path / "out" / "images" / "A01_s1_w1_z2.tif") as tiff:
        said = tiff.imagej_metadata
        assert said is not None
        assert (said["unit"], said["spacing"]) == ("\\u00B5m", 1.5)
    again = open_plate(tmp_path / "out" / "images")
    assert (again.pixel_size_um, again.z_step_um) == (0.5, 1.5)
    assert [image.key for image in again.images["A01"]] == [ImageKey("A01", 1, 1, z) for z in (1, 2, 3)]


@pytest.mark.parametrize(
    ("lost", "missing"),
    [
        ("B02_s1_w2_z1 B02_s1_w2_z2 B02_s1_w2_z3", 3),  # a channel
        ("B02_s1_w1_z3 B02_s1_w2_z3", 2),  # the last plane
        ("B02_s1_w1_z2 B02_s1_w2_z2 A01_s1_w1_z3 A01_s1_w2_z3", 4),  # a hole
    ],
)
def test_what_one_of_two_wells_lacks_is_a_gap(tmp_path: Path, lost: str, missing: int) -> None:
    for well in ("A01", "B02"):
        for channel in (1, 2):
            for z in (1, 2, 3):
                write(tmp_path / f"p_{well}_s1_w{channel}_z{z}.tif")
    for name in lost.split():
        (tmp_path / f"p_{name}.tif").unlink()
    assert sum(map(len, open_plate(tmp_path).missing.values())) == missing


def test_sites_that_one_of_two_wells_lacks_are_no_gap(tmp_path: Path) -> None:
    for name in ("A01_s1", "A01_s2", "B02_s1"):
        write(tmp_path / f"p_{name}_w1.tif")
    assert open_plate(tmp_path).missing == {}
