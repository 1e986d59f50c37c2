"""A table of a run in a memory-mapped file: rows are read where they are shown, however many there are. Without Qt.

Parquet can't be read row by row. The table is copied once, in batches, to an uncompressed Arrow file in the temporary
folder, which the operating system reads in pages as they are needed and drops when memory is short.
"""

import bisect
import os
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.exceptions import OutputError, PlateMapError
from openhcs_runtime.tables.schema import TableSchema

if TYPE_CHECKING:
    import pyarrow

    from openhcs_runtime.tables.read import Results

__all__ = ["MOST_BYTES", "Cell", "MappedTable", "map_table"]

Cell = str | int | float | bool | None

MOST_BYTES: Final = 8 << 30
"""Largest copy of a table; larger ones are refused, with what to do."""
_KEPT = 6
"""Columns whose numbers are kept for plots and gates."""
_ROW: Final = "__row__"


class MappedTable:
    """The rows of a table, by their number from 0. May be read from several threads.

    Args:
        schema: what its columns are.
        table: the mapped table.
        folder: the temporary folder with its file, removed by :meth:`close`; None if it is gone already.
    """

    def __init__(
        self, schema: TableSchema, table: "pyarrow.Table", folder: "tempfile.TemporaryDirectory[str] | None"
    ) -> None:
        self.schema = schema
        self.columns: tuple[str, ...] = tuple(table.column_names)
        self._table = table
        self._folder = folder
        self._batches = table.to_batches()
        sizes = [batch.num_rows for batch in self._batches]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self._begins: list[int] = self._starts[:-1].tolist()
        self._arrays: dict[tuple[int, str], pyarrow.Array] = {}
        """Columns of batches that cells were read from; the values stay in the file."""
        self._numbers: OrderedDict[str, NDArray[np.float64]] = OrderedDict()

    def __len__(self) -> int:
        return int(self._starts[-1])

    def cell(self, row: int, column: str) -> Cell:
        """Return one value; None if it is missing."""
        place = bisect.bisect_right(self._begins, row) - 1
        key = (place, column)
        array = self._arrays.get(key)
        if array is None:
            array = self._arrays[key] = self._batches[place].column(column)
        value: Cell = array[row - self._begins[place]].as_py()
        return value

    def is_numeric(self, column: str) -> bool:
        """Return whether a column has numbers or truth values."""
        from pyarrow import types  # noqa: PLC0415  heavy

        kind = self._table.schema.field(column).type
        return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))

    def numbers(self, column: str) -> NDArray[np.float64]:
        """Return a column of numbers (rows,), NaN for missing values."""
        import pyarrow  # noqa: PLC0415  heavy

        known = self._numbers.get(column)
        if known is not None:
            self._numbers.move_to_end(column)
            return known
        values = self._table[column].cast(pyarrow.float64(), safe=False)
        found: NDArray[np.float64] = values.to_numpy()
        found.setflags(write=False)
        self._numbers[column] = found
        while len(self._numbers) > _KEPT:
            self._numbers.popitem(last=False)
        return found

    def texts(self, column: str) -> tuple[NDArray[np.intp], tuple[str, ...]]:
        """Return which of the different values each row has (rows,), -1 for a missing one, and these values."""
        encoded = self._table[column].combine_chunks().dictionary_encode()
        array = encoded.combine_chunks() if hasattr(encoded, "combine_chunks") else encoded
        codes: NDArray[np.intp] = array.indices.fill_null(-1).to_numpy().astype(np.intp)
        return codes, tuple(str(value) for value in array.dictionary.to_pylist())

    def rows(self, where: str = "", wells: Collection[str] = ()) -> NDArray[np.int64]:
        """Return the numbers of the rows that are chosen, in order.

        Args:
            where: an expression, as ``openhcs-runtime table --where`` takes it; empty for all rows.
            wells: only rows of these wells; empty for all.

        Raises:
            OutputError: the expression is not valid, or uses a column that does not exist.
        """
        if not where and not wells:
            return np.arange(len(self), dtype=np.int64)
        chosen = self._matching(where) if where else np.arange(len(self), dtype=np.int64)
        if wells:
            codes, names = self.texts("well")
            is_one = np.isin(codes, [place for place, name in enumerate(names) if name in wells])
            chosen = chosen[is_one[chosen]]
        return chosen

    def sorted_rows(self, rows: NDArray[np.int64], column: str, *, descending: bool = False) -> NDArray[np.int64]:
        """Return rows in the order of a column; missing values are last, and equal values keep their order."""
        from pyarrow import compute  # noqa: PLC0415  heavy

        if self.is_numeric(column):
            values = self.numbers(column)[rows]
            order = np.argsort(-values if descending else values, kind="stable")
            in_order: NDArray[np.int64] = rows[order]
            return in_order
        taken = self._table[column].combine_chunks().take(rows)
        direction = "descending" if descending else "ascending"
        indices = compute.array_sort_indices(taken, order=direction, null_placement="at_end")
        by_text: NDArray[np.int64] = rows[indices.to_numpy()]
        return by_text

    def close(self) -> None:
        """Remove the file; the rows stay readable until the last reader is gone. May be called twice."""
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.cleanup()

    def _matching(self, where: str) -> NDArray[np.int64]:
        import pyarrow  # noqa: PLC0415  heavy

        from openhcs_runtime.tables.where import row_filter  # noqa: PLC0415  as above

        try:
            chooses = row_filter(where, self._table.schema, f"the table {self.schema.table}")
        except PlateMapError as error:
            raise OutputError(str(error)) from error
        found: list[NDArray[np.int64]] = []
        for start, batch in zip(self._starts.tolist(), self._batches, strict=False):
            needed = batch.select(list(chooses.columns))
            numbers = pyarrow.array(np.arange(start, start + batch.num_rows, dtype=np.int64))
            found.append(chooses.chosen(needed.append_column(_ROW, numbers)).column(_ROW).to_numpy())
        return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def map_table(results: "Results", name: str, is_wanted: Callable[[], bool] = lambda: True) -> MappedTable:
    """Map a table of a run into memory.

    Args:
        results: the results of a run.
        name: name of the table.
        is_wanted: asked between batches; if it is not, the work ends with an ``OutputError``.

    Raises:
        OutputError: there is no such table, it is too large, or the disk is full.
        DamagedResultError: the table can't be read.
    """
    import pyarrow  # noqa: PLC0415  heavy

    from openhcs_runtime.atomic import writing_to  # noqa: PLC0415

    schema = results.schema(name)
    types = results.arrow_schema(name).remove_metadata()
    folder = tempfile.TemporaryDirectory(prefix="openhcs-numbers-", ignore_cleanup_errors=True)
    path = Path(folder.name) / f"{name}.arrow"
    try:
        with writing_to(path), pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_file(file, types) as writer:
            for batch in results.batches(name):
                writer.write_batch(batch.cast(types) if batch.schema != types else batch)
                _check(name, file.tell(), is_wanted)
        with pyarrow.memory_map(str(path)) as mapped, pyarrow.ipc.open_file(mapped) as reader:
            table = reader.read_all()
    except BaseException:
        folder.cleanup()
        raise
    if os.name == "posix":  # the mapped file lives on without a name, so that not even a crash leaves it behind
        folder.cleanup()
        return MappedTable(schema, table, None)
    return MappedTable(schema, table, folder)


def _check(name: str, written: int, is_wanted: Callable[[], bool]) -> None:
    if written > MOST_BYTES:
        raise OutputError(
            f"table {name} needs more than {MOST_BYTES >> 30} GB: write a part of it with openhcs-runtime table "
            f"{name} --where, or read it in Python"
        )
    if not is_wanted():
        raise OutputError(f"table {name} is not needed any more")
