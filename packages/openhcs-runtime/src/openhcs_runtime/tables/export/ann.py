"""Tables as AnnData, in memory and as ``.h5ad`` files.

Layout: Virshup et al., anndata: Access and store annotated data matrices, Journal of Open Source Software 9, 2024; and
the description of the file format in the documentation of anndata.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.atomic import atomic_file, writing_to
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.tables.places import table_path
from openhcs_runtime.tables.schema import TableSchema

if TYPE_CHECKING:
    import pandas
    import pyarrow
    from anndata import AnnData

    from openhcs_runtime.tables.read import Results

MISSING = "AnnData needs anndata: pip install 'openhcs-runtime[anndata]'"
_X_TYPE = "float64"
_UNITS = ("um", "px")


@dataclass(frozen=True, slots=True)
class Parts:
    """Which columns of a table become what.

    Attributes:
        table: what the columns of the table are.
        source: where the table is, for messages.
        numbers: the measures in ``X``: whole numbers and floats.
        others: the columns of ``obs``: keys, plate map, texts, truth values, and labels of parents.
        centres: the columns with x and y of an object, and their unit; None if there are none.
    """

    table: TableSchema
    source: Path
    numbers: tuple[str, ...]
    others: tuple[str, ...]
    centres: tuple[tuple[str, str], str] | None


def to_anndata(results: "Results", name: str, *, columns: Sequence[str] | None = None, where: str = "") -> "AnnData":
    """Return a table as AnnData, in memory.

    ``X`` has the measures that are numbers, as float64, so that whole numbers and sums stay exact; NaN where a value is
    missing. ``obs`` has keys, columns of the plate map, texts (as categories), truth values and labels of parents; its
    index is made of the keys. ``var`` has measure, channel and unit of each measure. ``obsm["spatial"]`` has x and y of
    the centroids, in the unit that ``uns["openhcs"]["spatial_unit"]`` names: um, or px if they are not known in um.

    Args:
        results: the results of a run.
        name: name of the table.
        columns: only these columns besides the keys; None for all.
        where: only rows for which this expression is true.

    Raises:
        OutputError: there is no such table or column, the expression is not valid, or anndata is not installed.
        DamagedResultError: the table can't be read.
    """
    parts = parts_of(results, name, columns)
    table = results.arrow(name, list(dict.fromkeys([*parts.others, *_centre_columns(parts), *parts.numbers])), where)
    data = _described(parts, table)
    data.X = matrix(table, parts.numbers)
    return data


def write_h5ad(
    results: "Results", name: str, target: Path, *, columns: Sequence[str] | None = None, where: str = ""
) -> Path:
    """Write a table as an ``.h5ad`` file, a batch of rows at a time; see ``to_anndata`` for its content.

    Args:
        results: the results of a run.
        name: name of the table.
        target: the file.
        columns: only these columns besides the keys; None for all.
        where: only rows for which this expression is true.

    Returns:
        The file.

    Raises:
        OutputError: there is no such table or column, the expression is not valid, anndata is not installed, or the
            file can't be written.
        DamagedResultError: the table can't be read.
    """
    parts = parts_of(results, name, columns)
    data = _described(parts, results.arrow(name, [*parts.others, *_centre_columns(parts)], where))
    with writing_to(target), atomic_file(target) as file:
        path = Path(file.name)
        data.write_h5ad(path)
        _fill(path, results, parts, data.n_obs, where)
    return target


def _fill(path: Path, results: "Results", parts: Parts, rows: int, where: str) -> None:
    """Write ``X`` into a file that has everything else."""
    import h5py  # noqa: PLC0415  comes with anndata

    with h5py.File(path, "r+") as file:
        if "X" in file:
            del file["X"]
        values = file.create_dataset("X", (rows, len(parts.numbers)), _X_TYPE)
        values.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        start = 0
        for batch in results.batches(parts.table.table, parts.numbers, where):
            values[start : start + len(batch)] = matrix(batch, parts.numbers)
            start += len(batch)
    if start != rows:
        raise OutputError(f"{parts.source} has changed while it was read: try again")


def parts_of(results: "Results", name: str, columns: Sequence[str] | None) -> Parts:
    """Return which columns of a table become what.

    Raises:
        OutputError: there is no such table or column, or anndata is not installed.
    """
    import pyarrow  # noqa: PLC0415  heavy
    from pyarrow import parquet  # noqa: PLC0415  heavy

    _require()
    schema = results.schema(name)
    path = table_path(results.folder, name)
    types = parquet.read_schema(path)
    if unknown := [column for column in columns or () if column not in types.names]:
        results.arrow(name, unknown)  # says which columns there are
    chosen = [each for each in schema.columns if columns is None or each in columns or each in schema.keys]

    def is_number(column: str) -> bool:
        type_ = types.field(column).type
        return bool(pyarrow.types.is_floating(type_) or pyarrow.types.is_integer(type_))

    numbers = tuple(
        each for each in chosen if each in schema.measures and not each.startswith("parent_") and is_number(each)
    )
    others = tuple(each for each in chosen if each not in numbers)
    return Parts(schema, path, numbers, others, _centres(schema))


def _centres(schema: TableSchema) -> tuple[tuple[str, str], str] | None:
    for unit in _UNITS:
        names = (f"centroid_x_{unit}", f"centroid_y_{unit}")
        if all(name in schema.measures for name in names):
            return names, unit
    return None


def _centre_columns(parts: Parts) -> list[str]:
    return [] if parts.centres is None else list(parts.centres[0])


def _described(parts: Parts, table: "pyarrow.Table") -> "AnnData":
    """Return an AnnData with everything but ``X``."""
    import anndata  # noqa: PLC0415  an extra
    import pandas  # noqa: PLC0415  comes with it

    measures = [parts.table.measures[name] for name in parts.numbers]
    of_columns = {
        "measure": [measure.measure for measure in measures],
        "channel": [measure.channel for measure in measures],
        "unit": [measure.unit for measure in measures],
    }
    about: dict[str, Any] = {"table": parts.table.table, "keys": list(parts.table.keys), "X": _X_TYPE}
    data = anndata.AnnData(
        obs=_observations(parts, table), var=pandas.DataFrame(of_columns, index=list(parts.numbers), dtype=str)
    )
    if parts.centres is not None:
        data.obsm["spatial"] = matrix(table, parts.centres[0])
        about |= {"spatial_unit": parts.centres[1], "spatial_axes": ["x", "y"]}
    data.uns["openhcs"] = about
    return data


def _observations(parts: Parts, table: "pyarrow.Table") -> "pandas.DataFrame":
    """Return ``obs``: texts as categories, whole numbers and truth values with gaps as pandas' own types for them."""
    import pandas  # noqa: PLC0415  comes with anndata
    import pyarrow  # noqa: PLC0415  heavy

    columns = {}
    for name in parts.others:
        column = table.column(name)
        if pyarrow.types.is_string(column.type):
            columns[name] = pandas.Categorical(column.to_pandas())
        elif column.null_count and pyarrow.types.is_integer(column.type):
            columns[name] = pandas.array(column.to_pylist(), dtype="Int64")
        elif pyarrow.types.is_boolean(column.type):
            columns[name] = pandas.array(column.to_pylist(), dtype="boolean" if column.null_count else "bool")
        else:
            columns[name] = column.to_numpy()
    names = row_names(parts, table)
    return pandas.DataFrame(columns, index=names)


def row_names(parts: Parts, table: "pyarrow.Table") -> list[str]:
    """Return a name for each row, such as ``P1_A01_s1_z1_t1_12``.

    Raises:
        OutputError: two rows have the same keys.
    """
    spelled = {"site": "s", "z": "z", "t": "t"}
    keys = [[f"{spelled.get(key, '')}{value}" for value in table.column(key).to_pylist()] for key in parts.table.keys]
    names = ["_".join(row) for row in zip(*keys, strict=True)]
    if len(set(names)) < len(names):
        raise OutputError(f"{parts.source} has two rows with the same {', '.join(parts.table.keys)}: run again")
    return names


def matrix(table: "pyarrow.Table | pyarrow.RecordBatch", names: Sequence[str]) -> NDArray[np.float64]:
    """Return columns of numbers as one array (rows, columns), float64, NaN where a value is missing."""
    import pyarrow  # noqa: PLC0415  heavy

    values = np.empty((len(table), len(names)))
    for place, name in enumerate(names):
        values[:, place] = table.column(name).cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False)
    return values


def _require() -> None:
    import importlib.util  # noqa: PLC0415

    if importlib.util.find_spec("anndata") is None:
        raise OutputError(MISSING)
