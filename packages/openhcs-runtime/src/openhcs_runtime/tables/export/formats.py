"""The formats that tables can be written in, by name or by the ending of a file."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs_runtime.choices import choose
from openhcs_runtime.exceptions import OutputError

if TYPE_CHECKING:
    from openhcs_runtime.tables.read import Results


class TableFormat(StrEnum):
    """A format of tables."""

    CSV = "csv"
    """Text, with a line for each row; missing values are empty."""
    PARQUET = "parquet"
    """Apache Parquet, with types."""
    H5AD = "h5ad"
    """AnnData, for scanpy and others."""
    CELLPROFILER = "cellprofiler"
    """A folder of CSV files named as CellProfiler names them, for pycytominer and CytoTable."""
    SPATIALDATA = "spatialdata"
    """A SpatialData store."""
    ZARR = "zarr"
    """Tables in the images of an OME-Zarr plate, for ngio and Fractal."""


_ENDINGS = {".csv": TableFormat.CSV, ".parquet": TableFormat.PARQUET, ".h5ad": TableFormat.H5AD}


def format_of(target: Path) -> TableFormat:
    """Return the format of a file by its ending.

    Raises:
        OutputError: the ending does not say it.
    """
    try:
        return _ENDINGS[target.suffix.lower()]
    except KeyError:
        raise OutputError(
            f"the ending of {target} does not say its format: end it in {', '.join(_ENDINGS)}, or choose a format "
            f"({', '.join(TableFormat)})"
        ) from None


def write_as(
    results: "Results",
    name: str,
    target: Path,
    fmt: TableFormat | str,
    *,
    columns: Sequence[str] | None = None,
    where: str = "",
) -> list[Path]:
    """Write a table of a run in a format; a file that exists is replaced once the new one is complete.

    Args:
        results: the results of a run.
        name: name of the table; for ``cellprofiler`` it may be empty, for all sets of objects.
        target: the file; for ``cellprofiler`` a folder, for ``zarr`` an existing OME-Zarr plate.
        fmt: the format.
        columns: only these columns, for all formats but csv and parquet besides the keys; None for all.
        where: only rows for which this expression is true.

    Returns:
        The files or folders written.

    Raises:
        OutputError: there is no such table or column, the expression is not valid, what the format needs is not
            installed, or the target can't be written.
        DamagedResultError: the table can't be read.
        ValueError: ``fmt`` is not a format.
    """
    match choose(TableFormat, fmt, "format"):
        case TableFormat.CSV:
            return [_write_csv(results, name, target, columns, where)]
        case TableFormat.PARQUET:
            return [_write_parquet(results, name, target, columns, where)]
        case TableFormat.H5AD:
            from openhcs_runtime.tables.export.ann import write_h5ad  # noqa: PLC0415  heavy

            return [write_h5ad(results, name, target, columns=columns, where=where)]
        case TableFormat.CELLPROFILER:
            from openhcs_runtime.tables.export.cellprofiler import write_cellprofiler  # noqa: PLC0415  heavy

            return write_cellprofiler(results, name, target, columns=columns, where=where)
        case TableFormat.SPATIALDATA:
            from openhcs_runtime.tables.export.spatial import write_spatialdata  # noqa: PLC0415  heavy

            return [write_spatialdata(results, name, target, columns=columns, where=where)]
        case TableFormat.ZARR:
            from openhcs_runtime.tables.export.zarr_tables import write_zarr_tables  # noqa: PLC0415  heavy

            return write_zarr_tables(results, name, target, columns=columns, where=where)


def written_text(name: str, target: Path, fmt: TableFormat, paths: Sequence[Path]) -> str:
    """Return where a table is, in one line; ``paths`` are those that ``write_as`` has returned."""
    if fmt is not TableFormat.ZARR:
        return f"{name} in {', '.join(map(str, paths))}"
    wells = len({path.parents[2] for path in paths})
    return (
        f"{name} in tables of {len(paths)} image{'s'[: len(paths) > 1]} in {wells} well{'s'[: wells > 1]} of {target}"
    )


def _write_csv(results: "Results", name: str, target: Path, columns: Sequence[str] | None, where: str) -> Path:
    from pyarrow import csv  # noqa: PLC0415  heavy

    from openhcs_runtime.atomic import atomic_file, writing_to  # noqa: PLC0415

    schema = results.arrow_schema(name, columns)
    with writing_to(target), atomic_file(target) as file, csv.CSVWriter(file, schema) as writer:
        for batch in results.batches(name, columns, where):
            writer.write_batch(batch)
    return target


def _write_parquet(results: "Results", name: str, target: Path, columns: Sequence[str] | None, where: str) -> Path:
    from pyarrow import parquet  # noqa: PLC0415  heavy

    from openhcs_runtime.atomic import atomic_file, writing_to  # noqa: PLC0415
    from openhcs_runtime.tables.parquet import parquet_options  # noqa: PLC0415

    schema = results.arrow_schema(name, columns)
    with (
        writing_to(target),
        atomic_file(target) as file,
        parquet.ParquetWriter(file, schema, **parquet_options(schema)) as writer,
    ):
        for batch in results.batches(name, columns, where):
            writer.write_batch(batch)
    return target
