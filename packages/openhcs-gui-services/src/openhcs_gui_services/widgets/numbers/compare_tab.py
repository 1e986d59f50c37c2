"""Compares two runs of a plate: how the chosen measurement of each well moved, and what changed between them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg  # type: ignore[import-untyped]
from PyQt6.QtCore import QEvent, QModelIndex, Qt, pyqtSignal as Signal
from PyQt6.QtGui import QFontDatabase
from PyQt6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.numbers.comparison import WellChange, compare_wells
from openhcs_gui_services.services.numbers.latest import LatestWork
from openhcs_gui_services.services.numbers.run_diff import RunDifference, other_runs, run_difference
from openhcs_gui_services.services.numbers.well_values import WellsRequest, measure_wells
from openhcs_gui_services.widgets.numbers.measure_bar import short_combo
from openhcs_gui_services.widgets.numbers.plot_style import SmallPlot, control_colour, name_axis, style_plot
from openhcs_gui_services.widgets.numbers.small_table import SmallTable
from openhcs_runtime.outputs.runs import RunSummary, local_time
from zmqruntime.execution.text import plural

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openhcs_runtime.tables.read import Results

__all__ = ["CompareTab"]

_ALONE = "This plate has no other run with finished wells. Run it again, with another setting, to compare the two."
_MOST_LINES = 5000
"""Lines of a diff that are shown."""


@dataclass(frozen=True, slots=True)
class _Compared:
    title: str
    unit: str
    changes: tuple[WellChange, ...]
    controls: "Mapping[str, str]"
    difference: RunDifference
    problem: str = ""


class CompareTab(QWidget):
    """Shows how the numbers moved from another run to the shown one.

    Args:
        tasks: runs work in the background.
        parent: the parent widget.
    """

    well_wanted = Signal(str)
    """The well of an activated row or point."""
    message = Signal(str, bool)
    """A line for the status bar, and whether it is an error."""

    def __init__(self, tasks: BackgroundTasks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._results: Results | None = None
        self._request: WellsRequest | None = None
        self._is_stale = False
        self._compared: _Compared | None = None
        self._listing: LatestWork[tuple[RunSummary, ...]] = LatestWork(
            tasks, "Looking for runs", self._show_runs, self._say
        )
        self._reading: LatestWork[_Compared] = LatestWork(tasks, "Comparing the runs", self._show_compared, self._say)
        self.runs, self.words = short_combo(QComboBox(), 8), QLabel()
        self.table = SmallTable(
            ("Well", "Before", "Now", "Change", "Change (%)"), "Wells", lambda text: self.message.emit(text, True)
        )
        self.plot, self._points = SmallPlot(), pg.ScatterPlotItem()
        self.diff, self.show_diff = QPlainTextEdit(), QPushButton("Pipeline &diff")
        self._set_up()
        self._lay_out()

    @property
    def is_busy(self) -> bool:
        """Whether runs are being looked for or compared."""
        return self._listing.is_busy or self._reading.is_busy

    def show_measure(self, results: "Results | None", request: WellsRequest | None) -> None:
        """Compare this measurement of this run; it is read once the tab is looked at."""
        is_same_run = self._results is results
        self._results, self._request = results, request
        if not is_same_run:
            self._listing.drop()
            self._reading.drop()
            self._clear()
            self._is_stale = True
            if self.isVisible():
                self._list_runs()
        elif self.isVisible():
            self._read()
        else:
            self._is_stale = True

    def showEvent(self, event: object) -> None:
        """Read what is compared when it is looked at."""
        super().showEvent(event)  # type: ignore[arg-type]
        if self._is_stale:
            self._list_runs()

    def changeEvent(self, event: QEvent | None) -> None:
        """Use the colours of the new palette."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.PaletteChange:
            style_plot(self.plot, self.palette())
            if self._compared is not None:
                self._draw(self._compared)

    def _list_runs(self) -> None:
        self._is_stale = False
        results = self._results
        if results is not None:
            self._listing.start(lambda: other_runs(results.folder))

    def _show_runs(self, runs: tuple[RunSummary, ...]) -> None:
        before = self.runs.currentData()
        self.runs.blockSignals(True)
        self.runs.clear()
        for run in runs:
            self.runs.addItem(f"{local_time(run.begun_at)[:16]}, {plural(len(run.done), 'well')}", str(run.folder))
            self.runs.setItemData(self.runs.count() - 1, run.folder.name, Qt.ItemDataRole.ToolTipRole)
        self.runs.setCurrentIndex(max(0, self.runs.findData(before)))
        self.runs.blockSignals(False)
        self.runs.setEnabled(bool(runs))
        if runs:
            self._read()
        else:
            self._say(_ALONE)

    def _read(self) -> None:
        results, request, folder = self._results, self._request, self.runs.currentData()
        if results is not None and request is not None and folder:
            self._reading.start(lambda: _compare(results, Path(folder), request))

    def _show_compared(self, compared: _Compared) -> None:
        self._compared = compared
        moved = sum(1 for one in compared.changes if one.change and not math.isnan(one.change))
        lines = [
            f"<b>{compared.title}</b>: {moved} of {plural(len(compared.changes), 'well')} changed"
            if not compared.problem
            else f"<b>{compared.title}</b>: {compared.problem}",
            *compared.difference.lines,
        ]
        self.words.setText("<br>".join(lines))
        self.table.show_rows([(one.well, one.old, one.new, one.change, one.percent) for one in compared.changes])
        text = compared.difference.pipeline.splitlines()
        left = f"\n… and {len(text) - _MOST_LINES} more lines" if len(text) > _MOST_LINES else ""
        versions = "\n".join(map(str, compared.difference.versions))
        shown = "\n".join(text[:_MOST_LINES]) + left
        self.diff.setPlainText("\n\n".join(filter(None, (shown, versions))))
        self.show_diff.setEnabled(bool(text or versions))
        if not (text or versions):
            self.show_diff.setChecked(False)
        self._draw(compared)

    def _draw(self, compared: _Compared) -> None:
        both = [one for one in compared.changes if not math.isnan(one.change)]
        brushes = [pg.mkBrush(control_colour(compared.controls.get(one.well, ""), self.palette())) for one in both]
        self._points.setData(
            x=[one.old for one in both], y=[one.new for one in both], brush=brushes, data=[one.well for one in both]
        )
        unit = f" ({compared.unit})" if compared.unit else ""
        name_axis(self.plot, "bottom", f"before{unit}")
        name_axis(self.plot, "left", f"now{unit}")
        values = np.array([(one.old, one.new) for one in both] or [(0.0, 1.0)])
        self._diagonal.setData([values.min(), values.max()], [values.min(), values.max()])
        self._diagonal.setPen(pg.mkPen(control_colour("", self.palette()), style=Qt.PenStyle.DashLine))

    def _say(self, text: str) -> None:
        self._clear()
        self.words.setText(text)

    def _clear(self) -> None:
        self._compared = None
        self.words.setText("Choose a measurement above to compare it with another run.")
        self.table.show_rows([])
        self._points.clear()
        self.diff.clear()
        self.show_diff.setEnabled(False)

    def _on_activated(self, index: QModelIndex) -> None:
        number = self.table.number_of(index)
        if self._compared is not None and 0 <= number < len(self._compared.changes):
            self.well_wanted.emit(self._compared.changes[number].well)

    def _on_point(self, _: object, points: Sequence[pg.SpotItem], *__: object) -> None:
        if len(points):
            self.well_wanted.emit(str(points[0].data()))

    def _set_up(self) -> None:
        self.runs.setAccessibleName("Run to compare with")
        self.runs.setToolTip("The run to compare with")
        self.words.setWordWrap(True)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._points.setSize(9)
        self._points.setPen(pg.mkPen(None))
        self._points.sigClicked.connect(self._on_point)
        self._diagonal = self.plot.plot()
        self.plot.addItem(self._points)
        style_plot(self.plot, self.palette())
        self.diff.setReadOnly(True)
        self.diff.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.diff.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.diff.setAccessibleName("What changed in the pipeline and in versions")
        self.diff.hide()
        self.show_diff.setCheckable(True)
        self.show_diff.setToolTip("Show what changed in the pipeline and in versions")
        self.show_diff.toggled.connect(self.diff.setVisible)
        self.runs.currentIndexChanged.connect(lambda _: self._read())
        self.table.activated.connect(self._on_activated)
        self._clear()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(QLabel("With"))
        top.addWidget(self.runs, 1)
        top.addWidget(self.show_diff)
        split = QSplitter(Qt.Orientation.Vertical)
        for widget in (self.diff, self.table, self.plot):
            split.addWidget(widget)
        split.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 6, 0, 0)
        layout.addLayout(top)
        layout.addWidget(self.words)
        layout.addWidget(split, 1)


def _compare(results: "Results", other: Path, request: WellsRequest) -> _Compared:
    from openhcs_runtime.exceptions import OutputError  # noqa: PLC0415  one module with the rest
    from openhcs_runtime.tables.read import open_results  # noqa: PLC0415  heavy

    difference = run_difference(other, results.folder)
    new = measure_wells(results, request)
    try:
        old = measure_wells(open_results(other), request).values
    except OutputError as error:
        return _Compared(new.title, new.unit, (), new.controls, difference, f"not in the other run: {error}")
    return _Compared(new.title, new.unit, compare_wells(old, new.values), new.controls, difference)
