"""``table``: the tables of a run, to look at, to choose from and to write in the formats of other programs."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from openhcs_runtime.cli.commands.results import find_results
from openhcs_runtime.cli.declare import Argument, BadParameter, Option
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import Json, ResultsPath, whole_number
from openhcs_runtime.tables.export.formats import TableFormat

if TYPE_CHECKING:
    from openhcs_runtime.cli.tables_view import Part
    from openhcs_runtime.tables.read import Results
    from zmqruntime.execution.cli.output import Output

__all__ = ["table"]

_STANDARD_OUTPUT = Path("-")


def table(
    results: ResultsPath,
    name: Annotated[
        str | None,
        Argument(metavar="[TABLE]", help="A table, such as nuclei, images or wells [default: list the tables]"),
    ] = None,
    columns: Annotated[
        str | None,
        Option(
            metavar="A,B,...", help="Only these columns; a pattern such as intensity_* names several [default: all]"
        ),
    ] = None,
    where: Annotated[
        str | None,
        Option(
            metavar="EXPR",
            help="Only rows for which this is true: \"compound == 'DMSO' and area_um2 > 80\" [default: all]",
        ),
    ] = None,
    to: Annotated[
        Path | None,
        Option(
            "--output",
            metavar="FILE|DIR",
            help="Write it to a file, in the format that its ending names, or as CSV to standard output: - "
            "[default: show the first rows]",
        ),
    ] = None,
    to_format: Annotated[
        TableFormat | None,
        Option("--format", help="Format of --output [default: by the ending: .csv, .parquet, .h5ad]"),
    ] = None,
    rows: Annotated[
        int, Option(parser=whole_number(0), metavar="N", help="Show this number of rows [default: 10]")
    ] = 10,
    describe: Annotated[
        bool, Option("--describe", help="Show what each column is instead: measure, channel, unit, type")
    ] = False,
    as_json: Json = False,
) -> int:
    """Show a table of a run, or write it to a file.

    A run has a table for each set of objects, with a row for each object, one of images and one of wells. All of them
    have the columns of the plate map. They are Parquet files in the folder tables of the run.

    \b
      openhcs-runtime table demo
      openhcs-runtime table demo nuclei --where "well == 'A01' and area_um2 > 80"
      openhcs-runtime table demo nuclei --columns "label,intensity_*" --output nuclei.csv
      openhcs-runtime table demo nuclei --output nuclei.h5ad
      openhcs-runtime table demo nuclei --format cellprofiler --output for_pycytominer

    Columns are named MEASURE_CHANNEL_UNIT, as in intensity_mean_DAPI and area_um2. The formats: csv, parquet, h5ad
    (AnnData), cellprofiler (a folder of CSV files with Metadata_ columns, for pycytominer and CytoTable), zarr (tables
    in the images of an OME-Zarr plate, for ngio) and spatialdata.
    """
    with uninterrupted():
        from openhcs_runtime.cli.tables_view import Part, columns_document, print_columns
        from openhcs_runtime.exceptions import OutputError
        from openhcs_runtime.tables.read import open_results
        from zmqruntime.execution.cli.failures import CommandError, ErrorKind
        from zmqruntime.execution.cli.output import Output
    if name is None and (columns or where or to or describe or to_format):
        raise BadParameter("name a table as well, such as nuclei, images or wells")
    if describe and to is not None:
        raise BadParameter("--describe shows what the columns are; leave out --output")
    if to_format is not None and to is None:
        raise BadParameter("--format is for --output: give --output, too")
    output = Output(as_json and to != _STANDARD_OUTPUT)
    try:
        if to == _STANDARD_OUTPUT:
            run = open_results(results)
            print(run.found.note(), end="\n" if run.found.chosen else "", file=sys.stderr)
        else:
            run = open_results(find_results(results, output).folder)
        if name is None:
            return _list(run, output)
        part = Part.chosen(run, name, columns, where or "")
        if to is not None:
            return _write(part, to, to_format, output)
        if describe:
            if not as_json:
                print_columns(part)
            return output.document({"results": str(run.folder), "table": name, "columns": columns_document(part)})
        return _show(part, rows, output)
    except OutputError as error:
        raise CommandError(ErrorKind.NOT_FOUND, str(error)) from error


def _list(run: "Results", output: "Output") -> int:
    """The tables of a run."""
    from openhcs_runtime.cli.tables_view import print_tables, tables_document
    from openhcs_runtime.exceptions import OutputError

    if not run.tables:
        raise OutputError(run.problem_without_tables())
    if not output.as_json:
        print_tables(run)
    return output.document({"results": str(run.folder), "tables": tables_document(run)})


def _show(part: "Part", rows: int, output: "Output") -> int:
    """The first rows of a table."""
    from openhcs_runtime.cli.tables_view import print_rows

    found, total = part.first_rows(rows)
    if not output.as_json:
        print_rows(found, () if part.columns else part.results.schema(part.name).keys, total)
    return output.document(
        {
            "results": str(part.results.folder),
            "table": part.name,
            "columns": list(found.column_names),
            "rows": total,
            "first_rows": found.to_pylist(),
        }
    )


def _write(part: "Part", to: Path, to_format: TableFormat | None, output: "Output") -> int:
    """A table in a file, or on standard output."""
    from openhcs_runtime.cli.failures import unwritten
    from openhcs_runtime.exceptions import OutputError
    from openhcs_runtime.outputs.runs import check_target
    from openhcs_runtime.tables.export.formats import format_of, write_as, written_text

    if to == _STANDARD_OUTPUT:
        if to_format not in (None, TableFormat.CSV):
            raise BadParameter(f"only csv can be written to standard output, not {to_format}")
        part.write_csv(sys.stdout.buffer)
        return 0
    part.check()
    try:
        chosen = to_format or format_of(to)
        if chosen is not TableFormat.ZARR:  # it writes into a plate
            check_target(to, part.results.found.run)
        paths = write_as(part.results, part.name, to, chosen, columns=part.columns, where=part.where)
    except OutputError as error:
        raise unwritten(error) from error
    output.line(written_text(part.name, to, chosen, paths))
    return output.document(
        {
            "results": str(part.results.folder),
            "table": part.name,
            "format": chosen.value,
            "files": [str(path.resolve()) for path in paths],
        }
    )
