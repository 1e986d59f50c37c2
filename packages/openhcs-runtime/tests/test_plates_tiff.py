"""TIFF as programs and instruments write it: read right or refused by name, before a run where that can be seen."""

import io
import logging
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from openhcs_runtime import Component, FunctionStep, GlobalConfig, PipelineConfig, PipelineOrchestrator
from openhcs_runtime.components import ImageKey
from openhcs_runtime.config import ExecutionMode
from openhcs_runtime.exceptions import CompileError, ImageError
from openhcs_runtime.functions import denoise
from openhcs_runtime.plates import Plate, ProblemKind, open_plate, read_image
from openhcs_runtime.plates.tiff.heads import tiff_head
from openhcs_runtime.plates.units import micrometres

_OFFSETS = {"tile": ("TileOffsets", "TileByteCounts"), "rowsperstrip": ("StripOffsets", "StripByteCounts")}


def pixels(kind: str = "uint16", shape: tuple[int, ...] = (64, 80)) -> NDArray[Any]:
    return np.random.default_rng(3).integers(1, 100, shape).astype(kind)


def plate_with(folder: Path, image: NDArray[Any], well: str = "A01", **options: Any) -> Plate:
    folder.mkdir(exist_ok=True)
    tifffile.imwrite(folder / f"p_{well}_s1_w1.tif", image, **{"metadata": None, **options})
    return open_plate(folder)


def read_first(plate: Plate) -> NDArray[np.generic]:
    return plate.read(plate.images["A01"][0])


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "deflate", "zstd", "lzma", "packbits"])
@pytest.mark.parametrize(
    "options",
    [{}, {"tile": (32, 32)}, {"rowsperstrip": 7}, {"bigtiff": True}, {"byteorder": ">"}, {"predictor": True}],
    ids=str,
)
def test_compressions_and_layouts(tmp_path: Path, compression: str | None, options: dict[str, Any]) -> None:
    if "predictor" in options and compression in (None, "packbits"):
        pytest.skip("a predictor comes before a compression that gains by it")
    for kind in ("uint16", "float32") if "predictor" not in options else ("uint16",):
        image = pixels(kind)
        plate = plate_with(tmp_path / kind, image, compression=compression, **options)
        found = read_first(plate)
        assert (found.dtype, plate.problems) == (image.dtype, ())
        assert np.array_equal(found, image)
        assert found.dtype.isnative


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "raw"])
def test_files_of_another_writer(tmp_path: Path, compression: str) -> None:
    image = pixels()
    Image.fromarray(image).save(tmp_path / "p_A01_s1_w1.tif", compression=compression)
    assert np.array_equal(read_first(open_plate(tmp_path)), image)


def test_jpeg_that_is_cut_is_no_grey_area(tmp_path: Path) -> None:
    plate = plate_with(tmp_path, pixels("uint8"), compression="jpeg", rowsperstrip=16)
    path = tmp_path / "p_A01_s1_w1.tif"
    assert np.array_equal(read_first(plate), tifffile.imread(path))
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        offset, count = page.dataoffsets[1], page.databytecounts[1]
    data = bytearray(path.read_bytes())
    data[offset + count // 2 : offset + count] = bytes(count - count // 2)
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"p_A01_s1_w1\.tif is damaged.*strip or tile 2 is cut short"):
        read_first(open_plate(tmp_path))


@pytest.mark.parametrize("layout", [{"tile": (16, 16)}, {"rowsperstrip": 16}], ids=str)
@pytest.mark.parametrize("compression", [None, "lzw"])
@pytest.mark.parametrize("tags", [(0,), (1,), (0, 1)], ids=["offset", "count", "both"])
def test_tiles_and_strips_that_were_never_written(
    tmp_path: Path, layout: dict[str, Any], compression: str | None, tags: Sequence[int]
) -> None:
    plate = plate_with(tmp_path, pixels(), compression=compression, **layout)
    path = tmp_path / "p_A01_s1_w1.tif"
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        for name in (_OFFSETS[next(iter(layout))][which] for which in tags):
            tag = tiff.pages.first.tags[name]
            size = {3: 2, 4: 4, 16: 8}[int(tag.dtype)]
            data[tag.valueoffset + size : tag.valueoffset + 2 * size] = bytes(size)
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"it lacks 1 of (20 tiles|4 strips)"):
        read_first(plate)


@pytest.mark.filterwarnings("ignore")
def test_fewer_strips_than_rows(tmp_path: Path) -> None:
    plate = plate_with(tmp_path, pixels(), rowsperstrip=16)
    path = tmp_path / "p_A01_s1_w1.tif"
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        for name in _OFFSETS["rowsperstrip"]:
            place = tiff.pages.first.tags[name].offset + 4
            data[place : place + 4] = struct.pack("<I", 2)
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"it lacks [23] of 4 strips"):
        read_first(plate)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "bool"])
def test_white_that_is_zero_is_turned_round_and_said(tmp_path: Path, kind: str) -> None:
    image = pixels(kind) if kind != "bool" else pixels() > 50
    stored = ~image if kind == "bool" else np.iinfo(kind).max - image
    plate = plate_with(tmp_path, stored, photometric="miniswhite")
    assert np.array_equal(read_first(plate), image)
    assert [(problem.kind, "stores white as zero" in problem.message) for problem in plate.problems] == [
        (ProblemKind.NOTE, True)
    ]


def test_a_file_without_the_tag_for_black_and_white_is_not_turned_round(tmp_path: Path) -> None:
    image = pixels("uint8")
    plate = plate_with(tmp_path, image)
    path = tmp_path / "p_A01_s1_w1.tif"
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        place = tiff.pages.first.tags[262].offset
    data[place : place + 2] = struct.pack("<H", 65000)
    path.write_bytes(data)
    assert np.array_equal(read_first(plate), image)


def _with_tag(path: Path, code: int, value: int) -> None:
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        place = tiff.pages.first.tags[code].offset + 8
    data[place : place + 2] = struct.pack("<H", value)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("compression", "its compression, SGILOG, can't be read: save it"),
        ("unknown", "its compression, number 65123, can't be read: save it"),
        ("rgb", "it is not one greyscale plane"),
        ("alpha", "it is not one greyscale plane"),
        ("palette", "palette colours"),
        ("pages", "it has 3 pages but does not say what they are"),
        ("truncated", "it has 3 planes in one page"),
    ],
)
def test_what_can_not_be_read_is_named_and_not_compiled(tmp_path: Path, what: str, words: str) -> None:
    folder = tmp_path / "plate"
    plate_with(folder, pixels(), "A02")
    path, stack = folder / "p_A01_s1_w1.tif", pixels(shape=(3, 16, 16))
    match what:
        case "compression" | "unknown":
            plate_with(folder, pixels(), compression="zlib")
            _with_tag(path, 259, 34676 if what == "compression" else 65123)
        case "rgb":
            tifffile.imwrite(path, pixels("uint8", (16, 16, 3)), photometric="rgb", metadata=None)
        case "alpha":
            tifffile.imwrite(path, pixels("uint8", (16, 16, 2)), photometric="minisblack", planarconfig="contig")
        case "palette":
            colours = np.random.default_rng(0).integers(0, 65535, (3, 256)).astype(np.uint16)
            tifffile.imwrite(path, pixels("uint8"), photometric="palette", colormap=colours, metadata=None)
        case "pages":
            tifffile.imwrite(path, stack, photometric="minisblack", metadata=None)
        case "truncated":
            tifffile.imwrite(path, stack, photometric="minisblack", truncate=True)
    plate = open_plate(folder)
    (problem,) = [problem for problem in plate.problems if problem.kind is ProblemKind.UNREADABLE]
    assert problem.well == "A01"
    assert "p_A01_s1_w1.tif can't be used: " in problem.message
    assert words in problem.message
    with pytest.raises(ImageError, match=r"p_A01_s1_w1\.tif can't be used"):
        read_first(plate)
    settings, out = GlobalConfig(num_workers=1, mode=ExecutionMode.THREADS), str(tmp_path / "out")
    with PipelineOrchestrator(folder, [FunctionStep(denoise)], settings, PipelineConfig(output_dir=out)) as run:
        run.initialize()
        with pytest.raises(CompileError) as caught:
            run.compile()
    assert list(caught.value.problems) == [problem.message]
    without = PipelineConfig(output_dir=out, wells=("A02",))
    with PipelineOrchestrator(folder, [FunctionStep(denoise)], settings, without) as run:
        run.initialize()
        assert [plan.well for plan in run.compile().wells] == ["A02"]


def test_a_lookup_table_of_a_viewer_is_no_obstacle(tmp_path: Path) -> None:
    ramp = np.stack([np.zeros(256), np.arange(256) * 257, np.zeros(256)]).astype(np.uint16)
    image = pixels("uint8")
    assert np.array_equal(read_first(plate_with(tmp_path, image, photometric="palette", colormap=ramp)), image)


@pytest.mark.parametrize("writer", ["imagej", "ome", "tifffile"])
def test_pages_that_say_what_they_are_become_planes(tmp_path: Path, writer: str) -> None:
    stack = pixels(shape=(2, 3, 4, 16, 24))
    options: dict[str, Any] = {"imagej": {"imagej": True}, "ome": {"ome": True}, "tifffile": {}}[writer]
    axes = "TZCYX" if writer == "imagej" else "TCZYX"
    name = tmp_path / ("p_B02_s3.ome.tif" if writer == "ome" else "p_B02_s3.tif")
    tifffile.imwrite(name, stack, photometric="minisblack", metadata={"axes": axes}, **options)
    plate = open_plate(tmp_path)
    assert plate.problems == ()
    images = plate.images["B02"]
    assert len(images) == 24
    seen: list[bytes] = []
    for image in images:
        key = image.key
        second, third = (key.z_index, key.channel) if writer == "imagej" else (key.channel, key.z_index)
        found = read_image(plate.format, image, lambda part: seen.append(bytes(part)))
        assert key.site == 3
        assert np.array_equal(found, stack[key.timepoint - 1, second - 1, third - 1])
    assert sum(map(len, seen)) == stack.nbytes
    assert len(set(seen)) == 24
    tifffile.imwrite(tmp_path / "p_B02_s3_w2.tif", stack[0, 0, 0], metadata=None)
    assert "which" not in open_plate(tmp_path).problems[0].message  # a name without a channel is left out


def test_names_and_pages_that_both_tell_the_channel_are_refused(tmp_path: Path) -> None:
    for channel in (1, 2):
        path = tmp_path / f"p_A01_s1_w{channel}.tif"
        tifffile.imwrite(path, pixels(shape=(3, 16, 16)), imagej=True, metadata={"axes": "CYX"})
    (problem,) = open_plate(tmp_path).problems
    assert (
        "2 images, such as p_A01_s1_w1.tif can't be used: it has several channels, but the file names"
        in problem.message
    )


def test_a_small_copy_in_the_file_is_no_second_plane(tmp_path: Path) -> None:
    image = pixels()
    with tifffile.TiffWriter(tmp_path / "p_A01_s1_w1.tif") as writer:
        writer.write(image, metadata=None)
        writer.write(image[::2, ::2], subfiletype=1, metadata=None)
    plate = open_plate(tmp_path)
    assert plate.problems == ()
    assert np.array_equal(read_first(plate), image)


def test_images_of_different_size_and_type_are_named_before_the_run(tmp_path: Path) -> None:
    plate_with(tmp_path, pixels(), "A01", compression="zlib")
    plate_with(tmp_path, pixels(), "A02", compression="zlib")
    plate = plate_with(tmp_path, pixels("uint8", (32, 32)), "A03")
    (problem,) = plate.problems
    assert problem.kind is ProblemKind.MIXED
    assert "2 of 64 x 80 uint16 (such as p_A01_s1_w1.tif), 1 of 32 x 32 uint8 (such as p_A03" in problem.message


def test_the_bytes_that_were_decoded_are_handed_on(tmp_path: Path) -> None:
    for compression in (None, "lzw"):
        plate = plate_with(tmp_path, pixels(), compression=compression)
        handed = bytearray()
        found = read_image(plate.format, plate.images["A01"][0], handed.extend)
        assert handed == (tmp_path / "p_A01_s1_w1.tif").read_bytes()
        assert found.flags.writeable


@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}], ids=str)
def test_the_quick_look_tells_what_is_alike(tmp_path: Path, options: dict[str, Any]) -> None:
    def head(image: NDArray[Any], **more: Any) -> object:
        path = tmp_path / "x.tif"
        tifffile.imwrite(path, image, **{"photometric": "minisblack", "metadata": None, **options, **more})
        found = tiff_head(str(path), path.stat().st_size)
        assert found is not None
        return found

    first = head(pixels())
    assert first == head(pixels() + 1)
    others = [head(pixels("uint8")), head(pixels(shape=(64, 79))), head(pixels(), compression="lzw")]
    others += [head(pixels(shape=(2, 64, 80))), head(pixels(), photometric="miniswhite")]
    assert len({first, *others}) == 6
    (tmp_path / "x.tif").write_bytes(b"II*\0\xff\xff\xff\xff" + bytes(20))
    assert tiff_head(str(tmp_path / "x.tif"), 28) is None


@pytest.mark.parametrize(
    ("spelled", "factor"),
    [
        *((unit, 1.0) for unit in ("um", "\u00b5m", "\u03bcm", "micron", "Microns", "micrometer", "Micrometres")),
        *((unit, 1.0) for unit in ("micrometre", "\\u00B5m", "\\u00b5m", "\u00c2\u00b5m", " um ")),
        ("nm", 1e-3), ("nanometer", 1e-3), ("mm", 1e3), ("Millimetres", 1e3), ("cm", 1e4), ("m", 1e6), ("inch", 25400),
        ("pixel", None), ("", None), ("Mm", None), ("reference frame", None), (None, None), (3, None),
    ],
)  # fmt: skip
def test_units_of_length(spelled: object, factor: float | None) -> None:
    assert micrometres(spelled) == factor


def _metaseries(**entries: object) -> str:
    kinds = {bool: "bool", float: "float", int: "int", str: "string"}
    lines = "".join(
        f'<prop id="{name.replace("_", "-")}" type="{kinds[type(value)]}" value="{"on" if value is True else value}"/>'
        for name, value in entries.items()
    )
    return f"<MetaData><PlaneInfo>{lines}</PlaneInfo></MetaData>"


_CALIBRATED = {"spatial_calibration_state": True, "spatial_calibration_x": 1.37, "spatial_calibration_y": 1.37}


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"imagej": True, "resolution": (2, 2), "metadata": {"unit": "um"}}, 0.5),
        ({"imagej": True, "resolution": (2, 2), "metadata": {"unit": "\\u00B5m"}}, 0.5),
        ({"imagej": True, "resolution": (0.002, 0.002), "metadata": {"unit": "nm"}}, 0.5),
        ({"imagej": True, "resolution": (300, 300), "metadata": {"unit": "inch"}}, None),
        ({"imagej": True, "resolution": (118.11, 118.11), "metadata": {"unit": "cm"}}, None),
        ({"imagej": True, "resolution": (2, 4), "metadata": {"unit": "um"}}, None),
        ({"imagej": True, "resolution": (1, 1), "metadata": {"unit": "pixel"}}, None),
        ({"ome": True, "metadata": {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}}, 0.5),
        ({"ome": True, "metadata": {"axes": "YX", "PhysicalSizeX": 500, "PhysicalSizeXUnit": "nm"}}, 0.5),
        ({"ome": True, "metadata": {"axes": "YX", "PhysicalSizeX": 1, "PhysicalSizeXUnit": "pixel"}}, None),
        ({"description": _metaseries(**_CALIBRATED, spatial_calibration_units="um")}, 1.37),
        ({"description": _metaseries(**_CALIBRATED, spatial_calibration_units="microns")}, 1.37),
        ({"description": _metaseries(**_CALIBRATED, spatial_calibration_units="pixels")}, None),
    ],
)
def test_the_size_of_a_pixel_where_programs_state_it(
    tmp_path: Path, options: dict[str, Any], size: float | None
) -> None:
    software = {"software": "MetaSeries"} if "description" in options else {}
    assert plate_with(tmp_path, pixels(), **software, **options).pixel_size_um == size


def test_sizes_that_differ_are_not_known(tmp_path: Path) -> None:
    plate_with(tmp_path, pixels(), "A01", imagej=True, resolution=(2, 2), metadata={"unit": "um"})
    plate = plate_with(tmp_path, pixels(), "A02", imagej=True, resolution=(4, 4), metadata={"unit": "um"})
    assert plate.pixel_size_um is None


def test_the_distance_of_planes_where_programs_state_it(tmp_path: Path) -> None:
    stack = pixels(shape=(3, 16, 16))
    imagej: dict[str, Any] = {"imagej": True, "metadata": {"axes": "ZYX", "unit": "um", "spacing": 2.5}}
    ome: dict[str, Any] = {"ome": True, "metadata": {"axes": "ZYX", "PhysicalSizeZ": 2500, "PhysicalSizeZUnit": "nm"}}
    for name, options in {"imagej": imagej, "ome": ome}.items():
        plate = plate_with(tmp_path / name, stack, photometric="minisblack", **options)
        assert (plate.z_step_um, len(plate.components[Component.Z_INDEX])) == (2.5, 3)
    for z, place in enumerate((100.0, 102.4, 105.0), start=1):
        tifffile.imwrite(
            tmp_path / f"q_A01_s1_w1_z{z}.tif", stack[0], description=_metaseries(z_position=place), metadata=None,
            software="MetaSeries",
        )  # fmt: skip
    assert open_plate(tmp_path).z_step_um == 2.5


def test_memory_files_are_not_kept_open(tmp_path: Path) -> None:
    with io.BytesIO() as whole:
        tifffile.imwrite(whole, pixels(), metadata=None)
        (tmp_path / "p_A01_s1_w1.tif").write_bytes(whole.getvalue())
    assert open_plate(tmp_path).images["A01"][0].key == ImageKey("A01")


def write_ome_pages(path: Path, sizes: str) -> None:
    head = '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
    pixels = f'<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="5" SizeY="4" {sizes}><TiffData/>'
    pages = np.zeros((4, 4, 5), np.uint16)
    text = f"{head}{pixels}</Pixels></Image></OME>"
    tifffile.imwrite(path, pages, photometric="minisblack", metadata=None, description=text.encode())


@pytest.mark.parametrize(("length", "planes"), [(5, 10), (10**9, 2 * 10**9), (10**18, 2 * 10**18)])
def test_ome_xml_that_describes_more_planes_than_pages(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, length: int, planes: int
) -> None:
    write_ome_pages(tmp_path / "p_A01_s1.ome.tif", f'SizeC="2" SizeZ="{length}" SizeT="1"')
    (problem,) = open_plate(tmp_path).problems
    assert f"it has 4 pages but describes {planes}" in problem.message
    assert not caplog.records
    logging.getLogger("tifffile").warning("of the host program")
    assert [record.message for record in caplog.records] == ["of the host program"]


def test_a_pixel_size_in_a_file_that_no_microscope_has(tmp_path: Path) -> None:
    metadata = {"axes": "YX", "PhysicalSizeX": 5, "PhysicalSizeXUnit": "mm"}
    tifffile.imwrite(tmp_path / "p_A01_s1.ome.tif", pixels(), metadata=metadata)
    plate = open_plate(tmp_path)
    assert plate.pixel_size_um is None
    (problem,) = plate.problems
    assert problem.message.startswith("the pixel size of 5000 um is not used")
