"""The plates of a window as a Qt model with sorting and filtering; changed rows are announced once a frame."""

import enum
import html
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from PyQt6.QtCore import QAbstractTableModel, QMimeData, QModelIndex, QObject, Qt

from openhcs_gui_services.services.plates.presenter import PlatePresentation, Tone, present_plate
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import PlateRow
from openhcs_gui_services.widgets.common.frame_pacer import FramePacer
from openhcs_gui_services.widgets.plates.facts import costs_text, disk_text, elsewhere_text, plate_lines, results_text
from openhcs_runtime.text import natural_key
from zmqruntime.execution.text import first_line

__all__ = ["PRESENTATION_ROLE", "QUEUE_MIME", "PlateColumn", "PlateTableModel"]

QUEUE_MIME = "application/x-openhcs-waiting-plate"
"""The type of a waiting plate that is dragged: its path."""

PRESENTATION_ROLE = Qt.ItemDataRole.UserRole
"""The :class:`PlatePresentation` of a row, the same in all of its columns."""

_COSTS = 2
"""How many steps are named with their times in a row."""
_FEW = 64  # with more changed rows than this, one announcement for the range costs less


class PlateColumn(enum.IntEnum):
    """The columns; the results on disk are shown after the progress of this run."""

    PLATE = 0
    STATE = 1
    PROGRESS = 2
    DETAIL = 3
    TIME = 4
    WELLS = 5
    FAILED = 6
    RESULTS = 7


_TITLES = {
    PlateColumn.PLATE: "Plate",
    PlateColumn.STATE: "State",
    PlateColumn.PROGRESS: "This run",
    PlateColumn.DETAIL: "Step and well",
    PlateColumn.TIME: "Time",
    PlateColumn.WELLS: "Wells",
    PlateColumn.FAILED: "Failed",
    PlateColumn.RESULTS: "On disk",
}
_NUMBERS = (PlateColumn.WELLS, PlateColumn.FAILED)
_STATE_ORDER = {state: number for number, state in enumerate(PlateStatus)}
_SortKey = tuple[object, ...]


@dataclass(slots=True)
class _Entry:
    row: PlateRow
    received: float
    """Monotonic time at which the row, with its elapsed time, was received."""
    shown: PlatePresentation | None = None


class PlateTableModel(QAbstractTableModel):
    """One row per :class:`PlateRow`, identified by its path, with the columns of :class:`PlateColumn`.

    Changed rows keep their position until the user sorts again, so that nothing moves away under the pointer. Changes
    are collected until the next frame, at most 30 per second; then each changed row is announced once.
    """

    def __init__(self, parent: QObject | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(parent)
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._visible: list[str] = []
        self._numbers: dict[str, int] = {}
        self._sorted_by: tuple[PlateColumn, Qt.SortOrder] | None = None
        self._words: tuple[str, ...] = ()
        self._changed: set[str] = set()
        self._pacer = FramePacer(self)
        self._pacer.frame.connect(self._announce)

    # --- plates --------------------------------------------------------------------------------------------------

    def add_rows(self, rows: Iterable[PlateRow]) -> None:
        """Add plates; one that is already there is changed."""
        new = []
        for row in rows:
            if row.path not in self._entries:
                new.append(row.path)
            self._put(row)
        found = [path for path in new if self._matches(path)]
        if not found:
            return
        first = len(self._visible)
        self.beginInsertRows(QModelIndex(), first, first + len(found) - 1)
        self._numbers.update({path: first + number for number, path in enumerate(found)})
        self._visible += found
        self.endInsertRows()
        if self._sorted_by is not None:
            self.sort(*self._sorted_by)

    def arrange(self, paths: Sequence[str]) -> None:
        """Put the plates in this order, which is shown unless the user has sorted; unknown paths are ignored."""
        order = [path for path in paths if path in self._entries]
        if order == list(self._entries) or len(order) != len(self._entries):
            return
        self._entries = {path: self._entries[path] for path in order}
        if self._sorted_by is None:
            self.sort(-1)

    def change_rows(self, rows: Iterable[PlateRow]) -> None:
        """Update plates; unknown ones are ignored."""
        for row in rows:
            if row.path in self._entries:
                self._put(row)

    def remove_rows(self, paths: Iterable[str]) -> None:
        """Remove plates; unknown ones are ignored."""
        gone = {path for path in paths if path in self._entries}
        for path in gone - self._numbers.keys():  # hidden by the filter
            del self._entries[path]
        shown = sorted(self._numbers[path] for path in gone & self._numbers.keys())
        for first, last in reversed(_ranges(shown)):
            self.beginRemoveRows(QModelIndex(), first, last)
            for path in self._visible[first : last + 1]:
                del self._entries[path]
            del self._visible[first : last + 1]
            self._number()
            self.endRemoveRows()

    def set_filter(self, text: str) -> None:
        """Show only plates whose name, path or state contains every word of ``text``, ignoring case."""
        self.beginResetModel()
        self._words = tuple(text.casefold().split())
        self._visible = [path for path in self._entries if self._matches(path)]
        if self._sorted_by is not None:
            self._sort_visible(*self._sorted_by)
        self._number()
        self.endResetModel()

    def tick(self) -> None:
        """Update the elapsed time of running plates."""
        for path, entry in self._entries.items():
            if entry.row.snapshot.state.is_working:
                entry.shown = None
                self._changed.add(path)
        if self._changed:
            self._pacer.request()

    @property
    def total(self) -> int:
        """The number of plates, shown or not."""
        return len(self._entries)

    @property
    def rows(self) -> list[PlateRow]:
        """All plates, in the order in which they were added."""
        return [entry.row for entry in self._entries.values()]

    def row_of(self, path: str) -> PlateRow | None:
        """Return the plate with this path."""
        entry = self._entries.get(path)
        return None if entry is None else entry.row

    def path_at(self, number: int) -> str:
        """Return the path of the plate in a shown row."""
        return self._visible[number]

    def number_of(self, path: str) -> int | None:
        """Return the number of the row that shows a plate; None if it is not shown."""
        return self._numbers.get(path)

    @property
    def shown_rows(self) -> list[PlateRow]:
        """The plates that the filter shows, from top to bottom."""
        return [self._entries[path].row for path in self._visible]

    def presentation_at(self, number: int) -> PlatePresentation:
        """Return the content of a shown row."""
        return self._shown(self._entries[self._visible[number]])

    # --- Qt overrides --------------------------------------------------------------------------------------------

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008  Qt's own default
        """Return the number of shown rows."""
        return 0 if parent.isValid() else len(self._visible)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008  Qt's own default
        """Return the number of columns."""
        return 0 if parent.isValid() else len(PlateColumn)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return the titles and their alignment."""
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _TITLES[PlateColumn(section)]
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(PlateColumn(section))
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return a text of a row, its tooltip, its alignment, or its presentation."""
        if not index.isValid():
            return None
        entry, column = self._entries[self._visible[index.row()]], PlateColumn(index.column())
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self._text(entry, column)
            case Qt.ItemDataRole.ToolTipRole:
                return self._tooltip(entry, column)
            case Qt.ItemDataRole.TextAlignmentRole:
                return _alignment(column)
            case Qt.ItemDataRole.AccessibleTextRole:
                return f"{_TITLES[column]}: {self._text(entry, column) or 'none'}"
            case _ if role == PRESENTATION_ROLE:
                return self._shown(entry)
            case _:
                return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Return the flags of a cell; waiting plates can be dragged to another place in the queue."""
        flags = super().flags(index)
        if index.isValid() and self._place_of(index.row()) is not None:
            flags |= Qt.ItemFlag.ItemIsDragEnabled | Qt.ItemFlag.ItemIsDropEnabled
        return flags

    def mimeTypes(self) -> list[str]:
        """Return the type of dragged plates."""
        return [QUEUE_MIME]

    def mimeData(self, indexes: Iterable[QModelIndex]) -> QMimeData:
        """Return the path of the dragged plate."""
        data = QMimeData()
        paths = [self._visible[index.row()] for index in indexes if index.isValid()]
        data.setData(QUEUE_MIME, "\n".join(dict.fromkeys(paths)).encode("utf-8", "surrogateescape"))
        return data

    def _place_of(self, number: int) -> int | None:
        """The place in the queue of a shown row, from 1; None if it is not waiting."""
        snapshot = self._entries[self._visible[number]].row.snapshot
        return snapshot.queue_position if snapshot.state is PlateStatus.QUEUED else None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort the rows, including later additions. Column -1 is the order in which plates were added."""
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        paths = [self._visible[index.row()] for index in before]
        self._sorted_by = None if column < 0 else (PlateColumn(column), order)
        if self._sorted_by is None:
            self._visible = [path for path in self._entries if path in self._numbers]
        else:
            self._sort_visible(*self._sorted_by)
        self._number()
        after = [self.index(self._numbers[path], old.column()) for path, old in zip(paths, before, strict=True)]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    # --- parts ---------------------------------------------------------------------------------------------------

    def _put(self, row: PlateRow) -> None:
        self._entries[row.path] = _Entry(row, self._clock())
        self._changed.add(row.path)
        self._pacer.request()

    def _announce(self) -> None:
        numbers = sorted(self._numbers[path] for path in self._changed if path in self._numbers)
        self._changed.clear()
        if not numbers:
            return
        ranges = [(numbers[0], numbers[-1])] if len(numbers) > _FEW else [(number, number) for number in numbers]
        last_column = len(PlateColumn) - 1
        for first, last in ranges:
            self.dataChanged.emit(self.index(first, 0), self.index(last, last_column))

    def _number(self) -> None:
        self._numbers = {path: number for number, path in enumerate(self._visible)}

    def _matches(self, path: str) -> bool:
        if not self._words:
            return True
        entry = self._entries[path]
        text = f"{path} {entry.row.name} {self._shown(entry).text}".casefold()
        return all(word in text for word in self._words)

    def _sort_visible(self, column: PlateColumn, order: Qt.SortOrder) -> None:
        self._visible.sort(
            key=lambda path: self._key(self._entries[path], column), reverse=order is Qt.SortOrder.DescendingOrder
        )

    def _shown(self, entry: _Entry) -> PlatePresentation:
        if entry.shown is None:
            snapshot = entry.row.snapshot
            if snapshot.state.is_working and snapshot.elapsed_seconds is not None:
                since = self._clock() - entry.received
                snapshot = replace(snapshot, elapsed_seconds=snapshot.elapsed_seconds + since)
            entry.shown = present_plate(snapshot)
        return entry.shown

    def _text(self, entry: _Entry, column: PlateColumn) -> str:
        match column:
            case PlateColumn.PLATE:
                return entry.row.name
            case PlateColumn.STATE:
                return self._shown(entry).text
            case PlateColumn.PROGRESS:
                shown = self._shown(entry)
                return shown.bar_text or ("" if shown.percent is None else f"{shown.percent} %")
            case PlateColumn.DETAIL:
                return elsewhere_text(entry.row) or first_line(self._shown(entry).detail) or _costs(entry.row)
            case PlateColumn.TIME:
                return self._shown(entry).timing
            case PlateColumn.WELLS:
                return "" if entry.row.well_count is None else str(entry.row.well_count)
            case PlateColumn.FAILED:
                return str(_failed(entry.row) or "")
            case PlateColumn.RESULTS:
                return results_text(entry.row)
            case _:
                assert_never(column)

    def _tooltip(self, entry: _Entry, column: PlateColumn) -> str:
        shown, row = self._shown(entry), entry.row
        match column:
            case PlateColumn.PLATE:
                return _lines(plate_lines(row))
            case PlateColumn.RESULTS:
                folder = "" if row.found is None else str(row.found.run.folder)
                return _lines([disk_text(row), folder, costs_text(row)])
            case PlateColumn.DETAIL | PlateColumn.STATE | PlateColumn.PROGRESS:
                return _lines([shown.text, shown.detail or _costs(row), shown.bar_text, shown.timing])
            case _:
                return ""

    def _key(self, entry: _Entry, column: PlateColumn) -> _SortKey:
        snapshot = entry.row.snapshot
        match column:
            case PlateColumn.PLATE:
                return (natural_key(entry.row.name.casefold()),)
            case PlateColumn.STATE:
                return _STATE_ORDER[snapshot.state], snapshot.queue_position or 0
            case PlateColumn.PROGRESS:
                shown = self._shown(entry)
                return -1 if shown.percent is None else shown.percent, shown.tone is Tone.GOOD
            case PlateColumn.DETAIL:
                return (self._shown(entry).detail,)
            case PlateColumn.TIME:
                return (-1.0 if snapshot.elapsed_seconds is None else snapshot.elapsed_seconds,)
            case PlateColumn.WELLS:
                return (entry.row.well_count or 0,)
            case PlateColumn.FAILED:
                return (_failed(entry.row),)
            case PlateColumn.RESULTS:
                found = entry.row.found
                return (-1, "") if found is None else (found.done, found.run.begun_at)
            case _:
                assert_never(column)


def _failed(row: PlateRow) -> int:
    """The failed wells of the run, or of the results on disk while there is no run."""
    snapshot = row.snapshot
    of_run = snapshot.state.is_working or snapshot.total_wells or snapshot.failed_wells
    return snapshot.failed_wells if of_run or row.found is None else row.found.run.wells_failed


def _costs(row: PlateRow) -> str:
    """What the steps of the shown run have cost, for a plate that has nothing else to say; never of another run."""
    is_of_run = not row.snapshot.total_wells or (row.on_disk is not None and row.execution_id in row.on_disk.executions)
    return "" if row.snapshot.state.is_busy or not is_of_run else costs_text(row, longest=_COSTS)


def _lines(lines: Iterable[str]) -> str:
    """A tooltip of several lines, shown literally."""
    return "<qt>" + "<br>".join(html.escape(line) for line in lines if line) + "</qt>" if any(lines) else ""


def _ranges(numbers: list[int]) -> list[tuple[int, int]]:
    """Return the first and last number of each run of consecutive numbers; ``numbers`` are sorted."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = found[-1][0], number
        else:
            found.append((number, number))
    return found


def _alignment(column: PlateColumn) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column in _NUMBERS else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
