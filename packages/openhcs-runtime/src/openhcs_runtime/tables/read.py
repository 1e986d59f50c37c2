"""Reads the tables of a run: ``open_results("demo").table("nuclei")``."""

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openhcs_runtime.choices import choose
from openhcs_runtime.exceptions import DamagedResultError, OutputError, PlateMapError
from openhcs_runtime.outputs.provenance import Provenance, read_provenance
from openhcs_runtime.outputs.runs import FoundRun, find_run
from openhcs_runtime.plate_map import PlateMap, read_plate_map
from openhcs_runtime.tables.frames import FrameLibrary, to_frame
from openhcs_runtime.tables.places import plate_map_copy, table_names, table_path
from openhcs_runtime.tables.schema import TableSchema, decode_schema
from openhcs_runtime.tables.where import filter_of

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.dataset import Dataset, Expression

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
        return table_names(self.folder)

    @cached_property
    def provenance(self) -> Provenance:
        """How the run was made, and how each well ended.

        Raises:
            OutputError: it can't be read.
        """
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
        return self._open(name)[0]

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

        _, data, path = self._open(name)
        chosen, condition = _choice(data, path, columns, where)
        try:
            return data.to_table(columns=chosen, filter=condition)
        except (OSError, ValueError, pyarrow.ArrowException) as error:
            raise _damaged(path, error) from error

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
        import pyarrow  # noqa: PLC0415  heavy

        _, data, path = self._open(name)
        chosen, condition = _choice(data, path, columns, where)
        try:
            yield from data.to_batches(
                columns=chosen, filter=condition, batch_size=_BATCH_ROWS, batch_readahead=1, fragment_readahead=1
            )
        except (OSError, ValueError, pyarrow.ArrowException) as error:
            raise _damaged(path, error) from error

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

    def _open(self, name: str) -> tuple[TableSchema, "Dataset", Path]:
        from pyarrow import ArrowException, dataset  # noqa: PLC0415  heavy

        if name not in self.tables:
            raise OutputError(self._unknown(name))
        path = table_path(self.folder, name)
        try:
            checked = dataset.ParquetFragmentScanOptions(page_checksum_verification=True)
            data = dataset.dataset(path, format=dataset.ParquetFileFormat(default_fragment_scan_options=checked))
        except (OSError, ValueError, ArrowException) as error:
            raise _damaged(path, error) from error
        return decode_schema(data.schema.metadata, path), data, path

    def _unknown(self, name: str) -> str:
        if not self.tables:
            return (
                f"{self.folder} has no tables: the run has not ended, measured nothing, or was made by an earlier "
                "release (run the pipeline again)"
            )
        return f"{self.folder} has no table {name!r}: choose {', '.join(self.tables)}"


def open_results(path: Path | str) -> Results:
    """Open the results of a run.

    Args:
        path: the folder of a run, or a plate or a folder with runs: then it is the newest complete run.

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


def _choice(
    data: "Dataset", path: Path, columns: Sequence[str] | None, where: str
) -> tuple[list[str], "Expression | None"]:
    """Return the columns to read and the filter."""
    known = data.schema.names
    chosen = known if columns is None else list(columns)
    if unknown := [name for name in chosen if name not in known]:
        close = closest(unknown[0], known)
        raise OutputError(f"{path} has no column {unknown[0]!r}: {close}")
    if not where:
        return chosen, None
    try:
        return chosen, filter_of(where, data.schema, str(path))[0]
    except PlateMapError as error:
        raise OutputError(str(error)) from error


def closest(name: str, known: Sequence[str], most: int = 20) -> str:
    """Return what to choose instead of a name that doesn't exist: similar ones first, in one line."""
    import difflib  # noqa: PLC0415  only for errors

    similar = difflib.get_close_matches(name, known, 5, 0.6)
    if similar:
        return f"did you mean {' or '.join(map(repr, similar[:3]))}?"
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return f"choose from {', '.join(known[:most])}{more}"


def _damaged(path: Path, error: Exception) -> DamagedResultError:
    return DamagedResultError(f"{path} can't be read ({error}): resume the run to write it again")
