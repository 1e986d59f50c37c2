"""Tables of objects inside an OME-Zarr plate: in the folder ``tables`` of each image, as ngio and Fractal read them.

The specification is that of feature tables, version 1, of fractal-tasks-core and ngio, stored as AnnData.
"""

import shutil
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs_runtime.exceptions import OutputError, PlateError
from openhcs_runtime.tables.export.ann import MISSING, to_anndata
from openhcs_runtime.tables.schema import TableKind

if TYPE_CHECKING:
    import pyarrow
    import zarr
    from anndata import AnnData

    from openhcs_runtime.tables.read import Results

_WRITER = "openhcs-runtime"
_INDEX = "label"
_SHARDING = "zarr v3 autosharding will be the default"
"""What anndata warns of for each array."""

Place = tuple[str, int]
"""A well and the number of a site in it."""


def write_zarr_tables(
    results: "Results", name: str, target: Path, *, columns: Sequence[str] | None = None, where: str = ""
) -> list[Path]:
    """Write the objects of each image of an OME-Zarr plate into its group ``tables/<name>``.

    The table refers to the labels of the image with the same name, if it has them. Sites are numbered as this package
    numbers them when it opens the plate. Tables that this package wrote under this name are replaced in all images of
    the plate, and removed from those without objects, so that they are of one run; one of another program is not.

    Args:
        results: the results of a run.
        name: name of a set of objects.
        target: an existing OME-Zarr plate outside of the folder of the run, which stays as it is: the plate that was
            measured, a copy of the same name, or a copy of the images of the run with their labels.
        columns: only these columns besides the keys; None for all.
        where: only objects for which this expression is true.

    Returns:
        The folders of the tables.

    Raises:
        OutputError: there is no such set or column, or no such objects; the target is not an OME-Zarr plate with the
            images and the labels of the objects, is in the folder of the run, or has a table of another program with
            this name; or an image has several planes or time points with objects.
        DamagedResultError: the table can't be read.
    """
    if results.schema(name).kind is not TableKind.OBJECTS:
        raise OutputError(
            f"{name} is not a set of objects, as tables of an OME-Zarr plate are: choose one, such as nuclei"
        )
    if target.resolve().is_relative_to(results.folder.resolve()):
        raise OutputError(f"{target} is in the folder of the run, which stays as it is: give a copy of it")
    images = _images(target)
    objects = results.arrow(name, ["plate", "well", "site", _INDEX], where)
    labels = _labels_by_place(objects, name, where)
    _check_plate(labels, images, name, target, str(objects.column("plate")[0]))
    for image in images.values():
        _check_free(image, name)
    for place in labels:
        _check_once(images[place], name, labels[place])
    for place in images.keys() - labels.keys():
        _remove(images[place], name)
    written = []
    for well, site in labels:
        here = f"well == {well!r} and site == {site}"
        data = to_anndata(results, name, columns=columns, where=f"({where}) and {here}" if where else here)
        written.append(_write(images[well, site], name, data))
    return written


def _labels_by_place(objects: "pyarrow.Table", name: str, where: str) -> Mapping[Place, list[int]]:
    """Return the labels of the objects of each image, in the order of the table."""
    found: dict[Place, list[int]] = {}
    for row in objects.select(["well", "site", _INDEX]).to_pylist():
        found.setdefault((row["well"], row["site"]), []).append(row[_INDEX])
    if not found:
        matching = f" for which {where} is true: choose others" if where else ": run the pipeline on wells with them"
        raise OutputError(f"nothing is written, as there are no {name}{matching}")
    return found


def _check_plate(
    labels: Mapping[Place, list[int]], images: Mapping[Place, Path], name: str, target: Path, plate: str
) -> None:
    """Raise OutputError unless the target can be the plate of the objects: by its images, and its labels or name."""
    remedy = f"give the plate that was measured, {plate}, or a copy of the images of the run with their labels"
    lacking = next((place for place in labels if place not in images), None)
    if lacking is not None:
        raise OutputError(
            f"{target} has no image of site {lacking[1]} in well {lacking[0]}, which has {name}: {remedy}"
        )
    labelled = False
    for place, numbers in labels.items():
        known = _labels_of(images[place], name)
        if known is None:
            continue
        labelled = True
        if unknown := sorted(set(numbers) - known):
            raise OutputError(f"the labels {name} of {images[place]} have no object {unknown[0]} of the run: {remedy}")
    if not labelled and _stem(target.resolve().name) != _stem(plate):
        raise OutputError(
            f"{target} is not known to be plate {plate} of the run, as it has another name and no labels {name}: "
            f"{remedy}"
        )


def _stem(name: str) -> str:
    return name.removesuffix(".zarr").removesuffix(".ome")


def _labels_of(image: Path, name: str) -> frozenset[int] | None:
    """Return the numbers of the labels of an image; None if it has none of this name."""
    import zarr  # noqa: PLC0415  heavy

    from openhcs_runtime.rois.label_numbers import numbers_of  # noqa: PLC0415

    folder = image / "labels" / name
    if not folder.is_dir():
        return None
    try:
        attributes = zarr.open_group(folder, mode="r").attrs.asdict()
        described = attributes.get("ome", attributes)
        path = described["multiscales"][0]["datasets"][0]["path"]  # type: ignore[index, call-overload]
        pixels = zarr.open_array(folder / str(path), mode="r")[:]
    except (OSError, KeyError, IndexError, TypeError, ValueError) as error:
        raise OutputError(f"the labels {folder} can't be read ({error}): remove or repair them") from error
    return frozenset(numbers_of(pixels).tolist())  # type: ignore[arg-type]


def _check_once(image: Path, name: str, labels: Sequence[int]) -> None:
    if len(set(labels)) < len(labels):
        raise OutputError(
            f"{image} has {name} in several planes or time points, and a table of an image has one of each label: "
            'choose one by an expression, such as "t == 1"'
        )


def _remove(image: Path, name: str) -> None:
    """Remove a table of an earlier run from an image."""
    import zarr  # noqa: PLC0415  heavy

    if not (image / "tables" / name).exists():
        return
    tables = zarr.open_group(image / "tables", mode="r+")
    names = [str(each) for each in tables.attrs.get("tables", [])]  # type: ignore[union-attr]
    tables.attrs["tables"] = [each for each in names if each != name]
    shutil.rmtree(image / "tables" / name)


def _images(target: Path) -> Mapping[tuple[str, int], Path]:
    """Return the group of each image by well and site."""
    from openhcs_runtime.plates import open_plate  # noqa: PLC0415  heavy

    try:
        plate = open_plate(target)
    except PlateError as error:
        raise OutputError(f"{target} is not an OME-Zarr plate: {error}") from error
    if not any((target / document).is_file() for document in ("zarr.json", ".zgroup")):
        raise OutputError(f"{target} is not an OME-Zarr plate: give the folder that ends in .zarr")
    images = sorted((image for of_well in plate.images.values() for image in of_well), key=lambda image: image.key)
    return {(image.key.well, image.key.site): Path(image.path).parent for image in reversed(images)}


def _check_free(image: Path, name: str) -> None:
    import zarr  # noqa: PLC0415  heavy

    if not (image / "tables" / name).exists():
        return
    group = zarr.open_group(image / "tables" / name, mode="r")
    if group.attrs.get("written_by") != _WRITER:
        raise OutputError(f"{image} has a table {name} of another program: remove it, or give a copy of the plate")


def _write(image: Path, name: str, data: "AnnData") -> Path:
    import zarr  # noqa: PLC0415  heavy

    data.obs.index = data.obs.pop(_INDEX).astype(str)
    group = zarr.open_group(image, mode="r+")
    tables = group.require_group("tables")
    try:
        from anndata.io import write_elem  # noqa: PLC0415  an extra
    except ImportError as error:
        raise OutputError(MISSING) from error
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", _SHARDING)
        write_elem(tables, name, data)
    tables[name].attrs.update(_attributes(image, name))
    names = [str(each) for each in tables.attrs.get("tables", [])]  # type: ignore[union-attr]
    tables.attrs["tables"] = list(dict.fromkeys([*names, name]))
    return image / "tables" / name


def _attributes(image: Path, name: str) -> dict[str, "zarr.core.common.JSON"]:
    """Return what ngio needs to know of a table."""
    attributes: dict[str, zarr.core.common.JSON] = {
        "type": "feature_table",
        "table_version": "1",
        "backend": "anndata",
        "index_key": _INDEX,
        "index_type": "int",
        "instance_key": _INDEX,
        "written_by": _WRITER,
    }
    if (image / "labels" / name).is_dir():
        attributes["region"] = {"path": f"../labels/{name}"}
    return attributes
