"""Reads the tables of a run: ``open_results("demo").table("nuclei")``."""

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openhcs_runtime.choices import choose
from openhcs_runtime.exceptions import DamagedResultError, OutputError, PlateMapError
from openhcs_runtime.outputs.runs import FoundRun, find_run
from openhcs_runtime.plate_map import PlateMap, read_plate_map
from openhcs_runtime.tables.frames import FrameLibrary, to_frame
from openhcs_runtime.tables.places import ordered_names, plate_map_copy, table_names, table_path
from openhcs_runtime.tables.schema import TableSchema, decode_schema
from openhcs_runtime.tables.where import RowFilter, row_filter

if TYPE_CHECKING:
    import pyarrow
    from pyarrow import parquet

    from openhcs_runtime.outputs.provenance import Provenance

_BATCH_ROWS = 64 * 1024


@dataclass(frozen=True)
class Results:
    """The tables of a run on disk.

    Attributes:
        found: the run, and why it is this one.
    """

    found: FoundRun

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return self.found.run.folder

    @cached_property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables: one for each set of objects, then ``images`` and ``wells``."""
        recorded = [Path(name).stem for name in self.found.run.tables]
        return ordered_names(recorded) if recorded else table_names(self.folder)

    @cached_property
    def provenance(self) -> "Provenance":
        """How the run was made, and how each well ended.

        Raises:
            OutputError: it can't be read.
        """
        from openhcs_runtime.outputs.provenance import read_provenance  # noqa: PLC0415  loads image libraries

        return read_provenance(self.folder)

    @cached_property
    def plate_map(self) -> PlateMap | None:
        """The plate map that the tables were joined with; None if the plate had none.

        Raises:
            PlateMapError: the copy in the folder of the run can't be read.
        """
        path = plate_map_copy(self.folder)
        return None if path is None else read_plate_map(path)

    def schema(self, name: str) -> TableSchema:
        """Return what the columns of a table are.

        Raises:
            OutputError: there is no such table; the message lists those that exist.
            DamagedResultError: it can't be read.
        """
        with self._open(name) as file:
            return decode_schema(file.schema_arrow.metadata, table_path(self.folder, name))

    def rows(self, name: str) -> int:
        """Return the number of rows of a table.

        Raises:
            OutputError: there is no such table.
            DamagedResultError: it can't be read.
        """
        with self._open(name) as file:
            count: int = file.metadata.num_rows
            return count

    def arrow_schema(self, name: str, columns: Sequence[str] | None = None) -> "pyarrow.Schema":
        """Return the types of a table, or of some of its columns.

        Args:
            name: name of the table.
            columns: only these columns, in this order; None for all, with what they are in the metadata.

        Raises:
            OutputError: there is no such table or column.
            DamagedResultError: it can't be read.
        """
        import pyarrow  # noqa: PLC0415  heavy

        with self._open(name) as file:
            types = file.schema_arrow
        if columns is None:
            return types
        self._check_columns(name, types, columns)
        return pyarrow.schema([types.field(column) for column in columns])

    def arrow(self, name: str, columns: Sequence[str] | None = None, where: str = "") -> "pyarrow.Table":
        """Read a table, or part of it, as an Arrow table.

        Args:
            name: name of the table.
            columns: only these columns, in this order; None for all.
            where: only rows for which this expression is true, such as ``"compound == 'DMSO' and area_um2 > 80"``.

        Raises:
            OutputError: there is no such table or column, or the expression is not valid.
            DamagedResultError: the table can't be read.
        """
        import pyarrow  # noqa: PLC0415  heavy

        types = self.arrow_schema(name, columns)
        return pyarrow.Table.from_batches(self.batches(name, columns, where), types.remove_metadata())

    def batches(
        self, name: str, columns: Sequence[str] | None = None, where: str = ""
    ) -> Iterator["pyarrow.RecordBatch"]:
        """Read a table in batches of rows, so that it need not fit into memory.

        Args:
            name: name of the table.
            columns: only these columns, in this order; None for all.
            where: only rows for which this expression is true.

        Raises:
            OutputError: there is no such table or column, or the expression is not valid.
            DamagedResultError: the table can't be read.
        """
        with self._open(name) as file:
            types = file.schema_arrow
            chosen = list(types.names if columns is None else columns)
            self._check_columns(name, types, chosen)
            rows = self._filter(name, types, where) if where else None
            read = list(dict.fromkeys([*chosen, *(rows.columns if rows else ())]))
            with self._reading(name):
                for batch in file.iter_batches(_BATCH_ROWS, columns=read):
                    yield (rows.chosen(batch) if rows else batch).select(chosen)

    def table(
        self,
        name: str,
        columns: Sequence[str] | None = None,
        where: str = "",
        library: FrameLibrary | str | None = None,
    ) -> Any:
        """Read a table, or part of it, as a data frame.

        Args:
            name: name of the table, such as ``"nuclei"``, ``"images"`` or ``"wells"``.
            columns: only these columns, in this order; None for all.
            where: only rows for which this expression is true, such as ``"compound == 'DMSO' and area_um2 > 80"``.
            library: "pandas" or "polars"; None for the one that is installed, pandas if both are.

        Returns:
            A ``pandas.DataFrame`` or ``polars.DataFrame``.

        Raises:
            OutputError: there is no such table or column, the expression is not valid, or the library is not
                installed.
            DamagedResultError: the table can't be read.
        """
        wanted = _installed() if library is None else choose(FrameLibrary, library, "library")
        return to_frame(self.arrow(name, columns, where), wanted)

    @contextmanager
    def _open(self, name: str) -> Iterator["parquet.ParquetFile"]:
        """Open a table, which is checked while it is read."""
        from pyarrow import parquet  # noqa: PLC0415  heavy

        if name not in self.tables:
            raise OutputError(self._unknown(name))
        path = table_path(self.folder, name)
        self._check_size(path)
        with self._reading(name):
            file = parquet.ParquetFile(path, page_checksum_verification=True)
        with file:
            yield file

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        """Turn what readers of Parquet raise for a damaged file into one error."""
        import pyarrow  # noqa: PLC0415  heavy

        try:
            yield
        except (OSError, ValueError, pyarrow.ArrowException) as error:
            path = table_path(self.folder, name)
            raise DamagedResultError(f"{path} can't be read ({error}): resume the run to write it again") from error

    def _check_size(self, path: Path) -> None:
        """Check that a table has the size that it was written with, if the run has ended."""
        known = self.found.run.tables.get(path.relative_to(self.folder).as_posix())
        try:
            size = path.stat().st_size
        except OSError as error:
            raise DamagedResultError(
                f"{path} can't be read ({error.strerror or error}): resume the run to write it again"
            ) from error
        if known not in (None, size):
            raise DamagedResultError(
                f"{path} is not the table that the run wrote, it has {size:,} bytes instead of {known:,}: resume the "
                "run to write it again"
            )

    def _check_columns(self, name: str, types: "pyarrow.Schema", columns: Sequence[str]) -> None:
        if isinstance(columns, str):
            raise OutputError(f"columns takes a list of names, not {columns!r}: write [{columns!r}]")
        if unknown := [column for column in columns if column not in types.names]:
            remedy = closest(unknown[0], types.names)
            raise OutputError(f"{table_path(self.folder, name)} has no column {unknown[0]!r}: {remedy}")

    def _filter(self, name: str, types: "pyarrow.Schema", where: str) -> RowFilter:
        try:
            return row_filter(where, types, str(table_path(self.folder, name)))
        except PlateMapError as error:
            raise OutputError(str(error)) from error

    def problem_without_tables(self) -> str:
        """Return why there may be no tables, and what to do."""
        return (
            f"{self.folder} has no tables: the run has not ended, measured nothing, or was made by an earlier release "
            "(run the pipeline again)"
        )

    def _unknown(self, name: str) -> str:
        if not self.tables:
            return self.problem_without_tables()
        return f"{self.folder} has no table {name!r}: choose {', '.join(self.tables)}"


def open_results(path: Path | str) -> Results:
    """Open the results of a run.

    Args:
        path: the folder of a run, or a plate or a folder with runs: then it is the newest complete run, or the newest
            with finished wells if none is complete; ``results.found.note()`` says which.

    Raises:
        OutputError: there are no runs, none has finished wells, or the run is damaged.
    """
    return Results(find_run(Path(path)))


def _installed() -> FrameLibrary:
    for library in FrameLibrary:
        if importlib.util.find_spec(library.value) is not None:
            return library
    raise OutputError(
        "neither pandas nor polars is installed: pip install 'openhcs-runtime[pandas]', or read the table with arrow()"
    )


def closest(name: str, known: Sequence[str], most: int = 20) -> str:
    """Return what to choose instead of a name that doesn't exist: similar ones first, in one line."""
    import difflib  # noqa: PLC0415  only for errors

    similar = difflib.get_close_matches(name, known, 5, 0.6)
    if similar:
        return f"did you mean {' or '.join(map(repr, similar[:3]))}?"
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return f"choose from {', '.join(known[:most])}{more}"
