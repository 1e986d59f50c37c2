"""The mapped tables of the shown run: each is copied once, when it is first needed. Without Qt."""

import threading
from typing import TYPE_CHECKING

from openhcs_gui_services.services.numbers.mapped_table import MappedTable, map_table

if TYPE_CHECKING:
    from openhcs_runtime.tables.read import Results

__all__ = ["OpenTables"]


class OpenTables:
    """The tables of a run. May be used from several threads.

    Args:
        results: the results of the run.
    """

    def __init__(self, results: "Results") -> None:
        self.results = results
        self._lock = threading.Lock()
        self._tables: dict[str, MappedTable] = {}
        self._is_closed = False

    def get(self, name: str) -> MappedTable:
        """Return a table, which the first call maps.

        Raises:
            OutputError: there is no such table, it is too large, or another run is shown now.
            DamagedResultError: it can't be read.
        """
        with self._lock:
            if name not in self._tables:
                self._tables[name] = map_table(self.results, name, lambda: not self._is_closed)
            return self._tables[name]

    def close(self) -> None:
        """Remove the files; tables that are in use stay readable. May be called twice."""
        self._is_closed = True
        with self._lock:
            for table in self._tables.values():
                table.close()
            self._tables.clear()
