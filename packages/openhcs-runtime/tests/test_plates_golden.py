"""What is said of plates of each kind, in good and bad order, is what was frozen: listings are made faster, not other.

``plates_golden.txt`` has a digest for each folder. After a wanted change, run this file as a program to write it again,
and look at the texts of the folders whose digests differ (``python test_plates_golden.py NAME`` prints one).
"""

import hashlib
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile

from openhcs_runtime.cli.plate_view import first_image, plate_document, plate_lines
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.made_format import MadeFormat
from openhcs_runtime.plates import Plate, open_plate
from openhcs_runtime.plates.synthetic.layouts import LAYOUTS
from openhcs_runtime.plates.synthetic.plan import PlatePlan

FROZEN = Path(__file__).with_name("plates_golden.txt")
WELLS = ("A01", "B03", "B04")
PLAN = PlatePlan(Path(), "p", WELLS, sites=2, channels=2, z=2, timepoints=2, size=4, pixel_size_um=0.5)
DESCRIPTIONS = {".csv", ".dat", ".htd", ".json", ".mes", ".mlf", ".mrf", ".txt", ".xdce", ".xml"}
STRANGE = ("notes.tif", ".hidden.tif", "odd_thumb.tif", "SC_M01_CH01.tif", "ü ö.tiff", "B01.tif")

LISTS: dict[str, tuple[str, ...]] = {
    "gen5 regions and steps": (
        "A1ROI1_1_2_3_DAPI_001.tif",
        "A1ROI2_1_2_3_DAPI_001.tif",
        "A1_-1_1_1_Stitched[DAPI]_001.tif",
        "B2_1_2_3_GFP 469,525_001.tif",
        "B2_2_2_3Z1_GFP 469,525_002.tif",
        "C3_4Z0_DAPI_1_001_02.tif",
    ),
    "gen5 in folders": ("x A1/A1_01_1_1_DAPI_001.tif", "B2/B2_01_1_1_DAPI_001.tif", "B2/A1_01_1_1_DAPI_001.tif"),
    "gen5 hidden folder": ("A1/A1_01_1_1_DAPI_001.tif", ".old_B2/B2_01_1_1_DAPI_001.tif"),
    "gen5 made only": ("A1_-1_1_1_Tsf[Phase Contrast]_001.tif", "A2_-1_1_1_Tsf[Phase Contrast]_001.tif"),
    "incucyte wrong times": (
        "VID7_A1_1_2023y05m03d_12h30m.tif",
        "VID7_A1_1_2023y13m03d_12h30m.tif",
        "VID7_A1_2_2023y05m03d_25h30m.tif",
        "VID7_A01_1_2023y05m03d_14h30m.tif",
    ),
    "incucyte only wrong times": ("VID7_A1_1_2023y13m03d_12h30m.tif",),
    "incucyte two vessels": ("VID7_A1_1_00d00h00m.tif", "VID8_A1_1_00d02h00m.tif"),
    "incucyte texts": ("x_Green_A1_1_00d00h00m.tif", "x_Red_A1_1_00d02h00m.tif", "A2_1_00d04h00m.tif"),
    "sbs running numbers": (
        *(f"Channel{channel}-{7 + number:02}-B-{number:02}.tif" for channel in (1, 2) for number in (1, 2, 3)),
        "Channel1-99-B-02.tif",
        "channel1-08-b-01.TIF",
        "Channel1-08-AZ-99.tif",
    ),
    "columbus numbers": ("001002-3-001001001.tif", "001002-3-002003001.tif", "999001-1-001001001.tif"),
    "leica slides": (
        "slide--S00/chamber--U00--V00/field--X00--Y00/"
        "image--L0000--S00--U00--V00--J08--E00--O00--X00--Y00--T0000--Z00--C00.ome.tif",
        "slide--S01/chamber--U00--V00/field--X00--Y00/"
        "image--L0000--S01--U00--V00--J08--E00--O00--X00--Y00--T0000--Z00--C00.ome.tif",
    ),
    "leica fields": tuple(
        f"slide--S00/chamber--U0{u}--V01/field--X0{x}--Y01/"
        f"image--L0000--S00--U0{u}--V01--J0{job}--X0{x}--Y01--C0{job % 2}.ome.tif"
        for u in (0, 3)
        for x in (0, 2)
        for job in (7, 8)
    ),
    "nikon": ("WellA01_PointA01_0000_ChannelDAPI,GFP_Seq0000.tif", "WellQ99_Seq1.tif", "WellA02_Seq2.tif"),
    "squid regions": ("0/R0_0_0_Fluorescence_405_nm_Ex.tiff", "0/R1_0_0_Fluorescence_405_nm_Ex.tiff"),
    "squid mixed": ("0/B2_0_0_Fluorescence_405_nm_Ex.tiff", "B2_1_0_BF_LED_full.tiff", "7/B2_0_1_BF_LED_full.tiff"),
    "micro-manager": (
        "A1-Site_0/img_channel000_position000_time000000000_z000.tif",
        "A1-Site_1/img_channel000_position000_time000000000_z000.tif",
        "B1_0000/img_000000000_DAPI_000.tif",
        "Pos-C01_000_001/img_000000000_DAPI_000.tif",
        "Z99_0/img_000000000_DAPI_000.tif",
        "other/img_000000000_DAPI_000.tif",
    ),
    "cv folders and actions": (
        *(f"Image/p_B0{well}_T0001F001L01A0{action}Z01C01.tif" for well in (1, 2) for action in (1, 2)),
        "p_B03_T0001F001L02A01Z00C01.tif",
        "DC_C01.tif",
        "p_B99_T0001F001L01A01Z01C01.tif",
    ),
    "cq1 without size": ("W0001F0001T0001Z001C1.tif", "W0002F0001T0001Z000C1.tif"),
    "scanr labels": (
        "A1--W00001--P00001--Z00000--T00000--DAPI.tif",
        "a01--W00001--P00002--Z00000--T00000--dapi.tif",
        "x--W00007--P00001--Z00000--T00000--GFP.tif",
    ),
    "in cell names": (
        "A - 1(fld 1 wv DAPI - DAPI).tif",
        "A - 01(fld 2 wv FITC wix 1 z 2 time 3 - 0 ms).tif",
        "P_AA - 2(fld 1 wv DAPI - DAPI time 2).tif",
        "A - 999(fld 1).tif",
    ),
    "cellomics tiffs and containers": ("p_A01f00d0.TIF", "p_A01f01o1.tif", "p_A99f00d0.tif", "p_A01f00d0.C01"),
    "imagexpress": ("p_A01_s1_w1.tif", "q_A01_s1_w1.tif", "TimePoint_2/ZStep_1/p_A01_s1_w2.tif", "A02.tif"),
}
PATTERNS: dict[str, tuple[str, tuple[str, ...]]] = {
    "names": (
        r"(?P<well>[A-P]\d+)_f(?P<site>\d+)_(?P<channel>DAPI|GFP)",
        ("A01_f0_DAPI.tif", "deep/er/A1_f0_GFP.tif", "A02_f3_GFP.ome.tif", "B02_f3_GFP.ome.tiff", "A02_f3_XFP.tif"),
    ),
    "rows": (
        r"r(?P<row>\w+)c(?P<col>\d+)_t(?P<timepoint>\w+)(_z(?P<z_index>\d+))?(_c(?P<channel>\d+))?",
        ("r1c1_t0.tif", "rBc01_t1_z1.tif", "rBc2_tx.tif", "r99c1_t1.tif", "rAc3_t1_z0_c5.tif", "rAc3_t1_z4_c05.tif"),
    ),
    "paths": (
        r"(?P<well>\w\d+)/(?P<timepoint>\d+)/i(?P<site>\d*)",
        ("A1/1/i2.tif", "A1/0/i2.tif", "B1/1/i.tif", "x.tif"),
    ),
    "same place": (r".*(?P<well>[A-P]\d\d)", ("a/A01.tif", "b/A01.tif", "c/xA01.tif", ".h/A02.tif", "d.tif/A03.tif")),
    "no match": (r"(?P<well>[A-P]\d\d)", ("x.tif", "y.tif", "A1.tif")),
    "no file": (r"(?P<well>[A-P]\d\d)", ("x.png",)),
}


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, np.full((4, 4), 7, np.uint16), metadata=None, software=False)


def made(folder: Path, of: MadeFormat) -> Path:
    """Write a plate of a format, with planes and time points if its names have them."""
    for z, timepoints in ((2, 2), (2, 1), (1, 2), (1, 1)):
        plan = replace(PLAN, folder=folder, z=z, timepoints=timepoints)
        try:
            layout = LAYOUTS[of](plan)
        except PlateError:
            continue
        folder.mkdir()
        for well in WELLS:
            layout.write_well(well, [(key, np.full((4, 4), 3, np.uint16)) for key in plan.keys(well)])
        layout.finish()
        return folder
    raise AssertionError(of)


def images_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".tif", ".tiff", ".c01"))


def strange(folder: Path) -> None:
    """Put things between the images that happen, and take some away."""
    images = images_of(folder)
    place = images[0].parent
    write(place, *STRANGE)
    (place / "folder.tif").mkdir()
    images[1].rename(images[1].with_name(images[1].name.upper()))
    images[3].unlink()
    images[4].unlink()
    images[4].symlink_to("nowhere")
    shutil.copy(images[6], images[6].with_name(images[6].name.replace(".", ".ome.")))
    shutil.copy(images[7], images[7].with_name(f"q_{images[7].name}"))
    write(place, f"p{images[8].name}")


def without_images(folder: Path) -> None:
    for path in images_of(folder):
        path.unlink()


def with_pages(folder: Path) -> None:
    path = images_of(folder)[-1]
    tifffile.imwrite(path, np.full((3, 4, 4), 7, np.uint16), metadata={"axes": "ZYX"}, ome=False, software=False)


def descriptions(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix.lower() in DESCRIPTIONS]


def undescribed(folder: Path) -> None:
    for path in descriptions(folder):
        path.unlink()


def damaged(folder: Path) -> None:
    for path in descriptions(folder):
        path.write_bytes(path.read_bytes()[:-30])


CHANGES: dict[str, Callable[[Path], object]] = {
    "made": lambda folder: None,
    "strange": strange,
    "pages": with_pages,
    "undescribed": undescribed,
    "damaged": damaged,
    "without images": without_images,
}


def text_of(folder: Path, *, pattern: str | None = None, format: str | None = None) -> str:
    """Return all that is said of a folder, without what differs by machine and version."""
    try:
        text = said_of(open_plate(folder, pattern=pattern, format=format))
    except PlateError as error:
        text = f"refused: {error}"
    text = text.replace(str(folder.resolve()), "PLATE")
    return re.sub(r"(is damaged|can't be understood: )[^\"\n;]*", r"\1", text)


def said_of(plate: Plate) -> str:
    image = first_image(plate)
    refs = [
        f"{one.key.describe()} {one.path} {one.index} {one.absent_is_fill} {one.size > 0} {one.mtime_ns > 0}"
        for images in plate.images.values()
        for one in images
    ]
    missing = [key.describe() for keys in plate.missing.values() for key in keys]
    planned = [key.describe() for keys in plate.planned.values() for key in keys]
    positions = [f"{where} {position}" for where, position in plate.positions.items()]
    document = json.dumps(plate_document(plate, image), indent=1)
    return "\n".join([*plate_lines(plate, image), document, *refs, *missing, *planned, *positions])


def folders(within: Path) -> Iterator[tuple[str, str]]:
    """Yield the name of each folder and what is said of it."""
    for number, of in enumerate(MadeFormat):
        if of is MadeFormat.OME_ZARR:
            continue  # it has no names of files: its own tests say what it reads
        for change, apply in CHANGES.items():
            folder = made(within / f"{number}{change}", of)
            apply(folder)
            yield f"{of.value}, {change}", text_of(folder)
            if change == "without images":
                yield f"{of.value}, {change}, named", text_of(folder, format=of.value)
    for number, (name, names) in enumerate(LISTS.items()):
        write(within / f"list{number}", *names)
        yield name, text_of(within / f"list{number}")
    for number, (name, (pattern, names)) in enumerate(PATTERNS.items()):
        write(within / f"pattern{number}", *names)
        yield f"pattern, {name}", text_of(within / f"pattern{number}", pattern=pattern)
        if name != "rows":  # why none can be proposed is said of the file that is listed first
            yield f"pattern, {name}, proposed", text_of(within / f"pattern{number}", pattern="auto")
    yield from linked_folders(within / "links")


def linked_folders(folder: Path) -> Iterator[tuple[str, str]]:
    write(folder, "A1/A1_01_1_1_DAPI_001.tif")
    (folder / "B1").symlink_to("A1")
    (folder / "A1" / "C1").symlink_to("..")
    yield "linked folders, gen5", text_of(folder)
    yield "linked folders, pattern", text_of(folder, pattern=r"(?P<well>[A-P]\d)_.*")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def test_what_is_said_of_each_plate_is_as_it_was(tmp_path: Path) -> None:
    frozen = dict(line.rsplit(" ", 1) for line in FROZEN.read_text(encoding="utf-8").splitlines())
    found = dict(folders(tmp_path))
    changed = [f"{name}:\n{text}" for name, text in found.items() if digest(text) != frozen.get(name)]
    assert not changed, "\n\n".join(changed)
    assert found.keys() == frozen.keys()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        texts = dict(folders(Path(place)))
    if len(sys.argv) > 1:
        print(texts[sys.argv[1]])
    else:
        FROZEN.write_text("".join(f"{name} {digest(text)}\n" for name, text in texts.items()), encoding="utf-8")
