"""Yokogawa CV7000/CV8000 plates: records, protocol, actions and timelines, errors, damaged files."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates import ProblemKind, StagePosition, make_plate, open_plate
from openhcs_runtime.plates.folder_plate import FolderPlate

BTS = 'xmlns:bts="http://www.yokogawa.co.jp/BTS/BTSSchema/1.0"'
PLATE = "AssayPlate_X_1"
MES = f"""\ufeff<?xml version="1.0" encoding="utf-8"?>
<bts:MeasurementSetting {BTS}>
  <bts:LightSourceList><bts:LightSource bts:Name="405nm" bts:WaveLength="405" />
    <bts:LightSource bts:Name="Lamp" bts:WaveLength="0" /></bts:LightSourceList>
  <bts:ChannelList>
    <bts:Channel bts:Ch="1" bts:Target="405" bts:Acquisition="BP445/45" bts:Fluorophore="Hoechst">
      <bts:LightSourceName>405nm</bts:LightSourceName></bts:Channel>
    <bts:Channel bts:Ch="2" bts:Target="BF" bts:Acquisition="Through"><bts:LightSourceName>Lamp</bts:LightSourceName>
    </bts:Channel>
    <bts:Channel bts:Ch="3" bts:Target="BF" bts:Acquisition="BP525" />
  </bts:ChannelList>
</bts:MeasurementSetting>"""


def name(well: str, *, t: int = 1, f: int = 1, line: int = 1, a: int = 1, z: int = 1, c: int = 1) -> str:
    return f"{PLATE}_{well}_T{t:04d}F{f:03d}L{line:02d}A{a:02d}Z{z:02d}C{c:02d}.tif"


def write(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True, parents=True)
    for one in names:
        tifffile.imwrite(folder / one, np.full((4, 5), 7, np.uint16), metadata=None)


def record(file: str, row: int, column: int, *, minute: int = 0, extra: str = "", **said: object) -> str:
    values = {"TimePoint": 1, "FieldIndex": 1, "ZIndex": 1, "TimelineIndex": 1, "ActionIndex": 1, "Ch": 1} | said
    return (
        f'<bts:MeasurementRecord bts:Type="IMG" bts:Time="2024-03-01T10:{minute:02d}:00.000+01:00" bts:Row="{row}" '
        f'bts:Column="{column}" {" ".join(f"""bts:{key}="{value}" """ for key, value in values.items())} {extra}>'
        f"{file}</bts:MeasurementRecord>"
    )


def mlf(folder: Path, *records: str) -> None:
    text = f'<?xml version="1.0" encoding="utf-8"?><bts:MeasurementData {BTS}>{"".join(records)}</bts:MeasurementData>'
    (folder / "MeasurementData.mlf").write_text(text, encoding="utf-8")


def mrf(folder: Path, *sizes: tuple[float, float], settings: str = "p.mes") -> None:
    channels = "".join(
        f'<bts:MeasurementChannel bts:Ch="{n}" bts:HorizontalPixelDimension="{x}" bts:VerticalPixelDimension="{y}" '
        f'bts:ShadingCorrectionSource="Shade{n}.tif" />'
        for n, (x, y) in enumerate(sizes, start=1)
    )
    (folder / "MeasurementDetail.mrf").write_text(
        f'<bts:MeasurementDetail bts:RowCount="16" bts:ColumnCount="24" {BTS} '
        f'bts:MeasurementSettingFileName="{settings}">'
        f"{channels}</bts:MeasurementDetail>"
    )


def opened(folder: Path) -> FolderPlate:
    plate = open_plate(folder)
    assert isinstance(plate, FolderPlate)
    assert plate.format == "yokogawa_cv"
    return plate


def test_what_the_files_say(tmp_path: Path) -> None:
    names = [name("D08", f=f, z=z, t=t) for f in (1, 2) for z in (1, 2, 3) for t in (1, 2)]
    write(tmp_path, *names, "SC_BP445_M01_CH01.tif", "Shade1.tif")
    mlf(
        tmp_path,
        *(
            record(
                name("D08", f=f, z=z, t=t),
                4,
                8,
                FieldIndex=f,
                ZIndex=z,
                TimePoint=t,
                minute=5 * t,
                X=-10.5 * f,
                Y=20.25,
                Z=1.5 * (z - 1),
            )
            for f in (1, 2)
            for z in (1, 2, 3)
            for t in (1, 2)
        ),
    )
    mrf(tmp_path, (0.325, 0.325), (0.65, 0.65))
    (tmp_path / "p.mes").write_text(MES)
    (tmp_path / "other.mes").write_text("not this one")
    plate = opened(tmp_path)
    assert plate.wells == ("D08",)
    assert {component: len(values) for component, values in plate.components.items()} == {
        Component.WELL: 1,
        Component.SITE: 2,
        Component.CHANNEL: 1,
        Component.Z_INDEX: 3,
        Component.TIMEPOINT: 2,
    }
    assert plate.positions == {("D08", 1): StagePosition(-20.25, -10.5), ("D08", 2): StagePosition(-20.25, -21.0)}
    assert (plate.pixel_size_um, plate.z_step_um, plate.metadata.time_step_s) == (0.325, 1.5, 300.0)
    assert (plate.channel_names, plate.metadata.shape) == ({1: "Hoechst"}, (16, 24))
    assert (plate.metadata.excitation_nm, plate.metadata.emission_nm) == ({1: 405.0}, {1: 445.0})
    assert (plate.missing, plate.left_out) == ({}, 2)
    assert [problem.kind for problem in plate.problems] == [ProblemKind.STRAY_FILE]


def test_names_are_enough(tmp_path: Path) -> None:
    write(tmp_path, name("A01", c=1), name("AF48", c=2), "overview.tif", "x_Z99_T0001F001L01A01Z01C01.tif")
    plate = opened(tmp_path)
    assert plate.wells == ("A01", "AF48")
    assert (plate.pixel_size_um, plate.z_step_um, plate.channel_names, plate.positions) == (None, None, {}, {})
    strays = [problem.message for problem in plate.problems if problem.kind is ProblemKind.STRAY_FILE]
    assert [message.partition(" ")[0] for message in strays] == ["overview.tif", "x_Z99_T0001F001L01A01Z01C01.tif"]


def test_images_in_a_folder_of_their_own(tmp_path: Path) -> None:
    write(tmp_path / "Image", name("A01"))
    mlf(tmp_path, record(f"Image\\{name('A01')}", 1, 1, X=1, Y=2))
    plate = opened(tmp_path)
    assert (plate.wells, plate.problems) == (("A01",), ())
    assert plate.positions == {("A01", 1): StagePosition(-2.0, 1.0)}


def test_images_that_only_the_list_knows_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    files = ["W0001F0001T0001Z001C1.tif", "W0001F0001T0001Z002C1.tif"]
    write(tmp_path / "Image", *files)
    write(tmp_path / "Projection", files[0], "other.tif")
    write(tmp_path / "Elsewhere", files[0])
    mlf(
        tmp_path,
        *(record(f"Image\\{file}", 2, 3, ZIndex=z) for z, file in enumerate(files, start=1)),
        record(f"Projection\\{files[0]}", 2, 3, ZIndex=0, ActionIndex=2, extra='bts:ZImageProcessing="Maximum"'),
    )
    plate = opened(tmp_path)
    assert [Path(image.path).relative_to(tmp_path).as_posix() for image in plate.images["B03"]] == [
        f"Image/{file}" for file in files
    ]
    assert [problem.message.partition(":")[0] for problem in plate.problems] == [
        "1 projection of channel 1, such as W0001F0001T0001Z001C1.tif",
        "other.tif is not an image of the plate",
    ]


def test_listed_images_that_are_missing(tmp_path: Path) -> None:
    write(tmp_path, name("A01"))
    mlf(tmp_path, record(name("A01"), 1, 1), record(name("A01", z=2), 1, 1, ZIndex=2), record(name("E03"), 5, 3))
    plate = opened(tmp_path)
    assert [problem.message for problem in plate.problems] == [
        "no image of well(s) E03, which MeasurementData.mlf lists",
        "no image of z 2, which MeasurementData.mlf lists",
    ]


def test_the_same_channel_in_two_actions(tmp_path: Path) -> None:
    files = [name("A01", a=1, z=1), name("A01", a=1, z=2), name("A01", a=3, z=1), name("A01", a=2, c=2)]
    write(tmp_path, *files)
    (tmp_path / "only.mes").write_text(MES)
    plate = opened(tmp_path)
    assert [image.key for image in plate.images["A01"]] == [
        ImageKey("A01", 1, 1, 1),
        ImageKey("A01", 1, 1, 2),
        ImageKey("A01", 1, 2, 1),
        ImageKey("A01", 1, 3, 1),
    ]
    assert plate.channel_names == {1: "Hoechst", 2: "BF Through", 3: "Hoechst (timeline 1, action 3)"}
    assert [problem.message for problem in plate.problems if problem.kind is ProblemKind.NOTE] == [
        "channel 3 is channel 1 as taken by action 3 of timeline 1, which takes the same planes again"
    ]
    assert not any(problem.kind is ProblemKind.DUPLICATE for problem in plate.problems)


def test_timelines_of_different_wells_share_channels(tmp_path: Path) -> None:
    write(tmp_path, *(name("A01", a=a) for a in (1, 2)), *(name("B01", line=2, a=a) for a in (1, 2)))
    plate = opened(tmp_path)
    assert plate.components[Component.CHANNEL] == (1, 2)
    assert {well: len(images) for well, images in plate.images.items()} == {"A01": 2, "B01": 2}
    assert plate.missing == {}


def test_errors_of_the_microscope_are_reported(tmp_path: Path) -> None:
    write(tmp_path, name("A01"))
    error = (
        '<bts:MeasurementRecord bts:Type="ERR" bts:Time="2020-01-01T11:00:00.000+01:00" bts:Column="14" bts:Row="3" '
        'bts:TimePoint="1" bts:PartialTileIndex="1" bts:TimelineIndex="1" bts:X="-20.0" bts:Y="25.0">'
        "AF Error at C14 No. 0</bts:MeasurementRecord>"
    )
    mlf(tmp_path, record(name("A01"), 1, 1), error, error)
    plate = opened(tmp_path)
    assert plate.wells == ("A01",)
    assert [(problem.well, problem.message) for problem in plate.problems] == [
        ("C14", "MeasurementData.mlf reports 2 errors in well(s) C14, such as: AF Error at C14 No. 0")
    ]


def test_an_error_of_no_well(tmp_path: Path) -> None:
    write(tmp_path, name("A01"))
    error = '<bts:MeasurementRecord bts:Type="ERR">Laser is off</bts:MeasurementRecord>'
    mlf(tmp_path, record(name("A01"), 1, 1), error)
    assert [(problem.well, problem.message) for problem in opened(tmp_path).problems] == [
        ("", "MeasurementData.mlf reports 1 error, such as: Laser is off")
    ]


def test_projections_of_channels_with_planes_are_left_out(tmp_path: Path) -> None:
    planes = [name("A01", z=z) for z in (1, 2)]
    write(tmp_path, *planes, name("A01", a=2), name("A01", a=3, c=2))
    made = 'bts:ZImageProcessing="MaximumIntensity"'
    mlf(
        tmp_path,
        *(record(file, 1, 1, ZIndex=z) for z, file in enumerate(planes, start=1)),
        record(name("A01", a=2), 1, 1, ActionIndex=2, extra=made),
        record(name("A01", a=3, c=2), 1, 1, ActionIndex=3, Ch=2, extra=made),
    )
    plate = opened(tmp_path)
    assert [(image.key.channel, image.key.z_index) for image in plate.images["A01"]] == [(1, 1), (1, 2), (2, 0)]
    assert ["1 projection of channel 1" in problem.message for problem in plate.problems] == [True]


def test_a_pixel_size_that_channels_do_not_agree_on_is_unknown(tmp_path: Path) -> None:
    write(tmp_path, name("A01"), name("A01", c=2))
    mrf(tmp_path, (0.325, 0.325), (0.65, 0.65))
    plate = opened(tmp_path)
    assert plate.pixel_size_um is None
    assert "channel 1 0.325 x 0.325 um, channel 2 0.65 x 0.65 um" in plate.problems[0].message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "it is not XML"),
        ("<bts:MeasurementData>", "it is not XML"),
        (f"<!DOCTYPE a [<!ENTITY b 'c'>]><bts:MeasurementData {BTS}>&b;</bts:MeasurementData>", "document type"),
        (f"<a {BTS}>{record('x.tif', 0, 1)}</a>", "Row of x.tif: '0' is not a whole number from 1"),
        (f"<a {BTS}>{record('x.tif', 40, 1)}</a>", "row 39, column 0 is outside a 1536-well plate"),
        (f"<a {BTS}>{record('x.tif', 1, 1, X='NaN')}</a>", "X of x.tif: 'NaN' is not a number"),
        (f"<a {BTS}>{record('x.tif', 1, 1, Z='inf')}</a>", "Z of x.tif: 'inf' is not a number"),
    ],
)
def test_a_list_of_images_that_makes_no_sense(tmp_path: Path, content: str, reason: str) -> None:
    write(tmp_path, name("A01"))
    (tmp_path / "MeasurementData.mlf").write_text(content)
    plate = opened(tmp_path)
    assert plate.wells == ("A01",)
    assert [problem.kind for problem in plate.problems] == [ProblemKind.METADATA]
    assert plate.problems[0].message.startswith("MeasurementData.mlf can't be understood: ")
    assert reason in plate.problems[0].message


def test_other_files_that_make_no_sense(tmp_path: Path) -> None:
    write(tmp_path, name("A01"))
    mrf(tmp_path, (float("nan"), 0.65))
    (tmp_path / "p.mes").write_bytes(MES.encode() + b"\xe4")
    plate = opened(tmp_path)
    assert [problem.message.partition(":")[0] for problem in plate.problems] == [
        "MeasurementDetail.mrf can't be understood",
        "p.mes can't be understood",
    ]
    assert (plate.pixel_size_um, plate.channel_names) == (None, {})


def test_a_measurement_without_images(tmp_path: Path) -> None:
    mlf(tmp_path, record(name("A01"), 1, 1))
    with pytest.raises(PlateError, match=r"no images in .*: copy the images into the folder of MeasurementData\.mlf"):
        open_plate(tmp_path)


def test_a_made_plate(tmp_path: Path) -> None:
    folder = make_plate(
        tmp_path / "p & q", wells=2, sites=4, channels=2, z=2, timepoints=2, size=32, format="yokogawa_cv"
    )
    plate = opened(folder)
    assert (plate.problems, plate.missing) == ((), {})
    assert (plate.pixel_size_um, plate.z_step_um, plate.metadata.time_step_s) == (0.65, 2.0, 600.0)
    assert (plate.channel_names, plate.metadata.shape) == ({1: "DAPI", 2: "FITC"}, (8, 12))
    assert len(plate.images["A02"]) == 32
    assert (plate.positions["A02", 4].y_um, plate.positions["A02", 4].x_um) == pytest.approx((10.4, 10.4))
