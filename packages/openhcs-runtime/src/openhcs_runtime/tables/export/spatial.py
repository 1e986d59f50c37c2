"""Tables as SpatialData: a table of objects, with their centroids as points."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.tables.export.ann import to_anndata

if TYPE_CHECKING:
    from openhcs_runtime.tables.read import Results

MISSING = "SpatialData needs spatialdata: pip install 'openhcs-runtime[spatialdata]'"


def write_spatialdata(
    results: "Results", name: str, target: Path, *, columns: Sequence[str] | None = None, where: str = ""
) -> Path:
    """Write a table as a SpatialData store, a folder that ends in ``.zarr``; the whole table has to fit into memory.

    The table has the content of ``to_anndata``. It does not annotate an element of the store, as images and labels of
    a run are in its OME-Zarr plate; ``spatialdata.SpatialData`` can be given both.

    Args:
        results: the results of a run.
        name: name of the table, which is that of the table in the store.
        target: the store; one that exists is not replaced.
        columns: only these columns besides the keys; None for all.
        where: only rows for which this expression is true.

    Returns:
        The store.

    Raises:
        OutputError: there is no such table or column, spatialdata is not installed, or the store exists.
        DamagedResultError: the table can't be read.
    """
    try:
        from spatialdata import SpatialData  # noqa: PLC0415  an extra
        from spatialdata.models import TableModel  # noqa: PLC0415  an extra
    except ImportError as error:
        raise OutputError(MISSING) from error
    if target.exists():
        raise OutputError(f"{target} exists, and a SpatialData store is not replaced: remove it, or name another one")
    data = to_anndata(results, name, columns=columns, where=where)
    SpatialData(tables={name: TableModel.parse(data)}).write(target)
    return target
