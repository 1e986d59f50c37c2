"""IN Cell Analyzer plates: names of several instruments, the .xdce file, damaged files."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates import ProblemKind, StagePosition, make_plate, open_plate
from openhcs_runtime.plates.folder_plate import FolderPlate
from openhcs_runtime.plates.in_cell.names import Name, parse_name

PROTOCOL = (
    '<ObjectiveCalibration magnification="20.0" pixel_height="0.3250" pixel_width="0.3250" unit="\u00b5m"/>'
    '<Camera><Binning value="{binning}"/></Camera><Plate rows="16" columns="24"/>'
    '<PlateMap><ZDimensionParameters number_of_slices="2"/></PlateMap><Wavelengths>'
    '<Wavelength fusion_wave="false" index="0"><ExcitationFilter name="390" wavelength="390"/>'
    '<EmissionFilter name="Blue" wavelength="432"/></Wavelength>'
    '<Wavelength fusion_wave="false" index="1"><ExcitationFilter name="TL-Brightfield" wavelength="0"/>'
    '<EmissionFilter name="Cy3" wavelength="605"/></Wavelength>'
    '<Wavelength fusion_wave="true" index="2"><EmissionFilter name="Fused"/></Wavelength></Wavelengths>'
)


def write(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True, parents=True)
    for one in names:
        tifffile.imwrite(folder / one, np.full((4, 5), 7, np.uint16), metadata=None)


def image(file: str, row: object = 2, column: object = 3, *, f: int = 0, w: int = 0, z: int = 0, t: int = 0) -> str:
    return (
        f'<Image acquisition_time_ms="{t * 90000}" filename="{file}"><Well label="any"><Row number="{row}"/>'
        f'<Column number="{column}"/></Well><FocusPosition unit="\u00b5m" z="{100 + z * 1.5}"/>'
        f'<OffsetFromWellCenter x="{f * 10}" y="20.5"/>'
        f'<Identifier field_index="{f}" time_index="{t}" wave_index="{w}" z_index="{z}"/></Image>'
    )


def xdce(folder: Path, *images: str, binning: str = "1 X 1", name: str = "p.xdce") -> None:
    text = (
        '<?xml version="1.0" encoding="ISO-8859-1"?><ImageStack><AutoLeadAcquisitionProtocol>'
        f"{PROTOCOL.format(binning=binning)}</AutoLeadAcquisitionProtocol><Images>{''.join(images)}</Images></ImageStack>"
    )
    (folder / name).write_bytes(text.encode("latin-1"))


def opened(folder: Path) -> FolderPlate:
    plate = open_plate(folder)
    assert isinstance(plate, FolderPlate)
    assert plate.format == "in_cell"
    return plate


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("A - 1(fld 1 wv DAPI - DAPI z 1 time 1).tif", Name("A01", 1, "DAPI - DAPI", 0, 1, 1)),
        ("A - 01(fld 2 wv 390 - Blue).tif", Name("A01", 2, "390 - Blue", 0, 1, 1)),
        ("Plate1_B - 01(fld 01 wv Green - dsRed z 3).tif", Name("B01", 1, "Green - dsRed", 0, 3, 1)),
        ("H - 12(fld 1 z 4- time 12 - 0 ms).tif", Name("H12", 1, "", 0, 4, 12)),
        ("B - 02(fld 01 wv Blue - FITC - time 01 - 360000 ms).tif", Name("B02", 1, "Blue - FITC", 0, 1, 1)),
        ("B - 4(fld 1 wv Cy5 - Cy5- time 7 - 0 ms).TIFF", Name("B04", 1, "Cy5 - Cy5", 0, 1, 7)),
        ("B - 03(fld 1 wv TL-Brightfield - Cy3 wix 2).tif", Name("B03", 1, "TL-Brightfield - Cy3", 2, 1, 1)),
        ("AF - 048(wv DAPI - DAPI).tif", Name("AF48", 1, "DAPI - DAPI", 0, 1, 1)),
        ("F - 099(fld 1 wv DAPI - DAPI).tif", None),
        ("A01_s1_w1.tif", None),
    ],
)
def test_names(name: str, parts: Name | None) -> None:
    assert parse_name(name) == parts


def test_what_the_xdce_says(tmp_path: Path) -> None:
    files = {
        (f, w, z, t): f"B - 03(fld {f + 1} wv {('390 - Blue', 'TL-Brightfield - Cy3')[w]} z {z + 1} time {t + 1}).tif"
        for f in (0, 1)
        for w in (0, 1)
        for z in (0, 1)
        for t in (0, 1)
    }
    write(tmp_path, *files.values())
    xdce(tmp_path, *(image(file, f=f, w=w, z=z, t=t) for (f, w, z, t), file in files.items()))
    plate = opened(tmp_path)
    assert (plate.wells, len(plate.images["B03"])) == (("B03",), 16)
    assert (plate.pixel_size_um, plate.z_step_um, plate.metadata.time_step_s) == (0.325, 1.5, 90.0)
    assert plate.channel_names == {1: "390 - Blue", 2: "TL-Brightfield - Cy3"}
    assert (plate.metadata.excitation_nm, plate.metadata.emission_nm) == ({1: 390.0}, {1: 432.0, 2: 605.0})
    assert plate.positions == {("B03", 1): StagePosition(-20.5, 0.0), ("B03", 2): StagePosition(-20.5, 10.0)}
    assert (plate.metadata.shape, plate.problems, plate.missing) == ((16, 24), (), {})


def test_names_are_enough(tmp_path: Path) -> None:
    write(tmp_path, "A - 1(fld 1 wv FITC - FITC).tif", "A - 1(fld 1 wv DAPI - DAPI).tif", "overview.tif")
    plate = opened(tmp_path)
    assert (plate.channel_names, plate.pixel_size_um) == ({1: "DAPI - DAPI", 2: "FITC - FITC"}, None)
    assert [problem.kind for problem in plate.problems] == [ProblemKind.STRAY_FILE]


def test_numbers_of_wavelengths_in_names(tmp_path: Path) -> None:
    write(tmp_path, "A - 1(fld 1 wv A - A wix 2).tif", "A - 1(fld 1 wv B - B wix 1).tif")
    assert opened(tmp_path).channel_names == {1: "B - B", 2: "A - A"}


def test_images_in_folders_and_with_other_names(tmp_path: Path) -> None:
    write(tmp_path / "time 1", "t1_B03_s1_w2_z1.tif")
    write(tmp_path, "B - 3(fld 1 wv 390 - Blue).tif")
    xdce(tmp_path, image("time 1\\t1_B03_s1_w2_z1.tif", w=1))
    plate = opened(tmp_path)
    assert [image.key for image in plate.images["B03"]] == [ImageKey("B03", 1, 1), ImageKey("B03", 1, 2)]


def test_a_missing_image_and_an_unlisted_one(tmp_path: Path) -> None:
    names = [f"B - 3(fld {f} wv 390 - Blue).tif" for f in (1, 2, 3)]
    write(tmp_path, names[0], names[2])
    xdce(tmp_path, image(names[0]), image(names[1], f=1), image("C - 3(fld 2 wv 390 - Blue).tif", 3, f=1))
    plate = opened(tmp_path)
    assert plate.components[Component.SITE] == (1, 3)
    assert [problem.message for problem in plate.problems] == [
        "B - 3(fld 3 wv 390 - Blue).tif is not listed in p.xdce; the name is used",
        "no image of well(s) C03, which p.xdce lists",
        "no image of site 2, which p.xdce lists",
    ]


def test_the_size_of_binned_pixels_is_unknown(tmp_path: Path) -> None:
    write(tmp_path, "B - 3(fld 1 wv 390 - Blue).tif")
    xdce(tmp_path, image("B - 3(fld 1 wv 390 - Blue).tif"), binning="2 X 2")
    plate = opened(tmp_path)
    assert plate.pixel_size_um is None
    assert [problem.kind for problem in plate.problems] == [ProblemKind.METADATA]


def test_two_xdce_files(tmp_path: Path) -> None:
    write(tmp_path / "plate", "B - 3(fld 1 wv 390 - Blue).tif")
    xdce(tmp_path / "plate", name="a.xdce", binning="4 X 4")
    xdce(tmp_path / "plate", image("B - 3(fld 1 wv 390 - Blue).tif"), name="plate.xdce")
    plate = opened(tmp_path / "plate")
    assert plate.pixel_size_um == 0.325
    assert plate.problems[0].message == "of 2 .xdce files, only plate.xdce is read"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<ImageStack>", "it is not XML"),
        ("<!DOCTYPE a><ImageStack/>", "document type"),
        (f"<a>{image('x.tif', 0)}</a>", "x.tif: '0' is not a whole number from 1"),
        (f"<a>{image('x.tif', 33)}</a>", "x.tif: row 32, column 2 is outside"),
        ('<a><Image filename="x.tif"><Well/></Image></a>', "x.tif has no Identifier"),
        ('<a><ObjectiveCalibration pixel_width="NaN" pixel_height="1"/></a>', "'NaN' is not a number"),
    ],
)
def test_an_xdce_that_makes_no_sense(tmp_path: Path, text: str, reason: str) -> None:
    write(tmp_path, "B - 3(fld 1 wv 390 - Blue).tif")
    (tmp_path / "p.xdce").write_text(text, encoding="utf-8")
    plate = opened(tmp_path)
    assert plate.wells == ("B03",)
    assert [problem.kind for problem in plate.problems] == [ProblemKind.METADATA]
    assert reason in plate.problems[0].message


def test_text_that_is_not_utf8_and_states_no_encoding(tmp_path: Path) -> None:
    write(tmp_path, "B - 3(fld 1 wv 390 - Blue).tif")
    (tmp_path / "p.xdce").write_bytes(b'<a unit="\xb5m"/>')
    assert "p.xdce can't be understood: it is not valid UTF-8 text" in opened(tmp_path).problems[0].message


def test_an_xdce_without_images(tmp_path: Path) -> None:
    xdce(tmp_path, image("B - 3(fld 1 wv 390 - Blue).tif"))
    with pytest.raises(PlateError, match=r"expected the TIFF files that the \.xdce file lists"):
        open_plate(tmp_path)


@pytest.mark.parametrize(("z", "times"), [(1, 1), (2, 2)])
def test_a_made_plate(tmp_path: Path, z: int, times: int) -> None:
    folder = make_plate(
        tmp_path / "p & q", wells=2, sites=4, channels=2, z=z, timepoints=times, size=32, format="in_cell"
    )
    plate = opened(folder)
    assert (plate.problems, plate.missing) == ((), {})
    assert (plate.pixel_size_um, plate.z_step_um) == (0.65, 2.0 if z > 1 else None)
    assert plate.metadata.time_step_s == (600.0 if times > 1 else None)
    assert (plate.channel_names, plate.metadata.shape) == ({1: "DAPI", 2: "FITC"}, (8, 12))
    assert len(plate.images["A02"]) == 8 * z * times
    assert (plate.positions["A02", 4].y_um, plate.positions["A02", 4].x_um) == pytest.approx((10.4, 10.4))
