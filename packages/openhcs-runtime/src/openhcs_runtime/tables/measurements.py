r"""``measurements.csv``: a row for each measured image, with the measurements of its plane.

It begins with the columns well, site, channel, z_index and timepoint, which are unique together, and is sorted by them.
A z_index of 0 is a projection. An empty cell is a value that could not be measured. The format is CSV as in RFC 4180,
with ``\n`` line ends and decimal points; numbers are read back exactly as they were.
"""

import contextlib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from openhcs_runtime.atomic import atomic_file
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.outputs.wells import WellRecord
from openhcs_runtime.pipeline.cells import COUNT_SUFFIX, Cell, cell_text, kind_of
from openhcs_runtime.tables.kinds import Kinds, add_kinds

KEY_COLUMNS = ("well", "site", "channel", "z_index", "timepoint")


def write_measurements(path: Path, parts: Iterable[WellRecord]) -> Kinds:
    """Write one table from the records of all wells, in the order given. Counts come first.

    Returns:
        The kind of each column.

    Raises:
        OutputError: the file cannot be written, two rows have the same key, or a column has values of several kinds.
    """
    measured = [image for part in parts for image in part.measured]
    kinds: Kinds = {}
    first: dict[str, str] = {}
    for image in measured:
        add_kinds(kinds, {name: kind_of([value]) for name, value in image.values.items()}, image.well, first)
    kinds = dict(sorted(kinds.items(), key=lambda column: not column[0].endswith(COUNT_SUFFIX)))
    seen: set[tuple[Cell, ...]] = set()
    with _text_file(path) as file:
        _write_row(file, (*KEY_COLUMNS, *kinds))
        for image in measured:
            where = (image.well, image.site, image.channel, image.z_index, image.timepoint)
            if where in seen:
                raise OutputError(f"well {image.well} has two rows for the same image: {where}")
            seen.add(where)
            _write_row(file, (*where, *(image.values.get(name) for name in kinds)))
    return kinds


def _write_row(file: TextIO, cells: Iterable[Cell]) -> None:
    file.write(",".join(map(cell_text, cells)) + "\n")


@contextlib.contextmanager
def _text_file(path: Path) -> Iterator[TextIO]:
    with atomic_file(path) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="", write_through=False)
        try:
            yield text
            text.flush()
        finally:
            text.detach()
