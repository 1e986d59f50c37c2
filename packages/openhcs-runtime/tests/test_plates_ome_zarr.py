"""OME-Zarr plates: read what other programs write, have them read what is written here, and the writer's promises."""

import json
import multiprocessing
import warnings
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.exceptions import ImageError, OutputError, PlateError
from openhcs_runtime.plates import Plate, ProblemKind, StagePosition, make_plate, open_plate, read_image
from openhcs_runtime.plates.ome_zarr.write import OmeZarrPlateWriter, OmeZarrVersion

pytestmark = pytest.mark.usefixtures("zarr_ends")
versions = pytest.mark.parametrize("version", list(OmeZarrVersion))

Pixels = NDArray[np.uint16]


def random_pixels(*shape: int) -> Pixels:
    return np.random.default_rng(4).integers(0, 60000, shape, np.uint16)


def planes(well: str, site: int, pixels: Pixels) -> dict[ImageKey, Pixels]:
    """The planes of (t, c, z, Y, X)."""
    return {
        ImageKey(well, site, c + 1, z + 1, t + 1): pixels[t, c, z]
        for t in range(pixels.shape[0])
        for c in range(pixels.shape[1])
        for z in range(pixels.shape[2])
    }


def write_plate(folder: Path, version: OmeZarrVersion, wells: tuple[str, ...] = ("A12", "B03")) -> Pixels:
    """A plate of two sites a well, both with the pixels (t, c, z, Y, X) that are given back."""
    pixels = random_pixels(2, 2, 2, 301, 167)
    writer = OmeZarrPlateWriter(folder, ("DAPI", "GFP"), pixel_size_um=0.5, version=version)
    for name in wells:
        with writer.well(name) as well:
            for site in (1, 2):
                labels = {
                    ImageKey(name, site, 1, z, t): pixels[t - 1, 0, z - 1] // 1000 for t in (1, 2) for z in (1, 2)
                }
                position = StagePosition(-10.0, 83.5 * site)
                well.add_site(site, planes(name, site, pixels), {"nuclei": labels}, position=position)
    writer.finish()
    return pixels


def stack(plate: Plate, well: str, site: int) -> Pixels:
    """All planes of a site, in order (c, z, t)."""
    return np.stack([plate.read(image) for image in plate.images[well] if image.key.site == site]).astype(np.uint16)


@versions
def test_what_is_written_is_read_again(tmp_path: Path, version: OmeZarrVersion) -> None:
    pixels = write_plate(tmp_path / "p.zarr", version)
    plate = open_plate(tmp_path / "p.zarr")
    assert (plate.format, plate.wells, plate.problems) == ("ome_zarr", ("A12", "B03"), ())
    assert (plate.channel_names, plate.pixel_size_um) == ({1: "DAPI", 2: "GFP"}, 0.5)
    assert plate.positions["B03", 2] == StagePosition(-10.0, 167.0)
    image = next(image for image in plate.images["B03"] if image.key == ImageKey("B03", 2, 2, 1, 2))
    assert np.array_equal(read_image(plate.format, image), pixels[1, 1, 0])
    assert image.size > 1000
    assert image.mtime_ns > 0


@pytest.mark.filterwarnings("ignore")  # other people's libraries warn of each other
@pytest.mark.usefixtures("no_dask_threads")
@versions
def test_ngio_reads_it(tmp_path: Path, version: OmeZarrVersion) -> None:
    ngio = import_module("ngio")
    pixels = write_plate(tmp_path / "p.zarr", version)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", module="ome_zarr_models")
        plate = ngio.open_ome_zarr_plate(tmp_path / "p.zarr")
    assert sorted(plate.wells_paths()) == ["A/12", "B/03"]
    container = plate.get_image("B", "03", "1")
    assert container.channel_labels == ["DAPI", "GFP"]
    assert (container.get_image().pixel_size.x, container.get_image().pixel_size.y) == (0.5, 0.5)
    assert np.array_equal(np.asarray(container.get_image().get_array()), pixels)
    assert np.array_equal(np.asarray(container.get_label("nuclei").get_array()), pixels[:, 0] // 1000)


@pytest.mark.filterwarnings("ignore")  # other people's libraries warn of each other
@pytest.mark.usefixtures("no_dask_threads")
@versions
def test_ome_zarr_reads_it(tmp_path: Path, version: OmeZarrVersion) -> None:
    parse_url, Reader = import_module("ome_zarr.io").parse_url, import_module("ome_zarr.reader").Reader
    pixels = write_plate(tmp_path / "p.zarr", version)
    (plate, *_) = Reader(parse_url(tmp_path / "p.zarr"))()
    assert [type(spec).__name__ for spec in plate.specs] == ["Plate"]
    image, labels = (node for node in Reader(parse_url(tmp_path / "p.zarr" / "B" / "03" / "0"))() if node.data)
    assert image.metadata["channel_names"] == ["DAPI", "GFP"]
    assert [level.shape[-2:] for level in image.data] == [(301, 167), (151, 84)]
    assert np.array_equal(np.asarray(image.data[0]), pixels)
    assert np.array_equal(np.asarray(labels.data[0]), pixels[:, 0] // 1000)


@pytest.mark.filterwarnings("ignore")  # other people's libraries warn of each other
@pytest.mark.usefixtures("no_dask_threads")
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_plate_of_ngio(tmp_path: Path, version: str) -> None:
    ngio = import_module("ngio")
    folder, pixels = tmp_path / "p.zarr", random_pixels(2, 3, 40, 50)
    places = [ngio.ImageInWellPath(row=row, column=column, path="0") for row, column in (("A", "01"), ("C", "11"))]
    ngio.create_empty_plate(folder, name="x", images=places, ngff_version=version)
    for place in places:
        ngio.create_ome_zarr_from_array(
            str(folder / place.row / str(place.column) / "0"),
            pixels,
            0.3,
            channels_meta=["DAPI", "GFP"],
            axes_names=["c", "z", "y", "x"],
            ngff_version=version,
        )
    plate = open_plate(folder)
    assert (plate.wells, plate.problems, plate.pixel_size_um) == (("A01", "C11"), (), 0.3)
    assert plate.channel_names == {1: "DAPI", 2: "GFP"}
    assert np.array_equal(stack(plate, "C11", 1), pixels.reshape(6, 40, 50))


@pytest.mark.filterwarnings("ignore")  # other people's libraries warn of each other
@pytest.mark.usefixtures("no_dask_threads")
@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["tczyx", "cyx", "yx"])
def test_a_plate_of_ome_zarr(tmp_path: Path, version: str, axes: str) -> None:
    writer, formats = import_module("ome_zarr.writer"), import_module("ome_zarr.format")
    fmt = formats.FormatV04() if version == "0.4" else formats.FormatV05()
    pixels = random_pixels(*{"tczyx": (2, 2, 3), "cyx": (2,), "yx": ()}[axes], 300, 70)
    root = zarr.open_group(str(tmp_path / "p.zarr"), mode="w", zarr_format=fmt.zarr_format)
    writer.write_plate_metadata(root, ["A", "B"], ["1", "2"], ["A/1", "B/2"], fmt=fmt)
    for path in ("A/1", "B/2"):
        well = root.require_group(path)
        writer.write_well_metadata(well, ["0", "1"], fmt=fmt)
        for field in ("0", "1"):
            writer.write_image(pixels, well.require_group(field), axes=axes, fmt=fmt)
    plate = open_plate(tmp_path / "p.zarr")
    assert (plate.wells, plate.problems) == (("A01", "B02"), ())
    assert plate.components[Component.SITE] == (1, 2)
    moved = np.moveaxis(pixels, 0, 2).reshape(-1, 300, 70) if axes == "tczyx" else pixels.reshape(-1, 300, 70)
    assert np.array_equal(stack(plate, "B02", 2), moved)


@versions
def test_levels_halve_and_labels_keep_their_values(tmp_path: Path, version: OmeZarrVersion) -> None:
    writer = OmeZarrPlateWriter(tmp_path / "p.zarr", ("DAPI",), version=version)
    pixels, labels = random_pixels(601, 300), np.full((601, 300), 70000)
    with writer.well("A01") as well:
        well.add_site(1, {ImageKey("A01"): pixels}, {"cells": {ImageKey("A01"): labels}})
    field = tmp_path / "p.zarr" / "A" / "01" / "0"
    levels = [zarr.open_array(str(field / str(level)), mode="r") for level in range(3)]
    assert [level.shape for level in levels] == [(1, 1, 1, 601, 300), (1, 1, 1, 301, 150), (1, 1, 1, 151, 75)]
    assert np.asarray(levels[1][0, 0, 0])[3, 4] == np.rint(pixels[6:8, 8:10].mean())
    assert np.asarray(levels[1][0, 0, 0])[300, 4] == np.rint(pixels[600, 8:10].mean())
    cells = np.asarray(zarr.open_array(str(field / "labels" / "cells" / "2"), mode="r")[...])
    assert (cells.dtype.name, np.unique(cells).tolist()) == ("uint32", [70000])


def _write_well(folder: Path, name: str) -> None:
    with OmeZarrPlateWriter(folder, ("DAPI",)).well(name) as well:
        well.add_site(1, {ImageKey(name): random_pixels(64, 64)})


def test_several_processes_write_wells_at_once(tmp_path: Path) -> None:
    folder, names = tmp_path / "p.zarr", [f"{row}{column:02d}" for row in "AB" for column in range(1, 5)]
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        pool.starmap(_write_well, [(folder, name) for name in names], chunksize=1)
        pool.close()
        pool.join()
    OmeZarrPlateWriter(folder, ("DAPI",)).finish()
    plate = open_plate(folder)
    assert plate.wells == tuple(names)
    assert all(np.array_equal(stack(plate, name, 1)[0], random_pixels(64, 64)) for name in names)
    assert list(folder.glob(".*part")) == []


def test_a_well_that_fails_leaves_the_old_one_and_no_trace(tmp_path: Path) -> None:
    folder = tmp_path / "p.zarr"
    _write_well(folder, "A01")
    writer = OmeZarrPlateWriter(folder, ("DAPI",))
    with pytest.raises(RuntimeError, match="in the middle"), writer.well("A01") as well:  # noqa: PT012
        well.add_site(1, {ImageKey("A01"): random_pixels(8, 8)})
        raise RuntimeError("in the middle")
    assert sorted(path.name for path in folder.iterdir()) == ["A"]
    with writer.well("A01") as well:
        well.add_site(2, {ImageKey("A01", 2): random_pixels(8, 9)})
    writer.finish()
    (image,) = open_plate(folder).images["A01"]
    assert image.key == ImageKey("A01", 2)
    assert read_image("ome_zarr", image).shape == (8, 9)


def test_what_a_killed_process_left_goes_with_the_next_finish(tmp_path: Path) -> None:
    _write_well(tmp_path, "A01")
    (tmp_path / ".4194999-0123abcd.openhcs-part" / "0").mkdir(parents=True)  # above the largest process id of Linux
    OmeZarrPlateWriter(tmp_path, ("DAPI",)).finish()
    assert list(tmp_path.glob(".*part")) == []


def test_what_makes_no_image_is_refused(tmp_path: Path) -> None:
    writer, plane = OmeZarrPlateWriter(tmp_path / "p.zarr", ("DAPI", "GFP")), random_pixels(8, 8)
    with pytest.raises(OutputError, match="no well"):
        writer.finish()
    for keys, words in {
        (ImageKey("A01", 1, 1),): "1 of 2 planes",
        (ImageKey("A01", 1, 1), ImageKey("A01", 1, 3)): "channel 3 has no name",
    }.items():
        with pytest.raises(OutputError, match=words), writer.well("A01") as well:
            well.add_site(1, dict.fromkeys(keys, plane))
    with pytest.raises(OutputError, match="not a well name"), writer.well("here"):
        pass


def test_a_full_disk_is_named(tiny_disk: Path) -> None:
    with (
        pytest.raises(OutputError, match="no space left"),
        OmeZarrPlateWriter(tiny_disk, ("DAPI",)).well("A01") as well,
    ):
        well.add_site(1, {ImageKey("A01"): random_pixels(500, 500)})
    assert list(tiny_disk.glob(".*part")) == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_plate(tmp_path / "p.zarr", OmeZarrVersion.V05)
    return tmp_path / "p.zarr"


def test_a_damaged_or_missing_chunk_fails_its_image_by_name(folder: Path) -> None:
    chunk = folder / "B" / "03" / "1" / "0" / "c" / "0" / "1" / "0" / "0" / "0"
    plate = open_plate(folder)
    image = next(image for image in plate.images["B03"] if image.key == ImageKey("B03", 2, 2))
    chunk.write_bytes(chunk.read_bytes()[:100])
    with pytest.raises(ImageError, match="image B/03/1/0 is damaged") as caught:
        plate.read(image)
    assert caught.value.path.endswith("0")
    (chunk.parents[4].parent / "zarr.json").unlink()
    with pytest.raises(ImageError, match="image B/03/1/0 no longer exists"):
        plate.read(image)


def test_a_changed_plane_is_noticed_and_no_other(folder: Path) -> None:
    before = {image.key: image for image in open_plate(folder).images["A12"]}
    chunk = folder / "A" / "12" / "0" / "0" / "c" / "0" / "1" / "0" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes() + b"\0")
    after = {image.key: image for image in open_plate(folder).images["A12"]}
    assert [key for key in before if before[key] != after[key]] == [ImageKey("A12", 1, 2, 1, 1)]


def test_a_field_that_makes_no_sense_is_a_problem_of_its_well(folder: Path) -> None:
    (folder / "B" / "03" / "1" / "zarr.json").write_text("{")
    plate = open_plate(folder)
    assert plate.problems[0].kind is ProblemKind.METADATA
    assert "site 2 of well B03 can't be opened (B/03/1)" in plate.problems[0].message
    assert [image.key.site for image in plate.images["B03"]] == [1] * 8
    assert ImageKey("B03", 2) in plate.missing["B03"]


def test_a_well_that_is_listed_and_not_there_is_a_problem(folder: Path) -> None:
    (folder / "B" / "03").rename(folder / "B" / "04")
    plate = open_plate(folder)
    assert plate.wells == ("A12",)
    assert "well B03" in plate.problems[0].message


@pytest.mark.parametrize(("place", "well", "words"), [("A/12/0", "A01", "one image"), ("A/12", "A12", "one well")])
def test_a_part_of_a_plate_is_a_plate_of_one_well(folder: Path, place: str, well: str, words: str) -> None:
    plate = open_plate(folder / place)
    assert plate.wells == (well,)
    assert f"is {words}" in plate.problems[0].message


def test_a_group_of_something_else_is_no_plate(folder: Path) -> None:
    with pytest.raises(PlateError, match="is a zarr group, but not an OME-Zarr plate or image"):
        open_plate(folder / "A")


def test_axes_and_versions_that_are_not_read_are_named(folder: Path) -> None:
    path = folder / "A" / "12" / "0" / "zarr.json"
    metadata = json.loads(path.read_text())
    metadata["attributes"]["ome"]["multiscales"][0]["axes"].reverse()
    path.write_text(json.dumps(metadata))
    assert "its axes are x, y, z, c, t" in open_plate(folder).problems[0].message
    (folder / "zarr.json").write_text('{"attributes": {"ome": {"plate": {"wells": 3}}}}')
    with pytest.raises(PlateError, match="does not describe an OME-Zarr plate: "):
        open_plate(folder)


def test_a_made_plate_has_the_same_pixels_in_every_format(tmp_path: Path) -> None:
    made = [
        open_plate(make_plate(tmp_path / kind, wells=2, sites=2, channels=2, size=64, format=kind))
        for kind in ("imagexpress", "opera_phenix", "ome_zarr")
    ]
    assert [plate.format for plate in made] == ["imagexpress", "opera_phenix", "ome_zarr"]
    for plate in made:
        assert (plate.problems, plate.pixel_size_um) == ((), 0.65)
        assert plate.channel_names == {1: "DAPI", 2: "FITC"}
        assert np.array_equal(stack(plate, "A02", 2), stack(made[0], "A02", 2))
    assert made[1].positions["A02", 2] == StagePosition(0, 20.8)
    assert made[2].positions["A02", 2] == StagePosition(0, 20.8)
    assert (tmp_path / "ome_zarr" / "truth.csv").read_text() == (tmp_path / "imagexpress" / "truth.csv").read_text()


def test_channels_in_another_order_are_told_by_their_names(folder: Path) -> None:
    path = folder / "B" / "03" / "1" / "zarr.json"
    document = json.loads(path.read_text())
    document["attributes"]["ome"]["omero"]["channels"].reverse()
    path.write_text(json.dumps(document))
    plate = open_plate(folder)
    assert plate.channel_names == {1: "DAPI", 2: "GFP"}
    assert [problem.message for problem in plate.problems] == [
        "image 1 of well B03 has its channels in another order (GFP, DAPI): they are told by their names"
    ]
    indexes = {(image.key.site, image.key.channel, image.index[1]) for image in plate.images["B03"]}
    assert indexes == {(1, 1, 0), (1, 2, 1), (2, 1, 1), (2, 2, 0)}


def test_channels_with_other_names_are_reported(folder: Path) -> None:
    path = folder / "B" / "03" / "1" / "zarr.json"
    document = json.loads(path.read_text())
    document["attributes"]["ome"]["omero"]["channels"][1]["label"] = "Cy5"
    path.write_text(json.dumps(document))
    text = "channel 2 is called Cy5 in image 1 of well B03 and GFP elsewhere"
    assert text in [problem.message for problem in open_plate(folder).problems]


@pytest.mark.parametrize(("name", "value"), [("path", "../q/B/03"), ("rowIndex", 0)])
def test_a_well_that_contradicts_itself_is_refused(folder: Path, name: str, value: object) -> None:
    document = json.loads((folder / "zarr.json").read_text())
    wells = document["attributes"]["ome"]["plate"]["wells"]
    next(well for well in wells if well["path"] == "B/03")[name] = value
    (folder / "zarr.json").write_text(json.dumps(document))
    with pytest.raises(PlateError, match="correct the plate's metadata"):
        open_plate(folder)


def test_of_a_lost_site_all_images_are_missing(folder: Path) -> None:
    (folder / "B" / "03" / "1" / "zarr.json").unlink()
    assert len(open_plate(folder).missing["B03"]) == 8


def test_an_array_that_claims_to_be_huge_opens_at_once(folder: Path) -> None:
    path = folder / "B" / "03" / "1" / "0" / "zarr.json"
    document = json.loads(path.read_text())
    document["shape"][-2:] = [10**9, 10**9]
    path.write_text(json.dumps(document))
    assert len(open_plate(folder).images["A12"]) == 16
