"""Tables of objects inside an OME-Zarr plate: in the folder ``tables`` of each image, as ngio and Fractal read them.

The specification is that of feature tables, version 1, of fractal-tasks-core and ngio, stored as AnnData.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs_runtime.exceptions import OutputError, PlateError
from openhcs_runtime.tables.export.ann import MISSING, to_anndata
from openhcs_runtime.tables.schema import TableKind

if TYPE_CHECKING:
    import zarr
    from anndata import AnnData

    from openhcs_runtime.tables.read import Results

_WRITER = "openhcs-runtime"
_INDEX = "label"


def write_zarr_tables(
    results: "Results", name: str, target: Path, *, columns: Sequence[str] | None = None, where: str = ""
) -> list[Path]:
    """Write the objects of each image of an OME-Zarr plate into its group ``tables/<name>``.

    The table refers to the labels of the image with the same name, if it has them. Sites are numbered as this package
    numbers them when it opens the plate. A table that this package wrote is replaced; one of another program is not.

    Args:
        results: the results of a run.
        name: name of a set of objects.
        target: an existing OME-Zarr plate outside of the folder of the run, which stays as it is.
        columns: only these columns besides the keys; None for all.
        where: only objects for which this expression is true.

    Returns:
        The folders of the tables.

    Raises:
        OutputError: there is no such set or column; the target is not an OME-Zarr plate with the images of the objects,
            is in the folder of the run, or has a table of another program with this name; or an image has several
            planes or time points with objects.
        DamagedResultError: the table can't be read.
    """
    if results.schema(name).kind is not TableKind.OBJECTS:
        raise OutputError(
            f"{name} is not a set of objects, as tables of an OME-Zarr plate are: choose one, such as nuclei"
        )
    if target.resolve().is_relative_to(results.folder.resolve()):
        raise OutputError(f"{target} is in the folder of the run, which stays as it is: give a copy of it")
    images = _images(target)
    places = results.arrow(name, ["well", "site"], where).group_by(["well", "site"]).aggregate([]).to_pylist()
    lacking = [place for place in places if (place["well"], place["site"]) not in images]
    if lacking:
        raise OutputError(
            f"{target} has no image of site {lacking[0]['site']} in well {lacking[0]['well']}, which has {name}: give "
            "the plate that was measured"
        )
    for place in places:
        _check_free(images[place["well"], place["site"]], name)
    written = []
    for place in places:
        here = f"well == {place['well']!r} and site == {place['site']}"
        data = to_anndata(results, name, columns=columns, where=f"({where}) and {here}" if where else here)
        written.append(_write(images[place["well"], place["site"]], name, data))
    return written


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

    if data.obs[_INDEX].duplicated().any():
        raise OutputError(
            f"{image} has {name} in several planes or time points, and a table of an image has one of each label: "
            'choose one by an expression, such as "t == 1"'
        )
    data.obs.index = data.obs.pop(_INDEX).astype(str)
    group = zarr.open_group(image, mode="r+")
    tables = group.require_group("tables")
    try:
        from anndata.io import write_elem  # noqa: PLC0415  an extra
    except ImportError as error:
        raise OutputError(MISSING) from error
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
