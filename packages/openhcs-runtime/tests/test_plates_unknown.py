"""Plates of no known format: the message, the pattern that is proposed, and the patterns in the documentation."""

import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import tifffile

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates import ProblemKind, open_plate
from openhcs_runtime.plates.proposal import propose
from openhcs_runtime.testing import CommandLine

_PAGE = Path(__file__).parents[3] / "docs" / "plates.md"
_WELLS = ("A01", "A02", "B01", "B12")


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(folder / name, np.full((4, 5), 7, np.uint16), metadata=None)


def names_of(form: str, **values: object) -> list[str]:
    """Return names of a form for all combinations of values."""
    return [form.format(**dict(zip(values, each, strict=True))) for each in product(*values.values())]  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (
            names_of("plate1_{w}_f{s}_{c}.tif", w=_WELLS, s=(1, 2), c=("DAPI", "GFP")),
            r"plate1_(?P<well>[A-Z]{1,2}\d{1,2})_f(?P<site>\d+)_(?P<channel>DAPI|GFP)",
        ),
        (
            names_of("r{r:02}c{c:02}f{s:02}-ch{h}.tif", r=(1, 2), c=(1, 5), s=(1, 2), h=(1, 2)),
            r"r(?P<row>\d+)c(?P<col>\d+)f(?P<site>\d+)-ch(?P<channel>\d+)",
        ),
        (
            names_of("exp_B-{c:02}_site {s}_z{z}.tif", c=(1, 5), s=(1, 2), z=(0, 1)),
            r"exp_(?P<row>[A-Z]{1,2})-(?P<col>\d+)_site (?P<site>\d+)_z(?P<z_index>\d+)",
        ),
        (
            names_of("{w}/img_{s:03}_{c}.tif", w=_WELLS, s=(0, 1), c=("DAPI", "Cy5")),
            r"(?P<well>[A-Z]{1,2}\d{1,2})/img_(?P<site>\d+)_(?P<channel>Cy5|DAPI)",
        ),
        (
            names_of("{w}_T0001F{s:03}L01A01Z{z:02}C{c:02}.tif", w=_WELLS, s=(1, 2), z=(1, 2), c=(1, 2)),
            r"(?P<well>[A-Z]{1,2}\d{1,2})_T(?P<timepoint>\d+)F(?P<site>\d+)L01A01Z(?P<z_index>\d+)C(?P<channel>\d+)",
        ),
        (
            [f"x_{name}_{n}.tif" for n, name in enumerate(names_of("{w}_{s}_{z}", w=_WELLS, s=(0, 1), z=(0, 1)))],
            r"x_(?P<well>[A-Z]{1,2}\d{1,2})_(?P<site>\d+)_(?P<z_index>\d+)_\d+",
        ),
        (
            names_of("{w}_{s}_C{c}.tif", w=_WELLS, s=(1, 2), c=(1, 2)),
            r"(?P<well>[A-Z]{1,2}\d{1,2})_(?P<site>\d+)_C(?P<channel>\d+)",
        ),
        (
            names_of("R{r}C{c}_F{s}_W{w}.tif", r=(2, 3), c=(3, 4), s=(1, 2), w=(1, 2)),
            r"R(?P<row>\d+)C(?P<col>\d+)_F(?P<site>\d+)_W(?P<channel>\d+)",
        ),
        (
            names_of("R{r}_C{c}_F{s}.tif", r=(2, 3), c=(3, 4), s=(1, 2)),
            r"R(?P<row>\d+)_C(?P<col>\d+)_F(?P<site>\d+)",
        ),
        (
            names_of("C03_R{r}C{c}.tif", r=(1, 2), c=(1, 2)),
            r"(?P<well>[A-Z]{1,2}\d{1,2})_R(?P<site>\d+)C(?P<channel>\d+)",
        ),
        (["R99C3_F1.tif", "R99C3_F2.tif"], None),
        (["scan (1).tif", "scan (2).tif"], None),
        (["Z99.tif"], None),
        ([], None),
    ],
)
def test_proposals(names: list[str], pattern: str | None) -> None:
    proposal = propose(names)
    assert (proposal and proposal.pattern.text) == pattern
    if proposal:
        assert (proposal.covered, proposal.looked_at, proposal.is_unique) == (len(names), len(names), True)


def test_a_proposal_says_what_it_does_not_cover() -> None:
    proposal = propose([*names_of("p_{w}_{c}.tif", w=_WELLS, c=("DAPI", "GFP")), "overview.tif", "p_A01_DAPI_copy.tif"])
    assert proposal is not None
    assert proposal.describe() == "it describes 8 of 10 names"
    doubled = propose(["a A01.tif", "a  A01.tif", "a A02.tif"])
    assert doubled is not None
    assert doubled.describe() == "it describes 2 of 3 names"


def test_the_message_has_names_the_nearest_format_and_a_pattern(tmp_path: Path) -> None:
    write(tmp_path, *names_of("p_{w}_s{s}_{c}.tif", w=_WELLS, s=(1, 2), c=("DAPI", "GFP")))
    with pytest.raises(PlateError) as raised:
        open_plate(tmp_path)
    message = str(raised.value)
    assert "none of its 16 TIFF files (such as p_A01_s1_DAPI.tif, p_A02_s2_GFP.tif, p_B12_s2_DAPI.tif)" in message
    assert "nearest format is ImageXpress (imagexpress), but the names have no _w<channel>" in message
    pattern = re.search(r"try --pattern '(.*)' \(it describes 16 of 16 names\)", message)
    assert pattern is not None
    plate = open_plate(tmp_path, pattern=pattern[1])
    assert (plate.wells, plate.channel_names, plate.problems) == (_WELLS, {1: "DAPI", 2: "GFP"}, ())


def test_the_message_of_names_without_wells_proposes_nothing(tmp_path: Path) -> None:
    write(tmp_path, "a.tif", "deep/b.tif")
    with pytest.raises(
        PlateError, match=r"none of its 2 TIFF files \(such as a\.tif, deep/b\.tif\) .*; for such names use --pattern"
    ):
        open_plate(tmp_path)
    with pytest.raises(PlateError, match="no pattern can be proposed"):
        open_plate(tmp_path, pattern="auto")


def test_a_folder_without_images(tmp_path: Path) -> None:
    for pattern in (None, "auto"):
        with pytest.raises(PlateError, match=r"no (images|TIFF files) in"):
            open_plate(tmp_path, pattern=pattern)


def test_info_with_the_pattern_auto(tmp_path: Path, shared_command: CommandLine) -> None:
    write(tmp_path, *names_of("{w}/f{s}.tif", w=_WELLS, s=(0, 1)), "overview.tif")
    finished, as_json = shared_command.both("info", tmp_path, "--pattern", "auto")
    assert finished.code == as_json.code == 0
    assert r"--pattern '(?P<well>[A-Z]{1,2}\d{1,2})/f(?P<site>\d+)'" in " ".join(finished.stdout.split())
    plate = open_plate(tmp_path, pattern="auto")
    assert plate.components[Component.SITE] == (1, 2)
    assert [problem.kind for problem in plate.problems] == [ProblemKind.NOTE, ProblemKind.STRAY_FILE]
    assert "it describes 8 of 9 names" in plate.problems[0].message


def documented() -> list[tuple[str, str, str]]:
    """Return maker, example and pattern of each entry on the page."""
    text = _PAGE.read_text(encoding="utf-8")
    block = re.search(r"```text\n(Yokogawa.*?)```", text, re.DOTALL)
    assert block is not None
    entries = [entry.splitlines() for entry in block[1].strip().split("\n\n")]
    return [(*head.split(": ", 1), pattern) for head, pattern in entries]


_WITHOUT_Z = ("Cellomics", "IN Cell", "Nikon", "Incucyte")
_OF_A01 = {
    "Nikon JOBS": "WellA01_PointA01_0000_ChannelDAPI_Seq0000.tif",
    "Squid": "0/A1_0_0_BF_LED_matrix_full.tiff",
    "Micro-Manager": "A1-Site_0/img_channel000_position000_time000000000_z000.tif",
    "Olympus ScanR": "A1--W00001--P00001--Z00000--T00000--DAPI.tif",
}
"""The first image of a plate, for names that count from 0."""


@pytest.mark.parametrize(("maker", "name", "pattern"), documented())
def test_patterns_in_the_documentation(tmp_path: Path, maker: str, name: str, pattern: str) -> None:
    """The examples all show well B02, the third field, the fourth plane and the second channel, as far as they tell."""
    first = name.replace("B002", "A001").replace("B02", "A01").replace("B2", "A1").replace("002002", "001001")
    first = first.replace("r02c02", "r01c01").replace("B - 02", "A - 01")
    write(tmp_path, name, _OF_A01.get(maker, first))
    plate = open_plate(tmp_path, pattern=pattern)
    assert plate.wells == ("A01", "B02")
    (image,) = plate.images["B02"]
    assert Path(image.path).name == Path(name).name
    assert image.key.site == 3
    assert image.key.z_index == (1 if maker.startswith(_WITHOUT_Z) else 4)
    assert image.key.timepoint == 1


def test_twelve_makers_are_documented() -> None:
    assert len({maker for maker, _, _ in documented()}) == 12


def test_a_proposal_for_a_large_plate_is_quick() -> None:
    names = names_of("p_{r}{c:02}_f{s:02}_{h}.tif", r="ABCDEFGH", c=range(1, 13), s=range(1, 26), h=("DAPI", "GFP"))
    proposal = propose(names)
    assert proposal is not None
    assert proposal.covered == 4800


def test_an_unknown_format_lists_the_known_ones(tmp_path: Path, shared_command: CommandLine) -> None:
    write(tmp_path, "A01_s1_w1.tif")
    for command in ("info", "compile"):
        finished = shared_command("compile" if command == "compile" else "info", tmp_path, "--format", "nope")
        assert finished.code != 0
        assert "unknown plate format 'nope'; choose one of" in " ".join((finished.stdout + finished.stderr).split())
    with pytest.raises(PlateError, match="exclude each other"):
        open_plate(tmp_path, format="squid", pattern="(?P<well>.*)")


def test_a_format_that_is_named_is_used_and_recorded(tmp_path: Path) -> None:
    write(tmp_path, "A01_0_0_GFP.tif", "A01.tif")
    assert open_plate(tmp_path, format="squid").format == "squid"
    with pytest.raises(PlateError, match="choose one with --format"):
        open_plate(tmp_path)


def test_keys_of_names_in_folders(tmp_path: Path) -> None:
    write(tmp_path, *names_of("{w}/f{s}.tif", w=("A01", "A02"), s=(1, 2)))
    keys = [image.key for image in open_plate(tmp_path, pattern="auto").images["A02"]]
    assert keys == [ImageKey("A02", 1), ImageKey("A02", 2)]


def test_a_folder_of_tiff_files_is_not_a_zarr_group(tmp_path: Path) -> None:
    write(tmp_path, "p_A01_s1_w1.tif")
    with pytest.raises(PlateError, match="is not a zarr group"):
        open_plate(tmp_path, format="ome_zarr")
