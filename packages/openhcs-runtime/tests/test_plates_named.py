"""Formats that are told by file names: each maker's names, what stands next to them, and what is wrong with them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.made_format import MadeFormat
from openhcs_runtime.plates import Fit, Folder, Plate, ProblemKind, StagePosition, make_plate, open_plate
from openhcs_runtime.plates.folder_plate import FolderPlate
from openhcs_runtime.plates.formats import all_formats
from openhcs_runtime.plates.synthetic.layouts import LAYOUTS
from openhcs_runtime.plates.synthetic.plan import PlatePlan

_NO_Z = {MadeFormat.SBS_NAMES, MadeFormat.INCUCYTE, MadeFormat.NIKON_JOBS}
_NO_TIME = {MadeFormat.SBS_NAMES}


@dataclass(frozen=True)
class Stated:
    """What names and files of a format state."""

    pixel_size_um: float | None = None
    z_step_um: float | None = None
    time_step_s: float | None = None
    channels: tuple[str, ...] = ()
    excitation: tuple[float, ...] = ()
    positions: bool = False


_STATED = {
    MadeFormat.BIOTEK_GEN5: Stated(0.65, channels=("DAPI", "FITC")),
    MadeFormat.COLUMBUS: Stated(),
    MadeFormat.INCUCYTE: Stated(time_step_s=7200, channels=("DAPI", "FITC")),
    MadeFormat.LEICA_MATRIX_SCREENER: Stated(0.65),
    MadeFormat.MICRO_MANAGER: Stated(0.65, 2, channels=("DAPI", "FITC"), positions=True),
    MadeFormat.NIKON_JOBS: Stated(channels=("DAPI", "FITC")),
    MadeFormat.SBS_NAMES: Stated(),
    MadeFormat.SQUID: Stated(
        0.65, 2, 600, ("Fluorescence 405 nm Ex", "Fluorescence 488 nm Ex"), (405, 488), positions=True
    ),
}

_NAMED = tuple(_STATED)


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(folder / name, np.full((4, 5), 7, np.uint16), metadata=None)


def keys(plate: Plate) -> list[ImageKey]:
    return [image.key for images in plate.images.values() for image in images]


def opened(path: Path) -> FolderPlate:
    plate = open_plate(path)
    assert isinstance(plate, FolderPlate)
    return plate


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[MadeFormat], Path]:
    """Make a plate of a format once; as large as its names allow."""
    plates: dict[MadeFormat, Path] = {}

    def make(of: MadeFormat) -> Path:
        if of not in plates:
            is_named = of in _STATED
            z, timepoints = 3 if is_named and of not in _NO_Z else 1, 2 if is_named and of not in _NO_TIME else 1
            folder = tmp_path_factory.mktemp(of.value) / "plate"
            plates[of] = make_plate(
                folder, wells=3, sites=4, channels=2, z=z, timepoints=timepoints, size=32, format=of
            )
        return plates[of]

    return make


@pytest.mark.parametrize("of", MadeFormat)
@pytest.mark.usefixtures("zarr_ends")
def test_each_format_is_recognized_as_itself_and_as_no_other(
    made: Callable[[MadeFormat], Path], of: MadeFormat
) -> None:
    fits = {one.name: one.fits(Folder(made(of))) for one in all_formats()}
    assert {name for name, fit in fits.items() if fit is not Fit.NONE} == {of.value}
    assert open_plate(made(of)).format == of.value


@pytest.mark.parametrize("of", _NAMED)
def test_a_made_plate_has_what_was_made(made: Callable[[MadeFormat], Path], of: MadeFormat) -> None:
    plate, stated = opened(made(of)), _STATED[of]
    planes, times = (1,) if of in _NO_Z else (1, 2, 3), (1,) if of in _NO_TIME else (1, 2)
    assert plate.components == {
        Component.WELL: ("A01", "A02", "A03"),
        Component.SITE: (1, 2, 3, 4),
        Component.CHANNEL: (1, 2),
        Component.Z_INDEX: planes,
        Component.TIMEPOINT: times,
    }
    assert plate.missing == {}
    assert {problem.kind for problem in plate.problems} <= {ProblemKind.NOTE}
    assert tuple(plate.channel_names.values()) == stated.channels
    assert tuple(plate.metadata.excitation_nm.values()) == stated.excitation
    assert (plate.pixel_size_um, plate.z_step_um) == (stated.pixel_size_um, stated.z_step_um)
    assert plate.metadata.time_step_s == stated.time_step_s
    expected = StagePosition(-10.4, 10.4) if stated.positions else None
    assert plate.positions.get(("A02", 2)) == expected
    assert len(plate.positions) == (12 if stated.positions else 0)


@pytest.mark.parametrize("of", _NAMED)
def test_each_image_is_where_it_was_made(made: Callable[[MadeFormat], Path], tmp_path: Path, of: MadeFormat) -> None:
    """The same seed gives the same pixels in every format, so each key has to have the image of the usual one."""
    z, timepoints = 1 if of in _NO_Z else 3, 1 if of in _NO_TIME else 2
    usual = open_plate(make_plate(tmp_path / "p", wells=3, sites=4, channels=2, z=z, timepoints=timepoints, size=32))
    plate = open_plate(made(of))
    expected = {image.key: image for image in usual.images["A02"]}
    assert {image.key for image in plate.images["A02"]} == expected.keys()
    for image in plate.images["A02"]:
        assert np.array_equal(plate.read(image), usual.read(expected[image.key])), image.key


@pytest.mark.parametrize("of", MadeFormat)
@pytest.mark.parametrize("wells", [("A01", "B03"), ("B02",), ("B02", "P24"), ("A01", "Z48", "AA01", "AF48")])
@pytest.mark.usefixtures("zarr_ends")
def test_small_and_large_plates_that_start_anywhere(tmp_path: Path, of: MadeFormat, wells: tuple[str, ...]) -> None:
    if of is MadeFormat.CELLOMICS:  # its names have at most 384 wells
        wells = tuple(well for well in wells if well < "P25" and len(well) == 3)
    plan = PlatePlan(tmp_path, "p", wells, sites=1, channels=1, z=1, timepoints=1, size=4, pixel_size_um=1)
    layout = LAYOUTS[of](plan)
    for well in wells:
        layout.write_well(well, [(ImageKey(well), np.full((4, 4), 3, np.uint16))])
    layout.finish()
    plate = open_plate(tmp_path)
    assert (plate.format, plate.wells, plate.problems) == (of.value, wells, ())


@pytest.mark.parametrize(
    ("name", "of", "key"),
    [
        ("Channel2-13-B-01.tif", "sbs_names", ImageKey("B01", 1, 2)),
        ("032048-12-003002004.tif", "columbus", ImageKey("AF48", 12, 4, 2, 3)),
        ("A1_-1_1_1_Tsf[Phase Contrast]_001.tif", "biotek_gen5", ImageKey("A01")),
        ("P24_1_Bright Field_1_001_02.tif", "biotek_gen5", ImageKey("P24")),
        ("A1_1_Stitched[AandB_Phase Contrast]_1_001_-1.tif", "biotek_gen5", ImageKey("A01")),
        ("A1_1Z3_DAPI_1_002_.tif", "biotek_gen5", ImageKey("A01", 1, 1, 4, 2)),
        ("ID_A10 info/A10_-1_1_7_GFP_001.tif", "biotek_gen5", ImageKey("A10", 7)),
        ("VID1207_H12_3_2023y05m03d_12h30m.tif", "incucyte", ImageKey("H12", 3)),
        ("Confluence_A1_1_00d00h00m.tif", "incucyte", ImageKey("A01", 1)),
        (
            "slide--S00/chamber--U08--V07/field--X01--Y01/"
            "image--L0000--S00--U08--V07--J13--E00--O00--X01--Y01--T0000--Z06--C01.ome.tif",
            "leica_matrix_screener",
            ImageKey("H09", 1, 1, 7),
        ),
        (
            "image--L0000--S00--U00--V00--J01--X00--Y00--T0000--C00.ome.tif",
            "leica_matrix_screener",
            ImageKey("A01"),
        ),
        ("WellB02_PointB02_0008_ChannelCam-DIA DIC_Seq0004.tiff", "nikon_jobs", ImageKey("B02", 9)),
        ("20260728_143951_318__WellA01_PointA01_0000_ChannelDAPI_Seq0000.tif", "nikon_jobs", ImageKey("A01")),
        ("3/C5_0_2_BF_LED_matrix_full.tiff", "squid", ImageKey("C05", 1, 1, 3, 4)),
        ("A1-Site_3/img_channel001_position000_time000000002_z004.tif", "micro_manager", ImageKey("A01", 4, 2, 5, 3)),
        ("Pos-A01_000/img_channel000_position000_time000000000_z000.tif", "micro_manager", ImageKey("A01")),
        ("AA02_0001/img_000000001_GFP_000.tif", "micro_manager", ImageKey("AA02", 2, 1, 1, 2)),
    ],
)
def test_names_that_are_met(tmp_path: Path, name: str, of: str, key: ImageKey) -> None:
    write(tmp_path / "p", name)
    plate = open_plate(tmp_path / "p")
    assert (plate.format, keys(plate)) == (of, [key])


def test_the_running_number_of_sbs_names_is_no_site(tmp_path: Path) -> None:
    write(tmp_path, *(f"Channel1-{n:02d}-A-{well:02d}.tif" for n, well in ((1, 1), (2, 1), (3, 2), (4, 2))))
    assert open_plate(tmp_path).components[Component.SITE] == (1, 2)


def test_gen5_regions_of_interest_are_sites_and_channels_of_a_step_may_share_their_number(tmp_path: Path) -> None:
    names = [
        f"A1ROI{roi}_01_1_{field}Z{z}_Confocal {channel}_001.tif"
        for roi in (1, 2)
        for field in (1, 2)
        for z in (0, 1)
        for channel in ("DAPI", "RFP")
    ]
    write(tmp_path, *names)
    plate = open_plate(tmp_path)
    assert plate.components[Component.SITE] == (1, 2, 3, 4)
    assert plate.components[Component.Z_INDEX] == (1, 2)
    assert plate.channel_names == {1: "Confocal DAPI", 2: "Confocal RFP"}
    assert plate.missing == {}


def test_gen5_images_that_were_made_of_others_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "A1_01_1_1_DAPI_001.tif", "A1_-1_1_1_Stitched[DAPI 377,447]_001.tif")
    plate = open_plate(tmp_path)
    assert (keys(plate), plate.left_out) == ([ImageKey("A01")], 1)
    only = tmp_path / "only"
    write(only, "A1_-1_1_1_Stitched[DAPI 377,447]_001.tif", "A1_-1_2_1_Stitched[GFP 469,525]_001.tif")
    metadata = opened(only).metadata
    assert (metadata.excitation_nm, metadata.emission_nm) == ({1: 377, 2: 469}, {1: 447, 2: 525})


def test_folders_of_gen5_plates_are_no_folders_of_wells(tmp_path: Path) -> None:
    write(tmp_path, "Plate_P1/A1_01_1_1_DAPI_001.tif", "Plate_P2/A1_01_1_1_DAPI_001.tif")
    with pytest.raises(PlateError, match="name one of Plate_P1, Plate_P2"):
        open_plate(tmp_path)
    write(tmp_path / "wells", "A1/A1_01_1_1_DAPI_001.tif", "A2/A2_01_1_1_DAPI_001.tif", "A2/A3_01_1_1_DAPI_001.tif")
    plate = open_plate(tmp_path / "wells")
    assert (plate.wells, plate.left_out) == (("A01", "A02"), 1)


def test_gen5_channels_of_two_steps_with_one_name_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path, "A1_01_1_1_DAPI_001.tif", "A1_02_1_1_DAPI_001.tif")
    assert open_plate(tmp_path).channel_names == {1: "DAPI (01 1)", 2: "DAPI (02 1)"}


def test_incucyte_times_are_in_their_order(tmp_path: Path) -> None:
    times = ("2023y12m31d_22h00m", "2024y01m01d_00h00m", "2024y01m01d_04h00m")
    write(tmp_path, *(f"exp_Green_A1_1_{time}.tif" for time in times), "exp_Green_A1_1_2024y13m01d_00h00m.tif")
    plate = opened(tmp_path)
    assert [Path(image.path).stem[-18:] for image in plate.images["A01"]] == list(times)
    assert (plate.metadata.time_step_s, plate.channel_names, plate.left_out) == (None, {1: "Green"}, 1)


def test_incucyte_elapsed_times_and_texts(tmp_path: Path) -> None:
    write(
        tmp_path,
        *(f"exp_{text}_A1_1_{time}.tif" for text in ("Phase", "Green") for time in ("00d22h00m", "01d00h00m")),
    )
    plate = opened(tmp_path)
    assert (plate.metadata.time_step_s, plate.channel_names) == (7200, {1: "Green", 2: "Phase"})


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("VID1_A1_1_00d00h00m.tif", "VID2_A1_1_00d00h00m.tif"), "images of 2 vessels (VID1, VID2)"),
        (
            tuple(f"image--L0000--S0{s}--U00--V00--J01--X00--Y00--T0000--C00.ome.tif" for s in (0, 1)),
            "images of 2 slides (00, 01)",
        ),
        (("0/R0_0_0_BF_LED_matrix_full.tiff", "0/R1_0_0_BF_LED_matrix_full.tiff"), "images of regions (R0, R1 ...)"),
    ],
)
def test_a_folder_with_several_plates_or_none_is_refused(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    write(tmp_path, *names)
    with pytest.raises(PlateError) as raised:
        open_plate(tmp_path)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("Channel1-01-A-01.tif", "Channel1-01-A-49.tif"),
        ("001001-1-001001001.tif", "033001-1-001001001.tif"),
        ("A1_01_1_1_DAPI_001.tif", "A1_01_1_1_DAPI.tif"),
        ("Green_A1_1_00d00h00m.tif", "Green_A1_1_00d24h00m.tif"),
        ("WellA01_PointA01_0000_ChannelDAPI_Seq0000.tif", "ChannelDAPI_Seq0000.tif"),
        ("A1_0_0_BF_LED_matrix_full.tiff", "A0_0_0_BF_LED_matrix_full.tiff"),
    ],
)
def test_other_files_are_left_out_by_name(tmp_path: Path, good: str, bad: str) -> None:
    write(tmp_path, good, bad)
    plate = open_plate(tmp_path)
    assert [(problem.kind, bad in problem.message) for problem in plate.problems] == [(ProblemKind.STRAY_FILE, True)]


def test_a_format_that_is_named_but_not_there(tmp_path: Path) -> None:
    write(tmp_path, "a.tif")
    with pytest.raises(PlateError, match=r"none of its 1 TIFF files has a name of the form <well>_<field>"):
        open_plate(tmp_path, format="squid")


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"sensor_pixel_size_um": NaN, "dz(um)": -1, "objective": 3}', "\xff", "["]
)
def test_damaged_parameters_of_squid(tmp_path: Path, text: str) -> None:
    write(tmp_path, "0/A1_0_0_BF_LED_matrix_full.tiff")
    data = b"[" * 100_000 if text == "[" else text.encode("latin-1")
    (tmp_path / "acquisition parameters.json").write_bytes(data)
    plate = opened(tmp_path)
    assert (plate.pixel_size_um, plate.metadata.z_step_um, plate.metadata.time_step_s) == (None, None, None)
    assert len(plate.problems) == (0 if text.startswith("{") and len(text) > 1 else 1)


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("region,x (mm),y (mm)\nA1,1,2\n", 1),
        ("region,fov,x (mm),y (mm)\nA1,0,nan,2\nA1,x,1,1\nR0,0,1,1\nA1\nA1,0,1,2\n", 0),
        ("", 1),
    ],
)
def test_damaged_coordinates_of_squid(tmp_path: Path, text: str, problems: int) -> None:
    write(tmp_path, "0/A1_0_0_BF_LED_matrix_full.tiff")
    (tmp_path / "0" / "coordinates.csv").write_text(text)
    plate = open_plate(tmp_path)
    assert (len(plate.problems), len(plate.positions)) == (problems, 1 - problems)


def test_the_folder_of_one_time_point_of_squid_has_its_metadata(made: Callable[[MadeFormat], Path]) -> None:
    plate = open_plate(made(MadeFormat.SQUID) / "1")
    assert (plate.pixel_size_um, len(plate.positions)) == (0.65, 12)


@pytest.mark.parametrize(
    "said",
    [
        {
            "Summary": {
                "ChNames": 3,
                "z-step_um": "x",
                "StagePositions": [1, {"Label": "A1-Site_0", "DevicePositions": 2}],
            }
        },
        {"Summary": [], "Metadata-1": {"PixelSizeUm": float("inf"), "XPositionUm": None}},
    ],
)
def test_odd_metadata_of_micro_manager(tmp_path: Path, said: object) -> None:
    write(tmp_path, "A1-Site_0/img_channel000_position000_time000000000_z000.tif")
    (tmp_path / "A1-Site_0" / "metadata.txt").write_text(json.dumps(said))
    plate = open_plate(tmp_path)
    assert (plate.problems, plate.pixel_size_um, plate.positions, plate.channel_names) == ((), None, {}, {})


def test_positions_of_all_labels_are_in_one_file_of_micro_manager(tmp_path: Path) -> None:
    folders = ("A1-Site_0", "A2-Site_0")
    write(tmp_path, *(f"{folder}/img_channel000_position000_time000000000_z000.tif" for folder in folders))
    listed = [
        {
            "Label": label,
            "DefaultXYStage": "XY",
            "DevicePositions": [{"Device": "Z", "Position_um": [9]}, {"Device": "XY", "Position_um": [x, 2.5]}],
        }
        for x, label in enumerate(folders)
    ]
    said: dict[str, object] = {"Summary": {"StagePositions": listed}}
    path = tmp_path / "A1-Site_0" / "metadata.txt"
    path.write_text(json.dumps(said))
    assert open_plate(tmp_path).positions == {}  # nothing says in which directions the stage counts
    path.write_text(json.dumps(said | {"Metadata-1": {"PixelSizeAffine": "-0.5;0.001;0.0;0.0;0.5;0.0"}}))
    assert open_plate(tmp_path).positions == {("A01", 1): StagePosition(2.5, 0), ("A02", 1): StagePosition(2.5, -1)}
    path.write_text(json.dumps(said | {"Metadata-1": {"PixelSizeAffine": "0.0;0.5;0.0;0.5;0.0;0.0"}}))
    assert open_plate(tmp_path).positions == {}  # the camera is rotated


def test_a_damaged_description_of_gen5_says_nothing(tmp_path: Path) -> None:
    about = "<BTIImageMetaData><PixelWidth>0</PixelWidth><ImageWidthMicrons>12"
    tifffile.imwrite(tmp_path / "A1_01_1_1_DAPI_001.tif", np.zeros((4, 5), np.uint16), description=about, metadata=None)
    assert open_plate(tmp_path).pixel_size_um is None


@pytest.mark.parametrize(
    ("of", "option"), [(MadeFormat.INCUCYTE, "z"), (MadeFormat.SBS_NAMES, "timepoints"), (MadeFormat.NIKON_JOBS, "z")]
)
def test_what_names_cannot_say_is_not_made(tmp_path: Path, of: MadeFormat, option: str) -> None:
    with pytest.raises(PlateError, match=f"{option} 2 is out of range"):
        make_plate(tmp_path / "p", format=of, **{option: 2})  # type: ignore[arg-type]
    assert not (tmp_path / "p").exists()
