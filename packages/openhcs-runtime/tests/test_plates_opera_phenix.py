"""Opera Phenix measurements: names, Index.xml of several versions, what is missing."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.functions import correct_flat_field
from openhcs_runtime.plates import ProblemKind, make_plate, open_plate
from openhcs_runtime.plates.folder_plate import FolderPlate

V1 = "http://www.perkinelmer.com/PEHH/HarmonyV1"
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


def opened(folder: Path) -> FolderPlate:
    plate = open_plate(folder)
    assert isinstance(plate, FolderPlate)
    assert plate.format == "opera_phenix"
    return plate


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


FOREGROUND = "[[1.2], [0.1, -0.2], [-1.5, 0.05, -1.1]]"
PROFILE = (
    "{{Background: {{Character: NonFlat, Mean: 1039.144, NonFlatness: {{Corrected: 0.05}}, Profile: {{Coefficients: "
    "[[1.1]], Dims: [40, 20], Origin: [19.5, 9.5], Scale: [0.025, 0.05], Type: Polynomial}}}}, Channel: 1, "
    "ChannelName: Alexa 647, long, Foreground: {{Character: NonFlat, Profile: {{Coefficients: {coefficients}, "
    "Dims: [40, 20], Origin: [19.5, 9.5], Scale: [0.025, 0.05], Type: Polynomial}}}}, Version: Acapella:2013}}"
)
FLAT = "{Background: {Character: Null, Profile: {Type: Identity}, Quality: 1}, Channel: 2, ChannelName: Brightfield}"


def with_profiles(*texts: str) -> str:
    entries = "".join(
        f"<Entry ChannelID='{n}'><FlatfieldProfile>{text}</FlatfieldProfile></Entry>"
        for n, text in enumerate(texts, start=1)
    )
    return index(V6, maps=True).replace("<Maps>", f"<Maps><Map>{entries}</Map>")


def test_flat_field_profiles(folder: Path) -> None:
    text = PROFILE.format(coefficients=FOREGROUND)
    path = folder / "Images" / "Index.xml"
    path.write_text(with_profiles(text, FLAT))
    plate = opened(folder)
    assert plate.problems == ()
    light = plate.metadata.flat_fields[1].image((20, 40))
    rows, columns = np.mgrid[0:20, 0:40]
    x, y = (columns - 19.5) * 0.025, (rows - 9.5) * 0.05
    expected = 1.2 + 0.1 * x - 0.2 * y - 1.5 * x**2 + 0.05 * x * y - 1.1 * y**2
    np.testing.assert_allclose(light, expected, rtol=1e-5)
    binned = plate.metadata.flat_fields[1].image((10, 20))
    np.testing.assert_allclose(binned, expected.reshape(10, 2, 20, 2).mean(axis=(1, 3)), atol=0.01)
    assert plate.metadata.flat_fields[2].image((2, 3)).tolist() == [[1, 1, 1], [1, 1, 1]]
    with pytest.raises(ValueError, match="profile is of images of 20 x 40 pixels, but the images have 20 x 20"):
        plate.metadata.flat_fields[1].image((20, 20))
    plane = (expected[np.newaxis] * 1000).astype(np.uint16)
    for made in (
        correct_flat_field(plane, flat_field=path, channel=1),
        correct_flat_field(plane, flat_field=light),
    ):
        assert made.std() < 1
    assert correct_flat_field(plane, flat_field=str(path), channel=2).tolist() == plane.tolist()
    with pytest.raises(ValueError, match="give the channel whose profile"):
        correct_flat_field(plane, flat_field=path)
    with pytest.raises(ValueError, match=r"no flat-field profile of channel 3 \(it has those of: 1, 2\)"):
        correct_flat_field(plane, flat_field=path, channel=3)


def test_flat_field_profiles_as_json_in_a_folder_of_their_own(folder: Path) -> None:
    (folder / "Images" / "Index.xml").write_text(index(V7, maps=True))
    (folder / "FFC_Profile").mkdir()
    part = {"Coefficients": [[1.0], [0.1, 0.2]], "Dims": [5, 4], "Origin": [2, 1.5], "Scale": [1, 1]}
    text = json.dumps({"Background": {"Character": "NonFlat", "Profile": {**part, "Type": "Polynomial"}}})
    entry = f'<Entry ChannelID="2"><FlatfieldProfile>{text}</FlatfieldProfile></Entry>'
    (folder / "FFC_Profile" / "FFC_Profile_Measurement 1.xml").write_text(f'<a xmlns="{V7}"><Map>{entry}</Map></a>')
    light = opened(folder).metadata.flat_fields[2].image((4, 5))
    assert (light[0, 0], light[3, 4]) == (pytest.approx(0.5), pytest.approx(1.5))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("flat", "it is not of the form"),
        ("{Foreground: {Profile: {Type: Spline}}}", "Foreground is not a polynomial"),
        ("{a: {}, b}", "a colon is missing at character 10"),
        (
            PROFILE.format(coefficients="[[1.0], [2]]"),
            "coefficients of Foreground are not complete",
        ),
        (PROFILE.format(coefficients="[[NaN]]"), "'NaN' is not a number"),
        (PROFILE.format(coefficients="[[[1]]]"), "'' is not a number"),
        ("{a: [[1] 2]}", "a comma is missing at character 10"),
        ("{a: " * 5000, "it is nested too deeply"),
        ("{a: [", "it is not complete"),
        ('{a: "b', "the quote at character 5 does not end"),
    ],
)
def test_a_flat_field_profile_that_makes_no_sense(folder: Path, text: str, reason: str) -> None:
    (folder / "Images" / "Index.xml").write_text(with_profiles(text))
    plate = opened(folder)
    assert (plate.metadata.flat_fields, plate.pixel_size_um) == ({}, 0.2983)
    assert [problem.kind for problem in plate.problems] == [ProblemKind.METADATA]
    assert "Index.xml can't be understood: the flat-field profile of channel 1: " in plate.problems[0].message
    assert reason in plate.problems[0].message


def test_wavelengths_times_and_the_size_of_the_plate(tmp_path: Path) -> None:
    names = [f"r01c02f01p01-ch{c}sk{t}fk1fl1.tiff" for c in (1, 2) for t in (1, 2, 3)]
    write(tmp_path, *names)
    images = "".join(
        f"<Image><URL>{one}</URL><ChannelID>{one[15]}</ChannelID>"
        f'<MeasurementTimeOffset Unit="s">{90.5 * (int(one[18]) - 1)}</MeasurementTimeOffset>'
        f'<MainExcitationWavelength Unit="nm">{(375, 740)[int(one[15]) - 1]}</MainExcitationWavelength>'
        f'<MainEmissionWavelength Unit="nm">{(456, 0)[int(one[15]) - 1]}</MainEmissionWavelength></Image>'
        for one in names
    )
    plates = "<Plates><Plate><PlateRows>16</PlateRows><PlateColumns>24</PlateColumns></Plate></Plates>"
    (tmp_path / "Index.ref.xml").write_text(f'<a xmlns="{V1}">{plates}<Images>{images}</Images></a>')
    plate = opened(tmp_path)
    assert (plate.metadata.shape, plate.metadata.time_step_s, plate.problems) == ((16, 24), 90.5, ())
    assert (plate.metadata.excitation_nm, plate.metadata.emission_nm) == ({1: 375.0, 2: 740.0}, {1: 456.0})


def test_an_export_for_other_programs(tmp_path: Path) -> None:
    (tmp_path / "m" / "Images").mkdir(parents=True)
    write(tmp_path / "m" / "Images" / "flex", name(1, 1, 1, 1))
    (tmp_path / "m" / "Index.idx.xml").write_text(index(V5, maps=False))
    plate = opened(tmp_path / "m")
    assert (plate.wells, plate.pixel_size_um) == (("A01",), 0.2983)


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


@pytest.mark.parametrize(
    "text",
    [
        "<EvaluationInputData>",
        "",
        "<!DOCTYPE a><EvaluationInputData/>",
        index(V6, maps=True).replace(">0.000325<", ">high<"),
        index(V6, maps=True).replace(">0.000325<", ">NaN<"),
        index(V6, maps=True).replace("2.9830E-07", "inf"),
    ],
)
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
    plate = opened(folder)
    assert (plate.z_step_um, plate.metadata.time_step_s, plate.metadata.shape) == (2.0, 600.0, (8, 12))
    assert plate.metadata.emission_nm == {1: 456.0, 2: 522.0}
    assert (plate.problems, plate.pixel_size_um) == ((), 0.65)
    assert len(plate.images["A01"]) == 32
    assert (plate.positions["A02", 4].y_um, plate.positions["A02", 4].x_um) == pytest.approx((10.4, 10.4))


@pytest.mark.parametrize(
    ("x", "y", "reason"),
    [
        ('Unit="furlong">0.5', 'Unit="m">5E-07', "the unit of ImageResolutionX is 'furlong'"),
        ('Unit="m">0', 'Unit="m">5E-07', "ImageResolutionX is 0"),
        ('Unit="m">5E-07', 'Unit="m">-5E-07', "ImageResolutionY is -5E-07"),
        ('Unit="m">5E-07', 'Unit="m">6E-07', "sizes of 0.5 and 0.6 um are stated"),
    ],
)
def test_a_pixel_size_that_can_not_be_used_has_a_reason(tmp_path: Path, x: str, y: str, reason: str) -> None:
    write(tmp_path, name(1, 1, 1, 1))
    sizes = f"<ImageResolutionX {x}</ImageResolutionX><ImageResolutionY {y}</ImageResolutionY>"
    image = f"<Image><URL>{name(1, 1, 1, 1)}</URL><ChannelID>1</ChannelID>{sizes}</Image>"
    (tmp_path / "Index.idx.xml").write_text(f'<EvaluationInputData xmlns="{V5}">{image}</EvaluationInputData>')
    plate = opened(tmp_path)
    assert plate.pixel_size_um is None
    (problem,) = plate.problems
    assert problem.kind is ProblemKind.METADATA
    assert problem.message == f"the pixel size in Index.idx.xml is not used: {reason}"


@pytest.mark.parametrize(("metres", "shown"), [("5E-03", "5000"), ("5E-10", "0.0005")])
def test_a_pixel_size_that_no_microscope_has(tmp_path: Path, metres: str, shown: str) -> None:
    write(tmp_path, name(1, 1, 1, 1))
    size = f'<ImageResolutionX Unit="m">{metres}</ImageResolutionX>'
    image = f"<Image><URL>{name(1, 1, 1, 1)}</URL><ChannelID>1</ChannelID>{size}</Image>"
    (tmp_path / "Index.xml").write_text(f'<EvaluationInputData xmlns="{V5}">{image}</EvaluationInputData>')
    plate = opened(tmp_path)
    assert plate.pixel_size_um is None
    (problem,) = plate.problems
    assert problem.message.startswith(f"the pixel size of {shown} um in Index.xml is not used: it is not between")
