"""Plots of objects with gates that lead back to the cells: histogram, scatter plot, counts and a gallery."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import Qt, pyqtSignal as Signal
from PyQt6.QtWidgets import QCheckBox, QComboBox, QGridLayout, QLabel, QSplitter, QVBoxLayout, QWidget
from superqt import QSearchableComboBox

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.numbers.gallery import object_place
from openhcs_gui_services.services.numbers.gates import (
    Gate,
    GateCounts,
    GateStore,
    PolygonGate,
    RangeGate,
    RectangleGate,
    chosen_by,
    count_gate,
    gate_columns,
)
from openhcs_gui_services.services.numbers.latest import LatestWork
from openhcs_gui_services.services.numbers.mapped_table import MappedTable
from openhcs_gui_services.services.numbers.measures import MeasureChoice
from openhcs_gui_services.services.numbers.open_tables import OpenTables
from openhcs_gui_services.services.numbers.plots import (
    Density,
    Histogram,
    Points,
    View,
    group_objects,
    histogram,
    kept_rows,
    on_axis,
    scatter,
)
from openhcs_gui_services.widgets.numbers.flow import flow
from openhcs_gui_services.widgets.numbers.gallery_view import GalleryView
from openhcs_gui_services.widgets.numbers.gate_bar import GateBar
from openhcs_gui_services.widgets.numbers.gate_view_box import GateTool
from openhcs_gui_services.widgets.numbers.measure_bar import short_combo
from openhcs_gui_services.widgets.numbers.object_plot import ObjectPlot
from openhcs_runtime.exceptions import OpenHCSError
from openhcs_runtime.tables.schema import TableKind
from zmqruntime.execution.text import plural

if TYPE_CHECKING:
    from openhcs_runtime.profiles.columns import MapRole

__all__ = ["PlotTab"]

_HISTOGRAM, _SCATTER = "Histogram", "Scatter plot"
_EMPTY = "This run has no table of objects: add a step that segments and measures some, such as Segment nuclei."
_GROUPS = (("one colour", ""), ("controls", "control"), ("compounds", "compound"), ("doses", "dose"))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be drawn."""

    table: str
    x: str
    y: str
    x_log: bool
    y_log: bool
    role: str
    excluded: frozenset[str]
    view: View | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    table: MappedTable
    found: Histogram | Points | Density
    groups: tuple[str, ...]
    wanted: _Wanted


@dataclass(frozen=True, slots=True, eq=False)
class _Counted:
    gate: Gate
    table: MappedTable
    counts: GateCounts
    rows: NDArray[np.int64]
    columns: tuple[NDArray[np.float64], ...]


class PlotTab(QWidget):
    """Shows the objects of a run in a plot.

    Args:
        tasks: runs work in the background.
        store: keeps the gates of plates.
        parent: the parent widget.
    """

    object_wanted = Signal(object)
    """The ``ObjectPlace`` of a point or picture that was clicked."""
    rows_wanted = Signal(str, str)
    """A table, and an expression for those of its rows that are to be shown."""
    share_wanted = Signal(str, object)
    """What the map is to show: a title, and the percentage of objects in a gate by well."""
    message = Signal(str, bool)
    """A line for the status bar, and whether it is an error."""

    def __init__(self, tasks: BackgroundTasks, store: GateStore, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._tables: OpenTables | None = None
        self._plate = ""
        self._choices: tuple[MeasureChoice, ...] = ()
        self._excluded: frozenset[str] = frozenset()
        self._gates: tuple[Gate, ...] = ()
        self._counted: _Counted | None = None
        self._axes: tuple[object, ...] = ()
        self._drawn: _Drawn | None = None
        self._is_stale = False
        self._drawing: LatestWork[_Drawn] = LatestWork(tasks, "Drawing the plot", self._show_drawn, self._say)
        self._counting: LatestWork[_Counted] = LatestWork(tasks, "Counting", self._show_counted, self._say)
        self._saving: LatestWork[None] = LatestWork(tasks, "Saving the gates", lambda _: None, self._on_unsaved)
        self.kind, self.table, self.colour = (short_combo(QComboBox(), 7) for _ in range(3))
        self.x_measure, self.y_measure = short_combo(QSearchableComboBox(), 14), short_combo(QSearchableComboBox(), 14)
        self.x_log, self.y_log = QCheckBox("log"), QCheckBox("log")
        self.words, self.plot = QLabel(), ObjectPlot()
        self.gates, self.gallery = GateBar(), GalleryView(tasks)
        self._set_up()
        self._lay_out()
        self._connect()

    # --- what is shown -----------------------------------------------------------------------------------------------

    def show_tables(
        self, tables: OpenTables | None, choices: Sequence[MeasureChoice], run: Path | None, plate_path: str
    ) -> None:
        """Offer the objects of a run; chosen measurements are kept if it has them."""
        self._drawing.drop()
        self._counting.drop()
        self._tables, self._counted, self._drawn, self._axes = tables, None, None, ()
        self._choices = tuple(one for one in choices if one.kind is TableKind.OBJECTS and not one.is_count)
        names = list(dict.fromkeys(one.table for one in self._choices))
        before = self.table.currentText()
        self.table.blockSignals(True)
        self.table.clear()
        self.table.addItems(names)
        self.table.setCurrentText(before)
        self.table.blockSignals(False)
        self.table.setVisible(len(names) > 1)
        self.plot.clear_all()
        self.gallery.show_run(run)
        self._load_gates(plate_path)
        self._fill_measures()
        self._say("" if names else _EMPTY)
        self._want()

    def show_measure(self, choice: MeasureChoice) -> None:
        """Show a measurement of objects on the first axis."""
        if choice in self._choices:
            self.table.setCurrentText(choice.table)
            if self.y_measure.currentData() == choice.column:
                self._select(self.y_measure, self.x_measure.currentData())
            self._select(self.x_measure, choice.column)

    def show_excluded(self, excluded: frozenset[str]) -> None:
        """Leave these wells out."""
        if excluded != self._excluded:
            self._excluded = excluded
            self._want()
            self._count()

    @property
    def is_busy(self) -> bool:
        """Whether something is being read or counted."""
        return self._drawing.is_busy or self._counting.is_busy or self.gallery.is_busy

    @property
    def counted(self) -> GateCounts | None:
        """The counts of the chosen gate; None without a gate, or until they are known."""
        return None if self._counted is None else self._counted.counts

    def add_gate(self, gate: Gate) -> None:
        """Add a gate of the plate and choose it."""
        self._keep((*self._gates, gate), gate)

    def showEvent(self, event: object) -> None:
        """Draw the plot when it is looked at."""
        super().showEvent(event)  # type: ignore[arg-type]
        if self._is_stale:
            self._want()
            self._count()

    # --- drawing -----------------------------------------------------------------------------------------------------

    @property
    def _is_scatter(self) -> bool:
        return self.kind.currentText() == _SCATTER

    def _wanted(self, view: View | None = None) -> _Wanted | None:
        x, y = self.x_measure.currentData(), self.y_measure.currentData() if self._is_scatter else ""
        if self._tables is None or not self.table.currentText() or not x or (self._is_scatter and not y):
            return None
        return _Wanted(
            self.table.currentText(),
            x,
            y,
            self.x_log.isChecked(),
            self.y_log.isChecked() and self._is_scatter,
            str(self.colour.currentData() or ""),
            self._excluded,
            view,
        )

    def _want(self, view: View | None = None) -> None:
        wanted, tables = self._wanted(view), self._tables
        self._is_stale = not self.isVisible()
        if wanted is not None and tables is not None and self.isVisible():
            self._drawing.start(lambda: _draw(tables, wanted))

    def _show_drawn(self, drawn: _Drawn) -> None:
        self._drawn, wanted = drawn, drawn.wanted
        y = self._title(wanted.y) if wanted.y else wanted.table
        self.plot.show_axes(self._title(wanted.x), y, x_log=wanted.x_log, y_log=wanted.y_log)
        axes = (wanted.table, wanted.x, wanted.y, wanted.x_log, wanted.y_log)
        self.plot.draw(drawn.found, drawn.groups, fit=axes != self._axes)
        self._axes = axes
        self._outline()
        self._describe(drawn.found.left_out)

    def _describe(self, left_out: int) -> None:
        """Say what the gate chooses, and what is not drawn."""
        parts = []
        if self._counted is not None:
            parts.append(f"<b>{self._counted.counts.sentence(self._counted.gate.table)}</b>")
        elif self.gates.gate is None:
            parts.append("Drag in the plot to choose objects")
        if left_out:
            parts.append(f"{left_out:,} without a value on these axes")
        if self._excluded:
            parts.append(f"{plural(len(self._excluded), 'well')} excluded")
        self._left_out = left_out
        self.words.setText("; ".join(parts))

    def _title(self, column: str) -> str:
        of_table = (one for one in self._choices if one.table == self.table.currentText())
        return next((one.axis for one in of_table if one.column == column), column)

    # --- gates -------------------------------------------------------------------------------------------------------

    def _load_gates(self, plate_path: str) -> None:
        self._plate = plate_path
        self._gates = ()
        if plate_path:
            try:
                self._gates = self._store.load(plate_path)
            except OpenHCSError as error:
                self.message.emit(str(error), True)
        self._offer_gates(None)

    def _offer_gates(self, chosen: Gate | None) -> None:
        of_table = [gate for gate in self._gates if gate.table in {one.table for one in self._choices}]
        self.gates.show_gates(of_table, chosen if chosen in of_table else None)

    def _on_drawn(self, tool: GateTool, corners: Sequence[tuple[float, float]]) -> None:
        wanted = self._wanted()
        if wanted is not None:
            taken = {gate.name for gate in self._gates}
            name = next(name for number in range(1, 10_000) if (name := f"Gate {number}") not in taken)
            self.add_gate(_gate(tool, corners, wanted, name))

    def _keep(self, gates: tuple[Gate, ...], chosen: Gate | None) -> None:
        """Show these gates of the plate and choose one; they are saved in the background."""
        store, plate = self._store, self._plate
        self._gates = gates
        self._offer_gates(chosen)
        self._on_gate(chosen)
        self._saving.start(lambda: store.save(plate, gates))

    def _on_unsaved(self, text: str) -> None:
        """Say that the gates are not kept, and show those that are."""
        self._load_gates(self._plate)
        self._on_gate(None)
        self.message.emit(text, True)

    def _make_gate(self) -> None:
        """Add a gate over the shown part of the plot, and ask for its limits."""
        left, right, bottom, top = self.plot.view()
        corners = [(left, bottom), (right, top)]
        self._on_drawn(GateTool.RECTANGLE if self._is_scatter else GateTool.RANGE, corners)
        self.gates.edit()

    def _on_edited(self, before: Gate, after: Gate | None) -> None:
        kept = tuple(after if gate == before and after is not None else gate for gate in self._gates)
        self._keep(kept if after is not None else tuple(gate for gate in kept if gate != before), after)

    def _on_gate(self, gate: Gate | None) -> None:
        """Show the plot that a gate was drawn in, and count its objects."""
        self._counted = None
        self.gallery.clear()
        if gate is not None:
            self._show_axes_of(gate)
        self._outline()
        self._describe(0)
        self._count()

    def _show_axes_of(self, gate: Gate) -> None:
        widgets = (self.kind, self.table, self.x_measure, self.y_measure, self.x_log, self.y_log)
        for widget in widgets:
            widget.blockSignals(True)
        self.table.setCurrentText(gate.table)
        self.kind.setCurrentText(_HISTOGRAM if isinstance(gate, RangeGate) else _SCATTER)
        self._fill_measures()
        self._select(self.x_measure, gate.x)
        if not isinstance(gate, RangeGate):
            self._select(self.y_measure, gate.y)
        if isinstance(gate, PolygonGate):
            self.x_log.setChecked(gate.x_log)
            self.y_log.setChecked(gate.y_log)
        for widget in widgets:
            widget.blockSignals(False)
        self._show_kind()
        self._want()

    def _outline(self) -> None:
        gate, wanted = self.gates.gate, self._wanted()
        if gate is None or wanted is None or not _is_drawn(gate, wanted):
            self.plot.show_gate(GateTool.RANGE, ())
            return
        self.plot.show_gate(GateBar.tool_of(gate), _corners(gate, wanted))

    def _count(self) -> None:
        gate, tables, excluded = self.gates.gate, self._tables, self._excluded
        if gate is not None and tables is not None and self.isVisible():
            self._counting.start(lambda: _count_gate(tables, gate, excluded))

    def _show_counted(self, counted: _Counted) -> None:
        self._counted = counted
        self._describe(self._left_out)
        self.gallery.show_rows(counted.table, counted.rows, counted.columns)

    def _want_share(self) -> None:
        if self._counted is not None:
            gate = self._counted.gate
            self.share_wanted.emit(f"{gate.table} in {gate.name}", self._counted.counts.percent)

    # --- parts -------------------------------------------------------------------------------------------------------

    def _fill_measures(self) -> None:
        of_table = [one for one in self._choices if one.table == self.table.currentText()]
        for place, box in enumerate((self.x_measure, self.y_measure)):
            before = box.currentData()
            is_blocked = box.blockSignals(True)
            box.clear()
            for one in of_table:
                box.addItem(one.axis, one.column)
            found = box.findData(before)
            box.setCurrentIndex(found if found >= 0 else min(place, box.count() - 1))
            box.blockSignals(is_blocked)

    def _select(self, box: QComboBox, column: str) -> None:
        place = box.findData(column)
        if place >= 0:
            box.setCurrentIndex(place)

    def _on_view(self, view: View) -> None:
        if self._is_scatter:
            self._want(view)

    def _on_kind(self) -> None:
        self._show_kind()
        self._outline()
        self._want()

    def _show_kind(self) -> None:
        for widget in (self._y_title, self.y_measure, self.y_log):
            widget.setVisible(self._is_scatter)
        self.gates.show_kind(is_scatter=self._is_scatter)

    def _on_axes(self) -> None:
        self._outline()
        self._want()

    def _on_table(self) -> None:
        self._fill_measures()
        self._on_axes()

    def _on_row(self, row: int) -> None:
        place = None if self._drawn is None else object_place(self._drawn.table, row)
        if place is not None:
            self.object_wanted.emit(place)

    def _say(self, text: str) -> None:
        self.words.setText(text)

    def _set_up(self) -> None:
        self._left_out = 0
        self._x_title, self._y_title = QLabel("x"), QLabel("y")
        self.kind.addItems([_HISTOGRAM, _SCATTER])
        self.kind.setAccessibleName("Plot")
        self.table.setAccessibleName("Objects")
        self.colour.setAccessibleName("Colours")
        self.colour.setToolTip("Draw groups of wells in colours of their own, by the plate map")
        for name, role in _GROUPS:
            self.colour.addItem(name, role)
        for box, name in ((self.x_measure, "Measurement of the x axis"), (self.y_measure, "Measurement of the y axis")):
            box.setAccessibleName(name)
            box.setToolTip(f"{name}; type to search")
        for check, name in ((self.x_log, "x"), (self.y_log, "y")):
            check.setAccessibleName(f"Logarithmic {name} axis")
            check.setToolTip(f"Logarithmic {name} axis; values up to 0 are left out")
        self.words.setWordWrap(True)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._show_kind()

    def _lay_out(self) -> None:
        axes = QGridLayout()
        for row, widgets in enumerate(
            ((self._x_title, self.x_measure, self.x_log), (self._y_title, self.y_measure, self.y_log))
        ):
            for column, widget in enumerate(widgets):
                axes.addWidget(widget, row, column)
        axes.setColumnStretch(1, 1)
        above = QWidget()
        layout = QVBoxLayout(above)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(flow(self.kind, self.table, self.colour))
        layout.addLayout(axes)
        layout.addWidget(self.gates)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.words)
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(above)
        split.addWidget(self.gallery)
        split.setChildrenCollapsible(False)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 6, 0, 0)
        whole.addWidget(split)

    def _connect(self) -> None:
        self.kind.currentIndexChanged.connect(lambda _: self._on_kind())
        self.table.currentIndexChanged.connect(lambda _: self._on_table())
        self.colour.currentIndexChanged.connect(lambda _: self._want())
        for box in (self.x_measure, self.y_measure):
            box.currentIndexChanged.connect(lambda _: self._on_axes())
        for check in (self.x_log, self.y_log):
            check.toggled.connect(lambda _: self._on_axes())
        self.plot.gate_drawn.connect(self._on_drawn)
        self.plot.row_clicked.connect(self._on_row)
        self.plot.view_changed.connect(self._on_view)
        self.gates.tool_changed.connect(self.plot.set_tool)
        self.gates.gate_chosen.connect(self._on_gate)
        self.gates.gate_changed.connect(self._on_edited)
        self.gates.colours_wanted.connect(self._want_share)
        self.gates.rows_wanted.connect(lambda where: self.rows_wanted.emit(self.table.currentText(), where))
        self.gates.new_wanted.connect(self._make_gate)
        self.gates.message.connect(self.message)
        self.gallery.object_wanted.connect(self.object_wanted)
        self.plot.set_tool(GateTool.RANGE)


def _draw(tables: OpenTables, wanted: _Wanted) -> _Drawn:
    table = tables.get(wanted.table)
    groups = group_objects(table, _role(wanted.role))
    kept = kept_rows(table, wanted.excluded)
    x = table.numbers(wanted.x)
    found: Histogram | Points | Density
    if wanted.y:
        places = on_axis(x, wanted.x_log), on_axis(table.numbers(wanted.y), wanted.y_log)
        found = scatter(*places, groups, kept, wanted.view)
    else:
        found = histogram(x, wanted.x_log, groups, kept)
    return _Drawn(table, found, groups.names, wanted)


def _role(name: str) -> "MapRole | None":
    from openhcs_runtime.profiles import MapRole  # noqa: PLC0415  heavy

    return MapRole(name) if name else None


def _count_gate(tables: OpenTables, gate: Gate, excluded: frozenset[str]) -> _Counted:
    table = tables.get(gate.table)
    columns = tuple(table.numbers(name) for name in gate_columns(gate))
    chosen = chosen_by(gate, *columns)
    codes, wells = table.texts("well")
    counts = count_gate(chosen, codes, wells, excluded)
    rows = np.flatnonzero(chosen & kept_rows(table, excluded)).astype(np.int64)
    return _Counted(gate, table, counts, rows, columns)


def _gate(tool: GateTool, corners: Sequence[tuple[float, float]], wanted: _Wanted, name: str) -> Gate:
    """Return the gate with these corners in units of the axes."""
    x = [_value(corner[0], wanted.x_log) for corner in corners]
    y = [_value(corner[1], wanted.y_log) for corner in corners]
    if tool is GateTool.RANGE:
        return RangeGate(name=name, table=wanted.table, x=wanted.x, low=min(x), high=max(x))
    if tool is GateTool.RECTANGLE:
        return RectangleGate(
            name=name,
            table=wanted.table,
            x=wanted.x,
            y=wanted.y,
            x_low=min(x),
            x_high=max(x),
            y_low=min(y),
            y_high=max(y),
        )
    return PolygonGate(
        name=name,
        table=wanted.table,
        x=wanted.x,
        y=wanted.y,
        corners=tuple(zip(x, y, strict=True)),
        x_log=wanted.x_log,
        y_log=wanted.y_log,
    )


def _is_drawn(gate: Gate, wanted: _Wanted) -> bool:
    """Return whether a gate belongs to what is drawn."""
    if gate.table != wanted.table or gate.x != wanted.x:
        return False
    if isinstance(gate, RangeGate):
        return not wanted.y
    is_same = gate.y == wanted.y
    return is_same and (isinstance(gate, RectangleGate) or (gate.x_log, gate.y_log) == (wanted.x_log, wanted.y_log))


def _corners(gate: Gate, wanted: _Wanted) -> list[tuple[float, float]]:
    """Return the corners of a gate in units of the axes; none if they have no place on them."""
    if isinstance(gate, RangeGate):
        corners = [(gate.low, 1.0), (gate.high, 1.0)]
    elif isinstance(gate, RectangleGate):
        corners = [(gate.x_low, gate.y_low), (gate.x_high, gate.y_high)]
    else:
        corners = list(gate.corners)
    placed = [(_place(x, wanted.x_log), _place(y, wanted.y_log)) for x, y in corners]
    return placed if all(map(math.isfinite, np.ravel(placed).tolist())) else []


def _value(place: float, is_log: bool) -> float:
    return float(10.0**place) if is_log else float(place)


def _place(value: float, is_log: bool) -> float:
    if not is_log:
        return value
    return math.log10(value) if value > 0 else math.nan
