"""The tables of a run: wells, images and objects, to sort, filter, copy and export."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QModelIndex, Qt, pyqtSignal as Signal
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QProgressBar,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.numbers.gallery import object_place
from openhcs_gui_services.services.numbers.latest import LatestWork
from openhcs_gui_services.services.numbers.mapped_table import MappedTable
from openhcs_gui_services.services.numbers.open_tables import OpenTables
from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.widgets.common.buttons import push_button
from openhcs_gui_services.widgets.common.colours import tone_colour
from openhcs_gui_services.widgets.numbers.cell_delegate import CellDelegate
from openhcs_gui_services.widgets.numbers.column_chooser import ColumnChooser
from openhcs_gui_services.widgets.numbers.copying import add_copy_key
from openhcs_gui_services.widgets.numbers.measure_bar import short_combo
from openhcs_gui_services.widgets.numbers.table_model import MappedTableModel
from zmqruntime.execution.text import plural

__all__ = ["TableTab", "wells_named"]

_SAMPLE = 30
"""Rows whose texts decide how wide a column is."""
_WIDEST = 260
_NO_ROWS = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be shown of a table."""

    name: str
    where: str = ""
    wells: str = ""
    sort: str = ""
    descending: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    table: MappedTable
    rows: NDArray[np.int64]
    wanted: _Wanted


def wells_named(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """Return the wells that a quick filter means: wells (``B03``), rows (``B``) and columns (``3``).

    Raises:
        ValueError: a part of it is none of these, or no well of the table is meant.
    """
    found: list[str] = []
    for part in re.split(r"[\s,;]+", text.strip()):
        if not (match := re.fullmatch(r"([A-Za-z]{0,2})(\d{0,2})", part)):
            raise ValueError(f"{part!r} is not a well, a row or a column: write, for example, B03, B or 3")
        row, column = match[1].upper(), match[2]
        wanted = re.compile(f"{row or '[A-Z]+'}{f'{int(column):02d}' if column else '[0-9]+'}")
        found += [well for well in known if wanted.fullmatch(well)]
    if not found:
        raise ValueError(f"the table has no well {text.strip()}: write, for example, {known[0] if known else 'B03'}")
    return tuple(dict.fromkeys(found))


class TableTab(QWidget):
    """Shows one table of a run at a time.

    Args:
        tasks: runs work in the background.
        parent: the parent widget.
    """

    object_wanted = Signal(object)
    """The ``ObjectPlace`` of an activated row."""
    well_wanted = Signal(str)
    """The well of an activated row that is not an object."""
    message = Signal(str, bool)
    """A line for the status bar, and whether it is an error."""

    def __init__(self, tasks: BackgroundTasks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tables: OpenTables | None = None
        self._shown: _Found | None = None
        self._columns: dict[str, tuple[str, ...]] = {}
        """The chosen columns of each table."""
        self._excluded: frozenset[str] = frozenset()
        self._sort, self._descending = "", False
        self._reading: LatestWork[_Found] = LatestWork(
            tasks, "Reading the table", self._show_found, self._show_problem, self._show_busy
        )
        self._writing: LatestWork[str] = LatestWork(
            tasks, "Exporting", lambda text: self.message.emit(text, False), lambda text: self.message.emit(text, True)
        )
        self.chosen, self.where, self.wells = short_combo(QComboBox(), 6), QLineEdit(), QLineEdit()
        self.view, self.model = QTableView(), MappedTableModel(self)
        self.problem, self.counted, self._busy = QLabel(), QLabel(), QProgressBar()
        self._set_up()
        self._lay_out()
        self._connect()

    # --- what is shown -----------------------------------------------------------------------------------------------

    def show_tables(self, tables: OpenTables | None, names: Sequence[str]) -> None:
        """Offer the tables of a run and show the one that was shown before, or the first."""
        self._tables = tables
        self._reading.drop()
        self._shown = None
        self.model.show_table(None, _NO_ROWS, ())
        before = self.chosen.currentText()
        self.chosen.blockSignals(True)
        self.chosen.clear()
        self.chosen.addItems(names)
        self.chosen.setCurrentText(before)
        self.chosen.blockSignals(False)
        self.problem.hide()
        self.counted.clear()
        if self.isVisible():
            self.read()

    def show_excluded(self, excluded: frozenset[str]) -> None:
        """Say that wells are excluded; their rows stay in the table."""
        self._excluded = excluded
        self._count()

    def show_table(self, name: str, where: str = "") -> None:
        """Show the rows of a table for which an expression is true."""
        self.chosen.setCurrentText(name)
        self.where.setText(where)
        self.read()

    def read(self) -> None:
        """Read the rows that are wanted, in the background."""
        if self._tables is not None and self.chosen.currentText():
            tables, wanted = self._tables, self._wanted()
            self._reading.start(lambda: _find(tables, wanted))

    @property
    def is_busy(self) -> bool:
        """Whether rows are being read or sorted."""
        return self._reading.is_busy

    # --- Qt ---------------------------------------------------------------------------------------------------------

    def showEvent(self, event: object) -> None:
        """Read the table when it is first looked at."""
        super().showEvent(event)  # type: ignore[arg-type]
        if self._shown is None and not self._reading.is_busy:
            self.read()

    # --- parts -----------------------------------------------------------------------------------------------------

    def _wanted(self) -> _Wanted:
        return _Wanted(
            self.chosen.currentText(),
            self.where.text().strip(),
            self.wells.text().strip(),
            self._sort,
            self._descending,
        )

    def _show_found(self, found: _Found) -> None:
        is_same = self._shown is not None and self._shown.table is found.table
        self._shown = found
        self.problem.hide()
        if is_same:
            self.model.show_rows(found.rows)
        else:
            self.model.show_table(found.table, found.rows, self._shown_columns(found.table))
            self._fit_columns()
        self._show_order(found.wanted)
        self._count()

    def _show_order(self, wanted: _Wanted) -> None:
        header = self.view.horizontalHeader()
        assert header is not None
        place = self.model.columns.index(wanted.sort) if wanted.sort in self.model.columns else -1
        order = Qt.SortOrder.DescendingOrder if wanted.descending else Qt.SortOrder.AscendingOrder
        header.setSortIndicator(place, order)

    def _show_problem(self, text: str) -> None:
        self.problem.setText(text)
        self.problem.show()

    def _show_busy(self, is_busy: bool) -> None:
        self._busy.setVisible(is_busy)

    def _count(self) -> None:
        if self._shown is None:
            return
        total, shown = len(self._shown.table), len(self._shown.rows)
        text = plural(total, "row") if shown == total else f"{shown:,} of {plural(total, 'row')}"
        if self._excluded:
            verb = "is" if len(self._excluded) == 1 else "are"
            text += f"; {plural(len(self._excluded), 'well')} {verb} excluded and still listed here"
        self.counted.setText(text)

    def _shown_columns(self, table: MappedTable) -> tuple[str, ...]:
        known = self._columns.get(table.schema.table, ())
        chosen = tuple(column for column in table.columns if column in known)
        return chosen or tuple(column for column in table.columns if column != "plate")

    def _fit_columns(self) -> None:
        """Fit columns to the first rows; Qt's own way asks for every row in view, which moves the columns."""
        metrics = self.view.fontMetrics()
        for place, name in enumerate(self.model.columns):
            rows = range(min(_SAMPLE, self.model.rowCount()))
            texts = [name + "   ", *(str(self.model.data(self.model.index(row, place))) for row in rows)]
            width = max(metrics.horizontalAdvance(text) for text in texts) + 18
            self.view.setColumnWidth(place, min(width, _WIDEST))

    def _on_header(self, place: int) -> None:
        name = self.model.columns[place]
        self._descending = name == self._sort and not self._descending
        self._sort = name
        self.read()

    def _on_typed(self, text: str) -> None:
        if not text:
            self.read()

    def _on_table(self) -> None:
        self._sort, self._descending = "", False
        self.where.clear()
        self.read()

    def _on_activated(self, index: QModelIndex) -> None:
        row, table = self.model.row_at(index), self.model.table
        if row is None or table is None:
            return
        place = object_place(table, row)
        if place is not None:
            self.object_wanted.emit(place)
        else:
            self.well_wanted.emit(str(table.cell(row, "well")))

    def choose_columns(self) -> None:
        """Ask which columns to show."""
        if self._shown is None:
            return
        dialog = ColumnChooser(self._shown.table.columns, self.model.columns, self)
        dialog.columns_chosen.connect(self._take_columns)
        dialog.open()

    def _take_columns(self, columns: tuple[str, ...]) -> None:
        if self._shown is not None:
            self._columns[self._shown.table.schema.table] = columns
            self.model.show_table(self._shown.table, self._shown.rows, columns)
            self._fit_columns()
            self._show_order(self._shown.wanted)

    def export(self) -> None:
        """Ask for a file and write the shown rows and columns to it."""
        if self._shown is None:
            return
        name = f"{self._shown.table.schema.table}.csv"
        dialog = QFileDialog(self, "Export the table", str(Path.cwd() / name), "Tables (*.csv *.parquet)")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("csv")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda path: self.export_to(Path(path)))
        dialog.open()

    def export_to(self, path: Path) -> None:
        """Write the shown rows and columns to a file, as CSV or Parquet by its ending."""
        if self._tables is not None and self._shown is not None:
            tables, found, columns = self._tables, self._shown, self.model.columns
            self._writing.start(lambda: _export(tables, found, columns, path))

    def _set_up(self) -> None:
        self.view.setModel(self.model)
        self.view.setItemDelegate(CellDelegate(self.model, self.view))
        self.view.setAccessibleName("Table")
        self.view.setAlternatingRowColors(True)
        self.view.setShowGrid(False)
        self.view.setWordWrap(False)
        self.view.setTabKeyNavigation(False)
        self.view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        rows, columns = self.view.verticalHeader(), self.view.horizontalHeader()
        assert rows is not None
        assert columns is not None
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(self.view.fontMetrics().height() + 6)
        columns.setSectionsClickable(True)
        columns.setSortIndicatorShown(True)
        columns.setHighlightSections(False)
        columns.setSectionsMovable(True)
        self.chosen.setAccessibleName("Table")
        self.where.setPlaceholderText("Filter, such as area_um2 > 80 and compound == 'DMSO'")
        self.where.setToolTip("An expression as for openhcs-runtime table --where; Enter applies it")
        self.where.setAccessibleName("Filter")
        self.where.setClearButtonEnabled(True)
        self.wells.setPlaceholderText("Wells, such as B03, C or 7")
        self.wells.setToolTip("Only these wells, rows or columns; Enter applies it")
        self.wells.setAccessibleName("Wells")
        self.wells.setClearButtonEnabled(True)
        self.problem.setWordWrap(True)
        self.problem.setTextFormat(Qt.TextFormat.PlainText)
        self.problem.setStyleSheet(f"color: {tone_colour(Tone.BAD, self.palette()).name()}")
        self.problem.hide()
        self._busy.setRange(0, 0)
        self._busy.setTextVisible(False)
        self._busy.setFixedHeight(4)
        self._busy.setAccessibleName("Reading the table")
        policy = self._busy.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self._busy.setSizePolicy(policy)
        self._busy.hide()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.chosen, 1)
        top.addWidget(push_button("Columns…", "Choose the columns to show", self.choose_columns))
        top.addWidget(push_button("Export…", "Write the shown rows and columns to a file", self.export))
        filters = QGridLayout()
        filters.addWidget(self.where, 0, 0)
        filters.addWidget(self.wells, 0, 1)
        filters.setColumnStretch(0, 3)
        filters.setColumnStretch(1, 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 6, 0, 0)
        layout.addLayout(top)
        layout.addLayout(filters)
        layout.addWidget(self.problem)
        layout.addWidget(self._busy)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.counted)
        self.counted.setWordWrap(True)

    def _connect(self) -> None:
        self.chosen.currentTextChanged.connect(lambda _: self._on_table())
        for field in (self.where, self.wells):
            field.returnPressed.connect(self.read)
            field.textChanged.connect(self._on_typed)
        header = self.view.horizontalHeader()
        assert header is not None
        header.sectionClicked.connect(self._on_header)
        self.view.activated.connect(self._on_activated)
        add_copy_key(self.view, lambda text: self.message.emit(text, True))


def _find(tables: OpenTables, wanted: _Wanted) -> _Found:
    table = tables.get(wanted.name)
    wells = wells_named(wanted.wells, table.texts("well")[1]) if wanted.wells else ()
    rows = table.rows(wanted.where, wells)
    if wanted.sort in table.columns:
        rows = table.sorted_rows(rows, wanted.sort, descending=wanted.descending)
    return _Found(table, rows, wanted)


def _export(tables: OpenTables, found: _Found, columns: Sequence[str], path: Path) -> str:
    """Write rows and columns, in the order of the table; returns what was done, in words."""
    from openhcs_runtime.outputs.runs import check_target  # noqa: PLC0415  heavy
    from openhcs_runtime.tables.export.formats import format_of, write_as  # noqa: PLC0415  as above

    table, wanted = found.table, found.wanted
    check_target(path, tables.results.found.run)
    parts = [f"({wanted.where})"] if wanted.where else []
    if wanted.wells:
        named = wells_named(wanted.wells, table.texts("well")[1])
        parts.append(f"well in ({', '.join(map(repr, named))},)")
    name = table.schema.table
    write_as(tables.results, name, path, format_of(path), columns=columns, where=" and ".join(parts))
    return f"{plural(len(found.rows), 'row')} of {name} written to {path}"
