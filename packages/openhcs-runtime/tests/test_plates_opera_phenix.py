"""Opera Phenix measurements: names, Index.xml of several versions, what is missing."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.plates import ProblemKind, make_plate, open_plate

V5 = "http://www.perkinelmer.com/PEHH/HarmonyV5"
V6 = "http://www.perkinelmer.com/PEHH/HarmonyV6"
V7 = "43B2A954-E3C3-47E1-B392-6635266B0DD3/HarmonyV7"


def write(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        tifffile.imwrite(folder / name, np.full((4, 5), 7, np.uint16), metadata=None)


def name(row: int, column: int, field: int, channel: int) -> str:
    return f"r{row:02d}c{column:02d}f{field:02d}p01-ch{channel}sk1fk1fl1.tiff"


def index(namespace: str, *, maps: bool) -> str:
    """Two wells, two fields, two channels; `maps`: channels are described once instead of with each image."""
    described = '<ChannelName>{channel}</ChannelName><ImageResolutionX Unit="m">2.9830E-07</ImageResolutionX>'
    names = {1: "HOECHST 33342", 2: "Alexa 488"}
    images = "".join(
        f"<Image Version='1'><id>{row}{column}K1F{field}P1R{channel}</id><State>Ok</State>"
        f"<URL>{name(row, column, field, channel)}</URL><Row>{row}</Row><Col>{column}</Col><FieldID>{field}</FieldID>"
        f"<PlaneID>1</PlaneID><TimepointID>0</TimepointID><ChannelID>{channel}</ChannelID>"
        f"{'' if maps else described.format(channel=names[channel])}"
        f'<PositionX Unit="m">{(field - 1) * 6.5e-4}</PositionX><PositionY Unit="m">0.000325</PositionY></Image>'
        for row, column in ((1, 1), (2, 3))
        for field in (1, 2)
        for channel in (1, 2)
    )
    entries = "".join(
        f"<Entry ChannelID='{channel}'>{described.format(channel=text)}</Entry>" for channel, text in names.items()
    )
    return (
        f'<?xml version="1.0" encoding="utf-8"?><EvaluationInputData xmlns="{namespace}" Version="1">'
        "<Plates><Plate><PlateID>x</PlateID></Plate></Plates>"
        "<Wells><Well><id>0101</id><Image id='0101K1F1P1R1' /></Well></Wells>"
        f"{f'<Maps><Map>{entries}</Map></Maps>' if maps else ''}<Images>{images}</Images></EvaluationInputData>"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = [
        name(row, column, field, channel) for row, column in ((1, 1), (2, 3)) for field in (1, 2) for channel in (1, 2)
    ]
    write(tmp_path / "Images", *images)
    return tmp_path


@pytest.mark.parametrize("file", ["Index.xml", "Index.idx.xml"])
@pytest.mark.parametrize(("namespace", "maps"), [(V5, False), (V6, True), (V7, True), ("", False)])
def test_what_the_index_says(folder: Path, namespace: str, maps: bool, file: str) -> None:
    (folder / "Images" / file).write_bytes(b"\xef\xbb\xbf" + index(namespace, maps=maps).encode())
    plate = open_plate(folder)
    assert plate.format == "opera_phenix"
    assert plate.wells == ("A01", "B03")
    assert plate.channel_names == {1: "HOECHST 33342", 2: "Alexa 488"}
    assert plate.pixel_size_um == 0.2983
    assert (plate.positions["B03", 2].y_um, plate.positions["B03", 2].x_um) == pytest.approx((-325, 650))
    assert len(plate.positions) == 4
    assert plate.problems == ()


def test_without_an_index_the_names_are_enough(folder: Path) -> None:
    plate = open_plate(folder / "Images")
    assert plate.wells == ("A01", "B03")
    assert plate.components[Component.SITE] == (1, 2)
    assert (plate.channel_names, plate.positions, plate.pixel_size_um) == ({}, {}, None)
    image = plate.images["B03"][-1]
    assert image.key == ImageKey("B03", 2, 2)
    assert plate.read(image).shape == (4, 5)


def test_an_image_of_the_index_that_is_not_there_is_missing(folder: Path) -> None:
    (folder / "Images" / "Index.xml").write_text(index(V6, maps=True))
    (folder / "Images" / name(2, 3, 2, 2)).unlink()
    assert open_plate(folder).missing == {"B03": (ImageKey("B03", 2, 2),)}


@pytest.mark.parametrize("text", ["<EvaluationInputData>", "", index(V6, maps=True).replace(">0.000325<", ">high<")])
def test_an_index_that_makes_no_sense_is_named_and_the_names_are_used(folder: Path, text: str) -> None:
    (folder / "Images" / "Index.xml").write_text(text)
    plate = open_plate(folder)
    assert [problem.kind for problem in plate.problems] == [ProblemKind.METADATA]
    assert "Index.xml can't be understood" in plate.problems[0].message
    assert len(plate.images["A01"]) == 4


def test_strays_are_named(folder: Path) -> None:
    write(folder / "Images", "overview.tif", "r40c01f01p01-ch1sk1fk1fl1.tiff", "r01c01f01p01-ch1sk1fk2fl1.tiff")
    plate = open_plate(folder)
    assert [problem.kind for problem in plate.problems] == [ProblemKind.STRAY_FILE] * 3
    assert all(any(stray in problem.message for problem in plate.problems) for stray in ("overview", "r40", "fk2"))
    assert plate.missing == {}


def test_newer_names_and_time_points(tmp_path: Path) -> None:
    write(tmp_path, *(f"r01c02f{field:03d}p02-ch1t{t:02d}.tiff" for field in (1, 12) for t in (0, 1)))
    plate = open_plate(tmp_path)
    assert plate.wells == ("A02",)
    assert plate.components[Component.SITE] == (1, 12)
    assert plate.components[Component.TIMEPOINT] == (1, 2)


def test_a_made_plate(tmp_path: Path) -> None:
    folder = make_plate(tmp_path / "p", wells=2, sites=4, channels=2, z=2, timepoints=2, size=32, format="opera_phenix")
    plate = open_plate(folder)
    assert (plate.problems, plate.pixel_size_um) == ((), 0.65)
    assert len(plate.images["A01"]) == 32
    assert (plate.positions["A02", 4].y_um, plate.positions["A02", 4].x_um) == pytest.approx((10.4, 10.4))
