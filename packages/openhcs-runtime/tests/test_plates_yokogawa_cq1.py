"""Yokogawa CQ1 plates: wells by number, the OME-XML of a measurement, what is refused."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates import ProblemKind, StagePosition, make_plate, open_plate
from openhcs_runtime.plates.folder_plate import FolderPlate

OME = "http://www.openmicroscopy.org/Schemas/OME/2013-06"


def name(well: int, *, f: int = 1, t: int = 1, z: int = 1, c: int = 1) -> str:
    return f"W{well:04d}F{f:04d}T{t:04d}Z{z:03d}C{c}.tif"


def write(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True, parents=True)
    for one in names:
        tifffile.imwrite(folder / one, np.full((4, 5), 7, np.uint16), metadata=None)


def ome(*images: str, rows: int = 8, columns: int = 12, wells: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><OME xmlns="{OME}"><Plate ID="Plate:0" Rows="{rows}" '
        f'Columns="{columns}">{wells}</Plate><Image ID="Image:0" Name="TitleImage"><Pixels PhysicalSizeX="9" '
        f'PhysicalSizeY="9"/></Image>{"".join(images)}</OME>'
    )


def well(row: int, column: int, *images: str) -> str:
    samples = "".join(f'<WellSample Index="1"><ImageRef ID="{image}"/></WellSample>' for image in images)
    return f'<Well Row="{row}" Column="{column}">{samples}</Well>'


def image(identifier: str, files: dict[tuple[int, int, int], str], *, x: object = 100, y: object = 50) -> str:
    """`files`: channel, z and time point, from 0."""
    data = "".join(
        f'<TiffData FirstC="{c}" FirstZ="{z}" FirstT="{t}"><UUID FileName="Image\\{file}"/></TiffData>'
        f'<Plane TheC="{c}" TheZ="{z}" TheT="{t}" DeltaT="{t * 60}" PositionX="{x}" PositionY="{y}" '
        f'PositionZ="{z * 2.5}"/>'
        for (c, z, t), file in files.items()
    )
    return (
        f'<Image ID="{identifier}" Name="any"><Pixels SizeC="2" PhysicalSizeX="0.325" PhysicalSizeY="0.325" '
        'PhysicalSizeZ="2"><Channel Name="CH1" ExcitationWavelength="405" EmissionWavelength="447"/>'
        f'<Channel Name="CH4" ExcitationWavelength="0"/>{data}</Pixels></Image>'
    )


def opened(folder: Path) -> FolderPlate:
    plate = open_plate(folder)
    assert isinstance(plate, FolderPlate)
    assert plate.format == "yokogawa_cq1"
    return plate


def test_what_the_measurement_says(tmp_path: Path) -> None:
    files = {(c, z, t): name(18, f=2, z=z + 1, t=t + 1, c=(1, 4)[c]) for c in (0, 1) for z in (0, 1) for t in (0, 1, 2)}
    write(tmp_path / "Image", *files.values())
    text = ome(image("Image:7", files), wells=well(1, 5, "Image:7"))
    (tmp_path / "MeasurementResult.ome.xml").write_text(text)
    (tmp_path / "MeasurementResultMIP.ome.xml").write_text("not this one")
    plate = opened(tmp_path)
    assert (plate.wells, plate.components[Component.CHANNEL]) == (("B06",), (1, 4))
    assert plate.components[Component.TIMEPOINT] == (1, 2, 3)
    assert (plate.pixel_size_um, plate.z_step_um, plate.metadata.time_step_s) == (0.325, 2.5, 60.0)
    assert plate.positions == {("B06", 2): StagePosition(-50.0, 100.0)}
    assert (plate.channel_names, plate.metadata.shape) == ({1: "CH1", 4: "CH4"}, (8, 12))
    assert (plate.metadata.excitation_nm, plate.metadata.emission_nm) == ({1: 405.0}, {1: 447.0})
    assert (plate.problems, plate.missing) == ((), {})
    assert opened(tmp_path / "Image").positions == plate.positions


@pytest.mark.parametrize(("rows", "columns", "place"), [(8, 12, "B06"), (16, 24, "A18"), (4, 6, "C06")])
def test_wells_are_counted_row_by_row(tmp_path: Path, rows: int, columns: int, place: str) -> None:
    write(tmp_path, name(18), name(2000), "overview.tif")
    (tmp_path / "Any.ome.xml").write_text(ome(rows=rows, columns=columns))
    plate = opened(tmp_path)
    assert plate.wells == (place,)
    assert [problem.message for problem in plate.problems] == [
        f"W2000F0001T0001Z001C1.tif is not an image of the plate: a plate of {rows} x {columns} wells has no well 2000",
        "overview.tif is not an image of the plate: its name is not of the form W0018F0001T0001Z001C1",
    ]


def test_a_missing_image(tmp_path: Path) -> None:
    files = {(0, z, 0): name(1, z=z + 1) for z in (0, 1)}
    write(tmp_path, *files.values(), name(2))
    text = ome(
        image("a", files),
        image("b", {(0, z, 0): name(2, z=z + 1) for z in (0, 1)}),
        wells=well(0, 0, "a") + well(0, 1, "b"),
    )
    (tmp_path / "MeasurementResult.ome.xml").write_text(text)
    assert opened(tmp_path).missing == {"A02": (ImageKey("A02", 1, 1, 2),)}


def test_projections(tmp_path: Path) -> None:
    write(tmp_path, name(1), name(1, z=0), name(1, z=0, c=2))
    (tmp_path / "MeasurementResult.ome.xml").write_text(ome())
    plate = opened(tmp_path)
    assert [(image.key.channel, image.key.z_index) for image in plate.images["A01"]] == [(1, 1), (2, 0)]
    assert [problem.kind for problem in plate.problems] == [ProblemKind.STRAY_FILE]


def test_without_the_size_of_the_plate(tmp_path: Path) -> None:
    write(tmp_path, name(18))
    with pytest.raises(PlateError, match=r"numbered by well.*: copy MeasurementResult\.ome\.xml of the measurement"):
        open_plate(tmp_path)
    (tmp_path / "MeasurementResult.ome.xml").write_text(f'<OME xmlns="{OME}"/>')
    with pytest.raises(PlateError, match=r"MeasurementResult\.ome\.xml does not state the size of the plate"):
        open_plate(tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<OME>", "it is not XML"),
        ("<!DOCTYPE a><OME/>", "document type"),
        (ome(rows=0), "'0' is not a whole number from 1"),
        (ome(wells=well(40, 1, "a")), "row 40, column 1 is outside"),
        (ome(image("a", {(0, 0, 0): name(1)}, x="NaN"), wells=well(0, 0, "a")), "'NaN' is not a number"),
    ],
)
def test_a_measurement_that_makes_no_sense(tmp_path: Path, text: str, reason: str) -> None:
    write(tmp_path, name(1))
    (tmp_path / "MeasurementResult.ome.xml").write_text(text)
    with pytest.raises(PlateError) as error:
        open_plate(tmp_path)
    assert str(error.value).startswith("MeasurementResult.ome.xml can't be understood: ")
    assert reason in str(error.value)


def test_without_images(tmp_path: Path) -> None:
    write(tmp_path, "overview.tif")
    with pytest.raises(PlateError, match="expected TIFF files named W0018F0001T0001Z001C1"):
        open_plate(tmp_path, format="yokogawa_cq1")


def test_a_made_plate(tmp_path: Path) -> None:
    folder = make_plate(
        tmp_path / "p", wells=14, sites=4, channels=2, z=2, timepoints=2, size=32, format="yokogawa_cq1"
    )
    plate = opened(folder)
    assert (plate.problems, plate.missing, plate.wells[-1]) == ((), {}, "B02")
    assert (plate.pixel_size_um, plate.z_step_um, plate.metadata.time_step_s) == (0.65, 2.0, 600.0)
    assert (plate.channel_names, plate.metadata.shape) == ({1: "DAPI", 2: "FITC"}, (8, 12))
    assert len(plate.images["B02"]) == 32
    assert (plate.positions["B02", 4].y_um, plate.positions["B02", 4].x_um) == pytest.approx((10.4, 10.4))
