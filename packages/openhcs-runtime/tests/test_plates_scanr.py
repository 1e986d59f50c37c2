"""Olympus ScanR plates: labels and numbers of wells, the descriptor, the log, OME-XML, damaged files."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates import ProblemKind, StagePosition, make_plate, open_plate
from openhcs_runtime.plates.folder_plate import FolderPlate

DESCRIPTOR = """<?xml version="1.0"?><LVData><Cluster><Name>{name}</Name>
<DBL><Name>conversion factor um/pixel</Name><Val>{size}</Val></DBL>
<DBL><Name>slices distance</Name><Val>1.5</Val></DBL><I32><Name>timeloop delay [ms]</Name><Val>1200000</Val></I32>
<Array><Name>channels</Name><Cluster><String><Name>name</Name><Val>GFP</Val></String></Cluster>
<Cluster><String><Name>name</Name><Val>Autofocus</Val></String></Cluster>
<Cluster><String><Name>name</Name><Val>DAPI</Val></String></Cluster></Array>
<Cluster><Name>format typedef</Name><I32><Name>Rows</Name><Val>16</Val></I32>
<I32><Name>Columns</Name><Val>24</Val></I32></Cluster></Cluster></LVData>"""
OME = """<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="W14P1"><Pixels PhysicalSizeX="0.325"
PhysicalSizeY="0.325"><Channel Name="GFP" EmissionWavelength="520"/><Channel Name="DAPI"/>{planes}
</Pixels></Image></OME>"""


def name(label: str, well: int, *, p: int = 1, z: int = 0, t: int = 0, channel: str = "DAPI") -> str:
    return f"{label}--W{well:05d}--P{p:05d}--Z{z:05d}--T{t:05d}--{channel}.tif"


def write(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True, parents=True)
    for one in names:
        tifffile.imwrite(folder / one, np.full((4, 5), 7, np.uint16), metadata=None)


def descriptor(folder: Path, *, size: str = "0.645", title: str = "experiment") -> None:
    (folder / "experiment_descriptor.xml").write_bytes(DESCRIPTOR.format(size=size, name=title).encode("latin-1"))


def opened(folder: Path) -> FolderPlate:
    plate = open_plate(folder)
    assert isinstance(plate, FolderPlate)
    assert plate.format == "scanr"
    return plate


def test_what_the_files_say(tmp_path: Path) -> None:
    names = [
        name("B2", 26, p=p, z=z, t=t, channel=c)
        for p in (1, 2)
        for z in (0, 1)
        for t in (0, 1)
        for c in ("DAPI", "GFP")
    ]
    write(tmp_path / "data", *names)
    descriptor(tmp_path, title="\u00b5")
    (tmp_path / "AcquisitionLog.dat").write_text(
        "some words\nW=26\tP=1\tT=0\tZ=0\tX=10.5\tY=-20.25\tZ=3.0\tt=1\nW=26\tP=1\tT=1\tZ=0\tX=99\tY=99\tZ=3.0\tt=9\n"
        "W=26\tP=2\tT=0\tZ=0\tX=30.5\tY=0\tZ=3.0\tt=2\nW=1\tP=2\tT=0\tZ=0\tX=1\tY=0\tZ=3.0\tt=2\n"
    )
    plate = opened(tmp_path)
    assert (plate.wells, len(plate.images["B02"])) == (("B02",), 16)
    assert plate.components[Component.Z_INDEX] == plate.components[Component.TIMEPOINT] == (1, 2)
    assert (plate.pixel_size_um, plate.z_step_um, plate.metadata.time_step_s) == (0.645, 1.5, 1200.0)
    assert (plate.channel_names, plate.metadata.shape) == ({1: "GFP", 2: "DAPI"}, (16, 24))
    assert plate.positions == {("B02", 1): StagePosition(20.25, 10.5), ("B02", 2): StagePosition(0.0, 30.5)}
    assert plate.problems == ()
    assert opened(tmp_path / "data").metadata == plate.metadata


def test_names_are_enough_if_they_have_wells(tmp_path: Path) -> None:
    write(tmp_path, name("B2", 14), name("B2", 14, channel="cherry--2"), "overview.tif")
    plate = opened(tmp_path)
    assert (plate.wells, plate.channel_names) == (("B02",), {1: "DAPI", 2: "cherry--2"})
    assert (plate.pixel_size_um, plate.positions) == (None, {})
    assert [problem.kind for problem in plate.problems] == [ProblemKind.STRAY_FILE]


def test_wells_that_have_only_a_number(tmp_path: Path) -> None:
    write(tmp_path / "data", name("", 26), name("control", 1), name("", 400))
    with pytest.raises(PlateError, match=r"copy experiment_descriptor\.xml of the measurement next to the folder data"):
        open_plate(tmp_path)
    descriptor(tmp_path)
    plate = opened(tmp_path)
    assert plate.wells == ("A01", "B02")
    assert [problem.message for problem in plate.problems] == [
        f"{name('', 400)} is left out: a plate of 16 x 24 wells has no well 400"
    ]


def test_ome_xml_of_newer_versions(tmp_path: Path) -> None:
    files = {(c, z): name("B2", 14, z=z, channel=("GFP", "DAPI")[c]) for c in (0, 1) for z in (0, 1)}
    write(tmp_path / "data", *list(files.values())[:-1], name("B3", 15, z=1))
    planes = "".join(
        f'<TiffData FirstC="{c}" FirstZ="{z}" FirstT="0"><UUID FileName="{file}"/></TiffData>'
        f'<Plane TheC="{c}" TheZ="{z}" TheT="0" PositionX="5" PositionY="7" PositionZ="{z * 0.5}"/>'
        for (c, z), file in files.items()
    )
    (tmp_path / "data" / "metadata.ome.xml").write_text(OME.format(planes=planes))
    plate = opened(tmp_path)
    assert (plate.pixel_size_um, plate.z_step_um, plate.channel_names) == (0.325, 0.5, {1: "GFP", 2: "DAPI"})
    assert (plate.positions, plate.metadata.emission_nm) == ({("B02", 1): StagePosition(-7.0, 5.0)}, {1: 520.0})
    assert plate.missing == {"B02": (ImageKey("B02", 1, 2, 2),)}


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("experiment_descriptor.xml", "<LVData>", "it is not XML"),
        ("experiment_descriptor.xml", "<!DOCTYPE a><LVData/>", "document type"),
        ("experiment_descriptor.xml", DESCRIPTOR.format(size="NaN", name="x"), "um/pixel: 'NaN' is not a number"),
        ("experiment_descriptor.xml", DESCRIPTOR.format(size="1", name="x").replace("16", "0"), "'0' is not a whole"),
        ("AcquisitionLog.dat", "W=14\tP=1\tT=0\tZ=0\tX=1,5\tY=2\tZ=3\n", "'1,5' is not a number"),
        ("data/metadata.ome.xml", "<OME", "it is not XML"),
    ],
)
def test_a_file_that_makes_no_sense(tmp_path: Path, file: str, text: str, reason: str) -> None:
    write(tmp_path / "data", name("B2", 14))
    (tmp_path / file).write_text(text)
    plate = opened(tmp_path)
    assert plate.wells == ("B02",)
    assert [problem.kind for problem in plate.problems] == [ProblemKind.METADATA]
    assert f"{Path(file).name} can't be understood: " in plate.problems[0].message
    assert reason in plate.problems[0].message


@pytest.mark.parametrize(("z", "times"), [(1, 1), (2, 2)])
def test_a_made_plate(tmp_path: Path, z: int, times: int) -> None:
    folder = make_plate(
        tmp_path / "p & q", wells=14, sites=4, channels=2, z=z, timepoints=times, size=32, format="scanr"
    )
    plate = opened(folder)
    assert (plate.problems, plate.missing, plate.wells[-1]) == ((), {}, "B02")
    assert (plate.pixel_size_um, plate.z_step_um) == (0.65, 2.0 if z > 1 else None)
    assert plate.metadata.time_step_s == (600.0 if times > 1 else None)
    assert (plate.channel_names, plate.metadata.shape) == ({1: "DAPI", 2: "FITC"}, (8, 12))
    assert len(plate.images["B02"]) == 8 * z * times
    assert (plate.positions["B02", 4].y_um, plate.positions["B02", 4].x_um) == pytest.approx((10.4, 10.4))
