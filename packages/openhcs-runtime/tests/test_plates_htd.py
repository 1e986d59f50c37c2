"""ImageXpress plates with a .HTD file, and what MetaXpress writes into its images."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.plates import Plate, ProblemKind, StagePosition, make_plate, open_plate
from openhcs_runtime.plates.folder_plate import FolderPlate
from openhcs_runtime.plates.imagexpress.htd import read_htd

HTD = """"HTSInfoFile", Version 1.0
"Description", "A plate, with a comma"
"PlateType", 6
"TimePoints", {timepoints}
"ZSeries", TRUE
"ZSteps", 2
"ZProjection", FALSE
"XWells", 3
"YWells", 2
"WellsSelection1", TRUE, TRUE, FALSE
"WellsSelection2", FALSE, TRUE, FALSE
"Sites", TRUE
"XSites", 2
"YSites", 2
"SiteSelection1", TRUE, FALSE
"SiteSelection2", TRUE, FALSE
"Waves", TRUE
"NWavelengths", 3
"WaveName1", "DAPI"
"WaveName2", "Cy5 (not taken)"
"WaveName3", "FITC"
"WaveCollect1", 1
"WaveCollect2", 0
"WaveCollect3", 1
"UniquePlateIdentifier", "f499f24c"
"EndFile"
"""
METASERIES = """<MetaData><PlaneInfo>
<prop id="spatial-calibration-state" type="bool" value="on"/>
<prop id="spatial-calibration-x" type="float" value="0.325"/>
<prop id="spatial-calibration-y" type="float" value="0.325"/>
<prop id="spatial-calibration-units" type="string" value="um"/>
<prop id="stage-position-x" type="float" value="{x}"/>
<prop id="stage-position-y" type="float" value="{y}"/>
</PlaneInfo></MetaData>"""


def write(path: Path, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.full((4, 5), 7, np.uint16), metadata=None, **options)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All images that the text above plans."""
    for well in ("A01", "A02", "B02"):
        for site in (1, 2):
            for channel in (1, 3):
                for z in (1, 2):
                    write(tmp_path / "TimePoint_1" / f"ZStep_{z}" / f"p_{well}_s{site}_w{channel}.TIF")
    (tmp_path / "p.HTD").write_bytes(HTD.format(timepoints=1).replace("\n", "\r\n").encode())
    return tmp_path


def messages(plate: Plate) -> list[str]:
    return [problem.message for problem in plate.problems]


def test_a_whole_plate_has_names_and_no_problem(folder: Path) -> None:
    plate = open_plate(folder)
    assert plate.problems == ()
    assert plate.channel_names == {1: "DAPI", 3: "FITC"}
    assert plate.components[Component.CHANNEL] == (1, 3)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_encodings_and_versions(folder: Path, encoding: str, version: str) -> None:
    text = HTD.format(timepoints=1).replace("Version 1.0", f"Version {version}").replace('"DAPI"', '"H\u00f6chst"')
    (folder / "p.HTD").write_bytes(text.replace("\n", "\r\n").encode(encoding))
    plate = open_plate(folder)
    assert isinstance(plate, FolderPlate)
    assert (plate.problems, plate.channel_names, plate.metadata.shape) == ((), {1: "H\u00f6chst", 3: "FITC"}, (2, 3))


def test_an_odd_description_does_no_harm(folder: Path) -> None:
    (folder / "p.HTD").write_bytes(HTD.format(timepoints=1).encode().replace(b"A plate, with", b"\x8f\xff \xe4"))
    assert open_plate(folder).channel_names == {1: "DAPI", 3: "FITC"}


def test_a_hole_is_found(folder: Path) -> None:
    for path in folder.rglob("*_A01_s2_w3.TIF"):
        path.unlink()
    plate = open_plate(folder)
    assert plate.missing == {"A01": (ImageKey("A01", 2, 3, 1), ImageKey("A01", 2, 3, 2))}
    assert messages(plate) == ["no image of well A01, site 2, channel 3, z 1, time point 1 and 1 more"]


def test_with_one_well_a_hole_is_known_from_the_plan_alone(folder: Path) -> None:
    for path in folder.rglob("*_[AB]02_*.TIF"):
        path.unlink()
    (folder / "TimePoint_1" / "ZStep_2" / "p_A01_s2_w3.TIF").unlink()
    plate = open_plate(folder)
    assert list(plate.missing) == ["A01"]
    assert "no image of well(s) A02, B02, which p.HTD lists" in messages(plate)


def test_what_no_well_has_is_one_problem_and_fails_no_well(folder: Path) -> None:
    (folder / "p.HTD").write_text(HTD.format(timepoints=4))
    plate = open_plate(folder)
    assert messages(plate) == ["no image of time point 2-4, which p.HTD lists"]
    assert plate.missing == {}


def test_a_channel_without_z_has_no_holes(folder: Path) -> None:
    for path in folder.glob("TimePoint_1/ZStep_2/*_w3.TIF"):
        path.unlink()
    assert open_plate(folder).missing == {}
    (folder / "p.HTD").unlink()
    assert open_plate(folder).missing == {}


def test_a_channel_that_is_only_projected_is_kept(folder: Path) -> None:
    (folder / "p.HTD").unlink()
    for path in folder.glob("TimePoint_1/ZStep_1/*_w3.TIF"):
        (folder / "TimePoint_1" / "ZStep_0").mkdir(exist_ok=True)
        path.rename(folder / "TimePoint_1" / "ZStep_0" / path.name)
    for path in folder.glob("TimePoint_1/ZStep_2/*_w3.TIF"):
        path.unlink()
    plate = open_plate(folder)
    assert plate.components[Component.CHANNEL] == (1, 3)
    assert plate.problems == ()


def test_a_time_point_folder_has_the_file_of_its_plate(folder: Path) -> None:
    assert open_plate(folder / "TimePoint_1").channel_names == {1: "DAPI", 3: "FITC"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('"TimePoints", none', "TimePoints is 'none'"),
        ('"XWells", 4000000000', "XWells is '4000000000'"),
        ('"WellsSelection1", FALSE\n"WellsSelection2", FALSE', "no well, site or wavelength is selected"),
    ],
)
def test_a_file_that_makes_no_sense_is_named_and_the_images_are_read(folder: Path, line: str, reason: str) -> None:
    (folder / "p.HTD").write_text(HTD.format(timepoints=1).replace('"EndFile"', line))
    with pytest.raises(ValueError, match=reason):
        read_htd(folder / "p.HTD")
    plate = open_plate(folder)
    assert [problem.kind for problem in plate.problems] == [ProblemKind.METADATA]
    assert "p.HTD can't be understood" in plate.problems[0].message
    assert plate.wells == ("A01", "A02", "B02")


def test_wells_and_sites_that_the_microscope_skips_are_not_missed(tmp_path: Path) -> None:
    plate = open_plate(make_plate(tmp_path / "p", wells=13, sites=5, channels=1, size=32))
    assert plate.problems == ()
    assert plate.channel_names == {1: "DAPI"}


def test_pixel_size_and_positions_of_metaxpress_images(tmp_path: Path) -> None:
    for site in (1, 2):
        for channel in (1, 2):
            path = tmp_path / f"p_A01_s{site}_w{channel}.tif"
            write(path, software="MetaSeries", description=METASERIES.format(x=1000.5 * site, y=-20))
    plate = open_plate(tmp_path)
    assert plate.pixel_size_um == 0.325
    assert plate.positions == {("A01", 1): StagePosition(-20, 1000.5), ("A01", 2): StagePosition(-20, 2001)}


def test_images_without_positions_give_none(small_plate: Path) -> None:
    assert open_plate(small_plate).positions == {}


def test_a_uuid_in_brackets(tmp_path: Path) -> None:
    write(tmp_path / "p_A01_s2_[A52B1177-9DC7-4534-9623-9DCA396EFA00].tif")
    assert open_plate(tmp_path).images["A01"][0].key == ImageKey("A01", 2)
