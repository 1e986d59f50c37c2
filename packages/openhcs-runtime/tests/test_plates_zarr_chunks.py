"""OME-Zarr plates by other writers, and chunks that are absent, cut, or empty by right."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.exceptions import ImageError
from openhcs_runtime.plates import Plate, ProblemKind, StagePosition, open_plate, read_image

pytestmark = pytest.mark.usefixtures("zarr_ends")

Images = dict[str, dict[str, Any]]


def pixels(shape: tuple[int, ...], seed: int = 1) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(1, 1000, shape).astype(np.uint16)


def attributes(folder: Path, values: dict[str, Any], version: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if version == "0.4":
        (folder / ".zgroup").write_text('{"zarr_format": 2}')
        (folder / ".zattrs").write_text(json.dumps(values))
    else:
        document = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": version, **values}}}
        (folder / "zarr.json").write_text(json.dumps(document))


def write_field(
    folder: Path,
    data: NDArray[Any],
    axes: str,
    *,
    version: str = "0.5",
    chunks: tuple[int, ...] | None = None,
    shards: tuple[int, ...] | None = None,
    levels: int = 1,
    scale: dict[str, float] | None = None,
    unit: str | None = "micrometer",
    channels: tuple[str, ...] = (),
    odd: Any = 1.0,
    empty: bool = True,
    translation: tuple[float, ...] = (),
) -> None:
    """One image as another program would write it."""
    datasets = []
    for level in range(levels):
        part = data[..., :: 2**level, :: 2**level]
        known = chunks or (*([1] * (data.ndim - 2)), *data.shape[-2:])
        array = zarr.create_array(
            store=str(folder / str(level)),
            shape=part.shape,
            dtype=part.dtype,
            chunks=tuple(min(a, b) for a, b in zip(known, part.shape, strict=True)),
            shards=shards,
            zarr_format=2 if version == "0.4" else 3,
            chunk_key_encoding={"name": "v2" if version == "0.4" else "default", "separator": "/"},
            config={"write_empty_chunks": empty},
        )
        array[...] = part
        sizes = [(scale or {}).get(axis.lower(), 1.0) for axis in axes]
        steps: list[dict[str, Any]] = [{"type": "scale", "scale": sizes}]
        if translation:
            steps.append({"type": "translation", "translation": list(translation)})
        datasets.append({"path": str(level), "coordinateTransformations": steps})
    described = [
        {"name": axis, "type": {"t": "time", "c": "channel"}.get(axis.lower(), "space")}
        | ({"unit": unit} if unit and axis.lower() in "zyx" else {})
        for axis in axes
    ]
    omero = {"channels": [{"label": name, "window": {"start": odd}} for name in channels]}
    values = {"multiscales": [{"axes": described, "datasets": datasets}], "omero": omero}
    attributes(folder, values, version)


def write_plate(folder: Path, wells: dict[str, Images], *, version: str = "0.5", **common: Any) -> Path:
    """Wells such as A/1, each with its images by path; `acquisition` and `data` are among what is given for one."""
    rows, columns = (sorted({well.split("/")[axis] for well in wells}) for axis in (0, 1))
    listed = [
        {"path": well, "rowIndex": rows.index(well.split("/")[0]), "columnIndex": columns.index(well.split("/")[1])}
        for well in wells
    ]
    names = {"rows": [{"name": row} for row in rows], "columns": [{"name": column} for column in columns]}
    attributes(folder, {"plate": {"wells": listed, **names}}, version)
    for well, images in wells.items():
        entries = []
        for path, given in images.items():
            options = {**common, **given}
            acquisition = options.pop("acquisition", None)
            entries.append({"path": path} | ({} if acquisition is None else {"acquisition": acquisition}))
            write_field(folder / well / path, options.pop("data"), options.pop("axes"), version=version, **options)
        attributes(folder / well, {"well": {"images": entries}}, version)
    return folder


def read_all(plate: Plate, well: str) -> dict[tuple[int, int, int], NDArray[np.generic]]:
    return {(i.key.site, i.key.channel, i.key.z_index): plate.read(i) for i in plate.images[well]}


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["TCZYX", "tczyx", "CZYX", "czyx", "ZYX", "cyx", "tyx", "YX", "zxy", "cyxz"])
def test_axes_in_any_legal_order_and_number(tmp_path: Path, axes: str, version: str) -> None:
    lengths = {"t": 2, "c": 3, "z": 4, "y": 8, "x": 10}
    data = pixels(tuple(lengths[axis] for axis in axes.lower()))
    scale = {"z": 2.0, "y": 0.5, "x": 0.5}
    images = {"0": {"data": data, "axes": axes, "scale": scale, "chunks": tuple(min(n, 3) for n in data.shape)}}
    plate = open_plate(write_plate(tmp_path / "p.zarr", {"A/1": images}, version=version))
    assert plate.problems == ()
    assert (plate.pixel_size_um, plate.z_step_um) == (0.5, 2.0 if "z" in axes.lower() else None)
    moved = np.transpose(data, [axes.lower().index(axis) for axis in "tczyx" if axis in axes.lower()])
    at = tuple(axis for axis in "tcz" if axis in axes.lower())
    for image in plate.images["A01"]:
        place = {"t": image.key.timepoint, "c": image.key.channel, "z": image.key.z_index}
        handed: list[int] = []
        found = read_image(plate.format, image, lambda part, kept=handed: kept.append(len(part)))  # type: ignore[misc]
        assert np.array_equal(found, moved[tuple(place[axis] - 1 for axis in at)])
        assert len(handed) == 12
    assert len(plate.images["A01"]) == np.prod([lengths[axis] for axis in at], dtype=int)


@pytest.mark.parametrize("unit", ["micrometer", "nanometer", None])
def test_units_of_length(tmp_path: Path, unit: str | None) -> None:
    scale = {"z": 20.0, "y": 5.0, "x": 5.0}
    images = {"0": {"data": pixels((2, 8, 8)), "axes": "zyx", "scale": scale, "unit": unit}}
    plate = open_plate(write_plate(tmp_path / "p.zarr", {"A/1": images}))
    factor = {"micrometer": 1.0, "nanometer": 1e-3}.get(unit or "")
    assert plate.pixel_size_um == (5.0 * factor if factor else None)
    assert plate.z_step_um == (20 * factor if factor else None)


def test_nan_and_infinity_in_metadata(tmp_path: Path) -> None:
    data = pixels((2, 8, 8))
    images = {"0": {"data": data, "axes": "cyx", "channels": ("DAPI", "GFP"), "odd": float("nan")}}
    folder = write_plate(tmp_path / "p.zarr", {"A/1": images})
    assert "NaN" in (folder / "A" / "1" / "0" / "zarr.json").read_text()
    plate = open_plate(folder)
    assert (plate.problems, dict(plate.channel_names)) == ((), {1: "DAPI", 2: "GFP"})
    assert np.array_equal(read_all(plate, "A01")[1, 2, 1], data[1])


def test_an_acquisition_is_a_set_of_channels(tmp_path: Path) -> None:
    first, second = pixels((3, 8, 8)), pixels((2, 8, 8), 2)
    one = {"data": first, "axes": "cyx", "acquisition": 0, "channels": ("DAPI", "Syto", "ER")}
    two = {"data": second, "axes": "cyx", "acquisition": 1, "channels": ("Hoechst2", "Tubulin")}
    images = {"0": one, "1": two}
    plate = open_plate(write_plate(tmp_path / "p.zarr", {"B/03": images, "B/04": images}))
    assert plate.components[Component.SITE] == (1,)
    assert list(plate.channel_names.values()) == ["DAPI", "Syto", "ER", "Hoechst2", "Tubulin"]
    assert (plate.missing, plate.problems) == ({}, ())
    found = read_all(plate, "B04")
    assert np.array_equal(found[1, 5, 1], second[1])
    assert np.array_equal(found[1, 3, 1], first[2])


@pytest.mark.parametrize("derived", ["0_mip", "0_registered", "corrected"])
def test_an_image_made_from_a_field_is_no_field(tmp_path: Path, derived: str) -> None:
    images = {name: {"data": pixels((2, 8, 8)), "axes": "cyx", "acquisition": 0} for name in ("0", "1", derived)}
    plate = open_plate(write_plate(tmp_path / "p.zarr", {"A/1": images}))
    assert plate.components[Component.SITE] == (1, 2)
    (problem,) = plate.problems
    assert problem.message == f"image {derived} of well A01 was derived from image 0; it is left out"


@pytest.mark.parametrize("odd", [{"translation": (0.0, 3.0, 5.0)}, {"channels": ("ridges", "edges")}])
def test_a_number_does_not_make_an_image_a_field(tmp_path: Path, odd: dict[str, Any]) -> None:
    known = {"axes": "cyx", "channels": ("DAPI", "GFP"), "translation": (0.0, 3.0, 5.0)}
    images = {
        "0": {"data": pixels((2, 8, 8)), **known},
        "1": {"data": pixels((2, 8, 8), 2), **known, "translation": (0.0, 30.0, 5.0)},
        "2": {"data": pixels((2, 8, 8), 3), **known, "translation": (0.0, 90.0, 5.0), **odd},
    }
    plate = open_plate(write_plate(tmp_path / "p.zarr", {"A/1": images}))
    assert plate.components[Component.SITE] == (1, 2)
    assert plate.problems[0].message == "image 2 of well A01 was derived from image 0; it is left out"


def test_fields_with_names_and_positions(tmp_path: Path) -> None:
    images = {
        name: {"data": pixels((8, 8)), "axes": "yx", "translation": (10.0 * place, 5.0)}
        for place, name in enumerate(("left", "right"))
    }
    plate = open_plate(write_plate(tmp_path / "p.zarr", {"A/1": images}))
    assert plate.positions == {("A01", 1): StagePosition(0.0, 5.0), ("A01", 2): StagePosition(10.0, 5.0)}


def test_sizes_that_differ_are_named(tmp_path: Path) -> None:
    fields = {
        "0": {"data": pixels((8, 8)), "axes": "yx", "scale": {"y": 0.5, "x": 0.5}},
        "1": {"data": pixels((8, 9)).astype(np.uint8), "axes": "yx"},
    }
    plate = open_plate(write_plate(tmp_path / "p.zarr", {"A/1": fields}))
    assert plate.pixel_size_um is None
    messages = [problem.message for problem in plate.problems if problem.kind is ProblemKind.MIXED]
    assert any("1 of 8 x 8 uint16 (such as image 0 of well A01), 1 of 8 x 9 uint8" in text for text in messages)
    assert any("a pixel is 0.5 um in image 0" in text for text in messages)


def _two_wells(tmp_path: Path, **options: Any) -> Path:
    images = {"0": {"data": pixels((2, 32, 32)), "axes": "cyx", "chunks": (1, 16, 16), **options}}
    return write_plate(tmp_path / "p.zarr", {"A/1": images, "A/2": images, "A/3": images})


@pytest.mark.parametrize("levels", [1, 2])
def test_a_chunk_that_is_lost_is_no_black_corner(tmp_path: Path, levels: int) -> None:
    folder = _two_wells(tmp_path, levels=levels)
    (folder / "A" / "2" / "0" / "0" / "c" / "1" / "0" / "1").unlink()
    plate = open_plate(folder)
    assert plate.missing == {}
    with pytest.raises(ImageError, match=r"image A/2/0/0 is damaged.*lacks .*c/1/0/1"):
        plate.read(plate.images["A02"][1])
    plate.read(plate.images["A02"][0])


@pytest.mark.parametrize("what", ["plane", "image"])
def test_a_plane_without_any_chunk_is_missing(tmp_path: Path, what: str) -> None:
    folder = _two_wells(tmp_path)
    chunks = folder / "A" / "2" / "0" / "0" / "c"
    shutil.rmtree(chunks if what == "image" else chunks / "1")
    plate = open_plate(folder)
    lost = (ImageKey("A02", 1, 2),) if what == "plane" else (ImageKey("A02"), ImageKey("A02", 1, 2))
    assert (plate.wells, plate.missing) == (("A01", "A02", "A03"), {"A02": lost})
    assert plate.problems[0].message.startswith(f"no chunks were written for {lost[0].describe()}")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("shards", [None, (2, 32, 32)])
@pytest.mark.parametrize("damage", [_cut, _empty, Path.unlink])
def test_a_chunk_or_shard_that_is_damaged(
    tmp_path: Path, damage: Callable[[Path], None], shards: tuple[int, ...] | None
) -> None:
    folder = _two_wells(tmp_path, shards=shards)
    chunk = folder / "A" / "2" / "0" / "0" / "c" / "0" / "0" / "0"
    damage(chunk)
    plate = open_plate(folder)
    for image in plate.images["A02"][:1]:
        with pytest.raises(ImageError, match="A/2/0/0"):
            plate.read(image)
    assert plate.images["A02"] or plate.missing["A02"]
    assert len(read_all(plate, "A03")) == 2


def test_a_writer_that_leaves_out_empty_chunks_is_believed(tmp_path: Path) -> None:
    def with_hole(seed: int) -> NDArray[np.uint16]:
        data = pixels((2, 32, 32), seed)
        data[:, 16:, 16:] = 0
        return data

    wells = {
        f"A/{n}": {"0": {"data": with_hole(n), "axes": "cyx", "chunks": (1, 16, 16), "empty": False}} for n in (1, 2)
    }
    plate = open_plate(write_plate(tmp_path / "p.zarr", wells))
    assert (plate.problems, plate.missing) == ((), {})
    assert np.array_equal(read_all(plate, "A02")[1, 2, 1], with_hole(2)[1])


def test_one_empty_chunk_is_believed_where_the_next_level_is_empty_too(tmp_path: Path) -> None:
    data = pixels((1, 32, 32))
    data[0, :16, :16] = 0
    options = {"axes": "cyx", "chunks": (1, 16, 16), "empty": False, "levels": 2}
    plate = open_plate(write_plate(tmp_path / "p.zarr", {"A/1": {"0": {"data": data, **options}}}))
    assert np.array_equal(read_all(plate, "A01")[1, 1, 1], data[0])


def test_empty_chunks_inside_a_shard_are_believed(tmp_path: Path) -> None:
    data = pixels((1, 32, 32))
    data[0, :16, :16] = 0
    options = {"axes": "cyx", "chunks": (1, 16, 16), "shards": (1, 32, 32), "empty": False}
    plate = open_plate(write_plate(tmp_path / "p.zarr", {"A/1": {"0": {"data": data, **options}}}))
    assert np.array_equal(read_all(plate, "A01")[1, 1, 1], data[0])


def test_a_well_whose_only_image_can_not_be_opened_is_not_left_out(tmp_path: Path) -> None:
    folder = _two_wells(tmp_path)
    (folder / "A" / "2" / "0" / "zarr.json").write_text("{")
    plate = open_plate(folder)
    assert (plate.wells, plate.images["A02"]) == (("A01", "A02", "A03"), ())
    assert ImageKey("A02") in plate.missing["A02"]
