"""What the plate map makes of the chosen measurement: assay quality, hits and dose-response curves."""

import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg  # type: ignore[import-untyped]
from PyQt6.QtCore import QEvent, QModelIndex, Qt, pyqtSignal as Signal
from PyQt6.QtWidgets import QLabel, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.numbers.latest import LatestWork
from openhcs_gui_services.services.numbers.screen import ScreenNumbers, read_screen
from openhcs_gui_services.services.numbers.well_values import WellsRequest
from openhcs_gui_services.widgets.numbers.plot_style import SmallPlot, name_axis, series_colour, style_plot
from openhcs_gui_services.widgets.numbers.small_table import SmallTable
from zmqruntime.execution.text import plural

if TYPE_CHECKING:
    from openhcs_runtime.profiles.dose_response import DoseResponse
    from openhcs_runtime.profiles.hits import Hit
    from openhcs_runtime.profiles.quality import AssayQuality
    from openhcs_runtime.tables.read import Results

__all__ = ["ScreenTab"]

_NO_MAP = (
    "<b>No plate map</b><p>Controls, hits and dose responses need to know what is in the wells. Open the pane Layout, "
    "or put a file platemap.csv with a row for each well into the plate folder, and run the plate again. The columns "
    "compound, dose and control are understood.</p>"
)
_NOTHING = "Choose a measurement above to see controls, hits and dose responses."
_CURVE_POINTS = 200


class ScreenTab(QWidget):
    """Shows a screen for one measurement.

    Args:
        tasks: runs work in the background.
        parent: the parent widget.
    """

    well_wanted = Signal(str)
    """The first well of an activated hit."""
    message = Signal(str, bool)
    """A line for the status bar, and whether it is an error."""

    def __init__(self, tasks: BackgroundTasks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._results: Results | None = None
        self._request: WellsRequest | None = None
        self._is_stale = False
        self._hits: tuple[Hit, ...] = ()
        self._responses: tuple[DoseResponse, ...] = ()
        self._unit = ""
        self._reading: LatestWork[ScreenNumbers] = LatestWork(
            tasks, "Comparing the wells", self.show_screen, lambda text: self._show_text(text)
        )
        refuse = lambda text: self.message.emit(text, True)  # noqa: E731
        self.words, self.empty, self.curve_words = QLabel(), QLabel(_NOTHING), QLabel()
        self.hits = SmallTable(("Compound", "Dose", "Robust z", "Agree", "Wells"), "Hits", refuse)
        self.curves = SmallTable(("Compound", "EC50", "95 % interval", "Hill", "Outcome"), "Dose responses", refuse)
        self.plot = SmallPlot()
        self._pages = QStackedWidget()
        self._lay_out()
        self.hits.activated.connect(self._on_hit)
        selection = self.curves.selectionModel()
        assert selection is not None
        selection.currentRowChanged.connect(lambda index, _: self._draw_curve(self.curves.number_of(index)))

    def show_measure(self, results: "Results | None", request: WellsRequest | None) -> None:
        """Show what is said of a measurement; it is computed once the tab is looked at."""
        self._results, self._request, self._is_stale = results, request, True
        self._reading.drop()
        if results is None or request is None:
            self._show_text(_NOTHING)
        elif self.isVisible():
            self._read()

    @property
    def is_busy(self) -> bool:
        """Whether the screen is being computed."""
        return self._reading.is_busy

    def showEvent(self, event: object) -> None:
        """Compute what is shown when it is looked at."""
        super().showEvent(event)  # type: ignore[arg-type]
        if self._is_stale:
            self._read()

    def changeEvent(self, event: QEvent | None) -> None:
        """Use the colours of the new palette."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.PaletteChange:
            style_plot(self.plot, self.palette())
            self._draw_curve(self.curves.number_of(self.curves.currentIndex()))

    def show_screen(self, screen: ScreenNumbers) -> None:
        """Show what was computed."""
        if not screen.has_map:
            self._show_text(_NO_MAP)
            return
        self._hits, self._responses, self._unit = screen.hits, screen.responses, screen.unit
        self.words.setText("<br>".join(_words(screen)))
        self.hits.show_rows([_hit_row(hit) for hit in screen.hits])
        self.hits.setVisible(bool(screen.hits))
        self.curves.show_rows([_curve_row(response) for response in screen.responses])
        self.curve_words.setText("<b>Dose responses</b>" + (f": {screen.no_responses}" if screen.no_responses else ""))
        for widget in (self.curves, self.plot):
            widget.setVisible(bool(screen.responses))
        name_axis(self.plot, "left", f"{screen.title} ({screen.unit})" if screen.unit else screen.title)
        if screen.responses:
            self.curves.setCurrentCell(0, 0)
        self._pages.setCurrentIndex(1)

    def _read(self) -> None:
        results, request = self._results, self._request
        self._is_stale = False
        if results is not None and request is not None:
            self._reading.start(lambda: read_screen(results, request))

    def _show_text(self, text: str) -> None:
        self.empty.setText(text)
        self._pages.setCurrentIndex(0)

    def _on_hit(self, index: QModelIndex) -> None:
        number = self.hits.number_of(index)
        if 0 <= number < len(self._hits):
            self.well_wanted.emit(self._hits[number].wells[0])

    def _draw_curve(self, number: int) -> None:
        """Draw points, curve and EC50 with its interval of a compound."""
        self.plot.clear()
        if not 0 <= number < len(self._responses):
            return
        response = self._responses[number]
        colour = series_colour(0, self.palette())
        has_dose = response.doses > 0
        places = np.log10(response.doses[has_dose])
        self.plot.plot(places, response.values[has_dose], pen=None, symbol="o", symbolSize=8, symbolBrush=colour)
        curve = response.curve
        if math.isfinite(curve.ec50):
            doses = np.linspace(places.min(), places.max(), _CURVE_POINTS)
            self.plot.plot(doses, curve.at(10**doses), pen=pg.mkPen(colour, width=2))
            self._draw_ec50(curve.ec50, curve.ec50_low, curve.ec50_high)
        name_axis(
            self.plot, "bottom", f"dose of {response.compound}" + (f" ({response.unit})" if response.unit else "")
        )

    def _draw_ec50(self, ec50: float, low: float, high: float) -> None:
        line = series_colour(1, self.palette())
        if math.isfinite(low) and math.isfinite(high) and low > 0:
            area = pg.LinearRegionItem((math.log10(low), math.log10(high)), movable=False, pen=pg.mkPen(None))
            area.setBrush(pg.mkBrush(line.red(), line.green(), line.blue(), 40))
            self.plot.addItem(area)
        self.plot.addItem(pg.InfiniteLine(math.log10(ec50), pen=pg.mkPen(line, style=Qt.PenStyle.DashLine)))

    def _lay_out(self) -> None:
        for label in (self.words, self.empty, self.curve_words):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.plot.getAxis("bottom").setLogMode(True)
        style_plot(self.plot, self.palette())
        top, below = QWidget(), QWidget()
        parts: tuple[tuple[QWidget, tuple[tuple[QWidget, int], ...]], ...] = (
            (top, ((self.hits, 1),)),
            (below, ((self.curve_words, 0), (self.curves, 1), (self.plot, 2))),
        )
        for part, widgets in parts:
            layout = QVBoxLayout(part)
            layout.setContentsMargins(0, 0, 0, 0)
            for widget, stretch in widgets:
                layout.addWidget(widget, stretch)
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(top)
        split.addWidget(below)
        split.setChildrenCollapsible(False)
        split.setStretchFactor(1, 2)
        self._pages.addWidget(self.empty)
        content = QWidget()
        inner = QVBoxLayout(content)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(self.words)
        inner.addWidget(split, 1)
        self._pages.addWidget(content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 6, 0, 0)
        layout.addWidget(self._pages)


def _words(screen: ScreenNumbers) -> Sequence[str]:
    head = [f"<b>{screen.title}</b>", *screen.roles]
    if screen.excluded:
        verb = "is" if len(screen.excluded) == 1 else "are"
        head.append(f"{plural(len(screen.excluded), 'well')} {verb} excluded: {', '.join(sorted(screen.excluded))}")
    quality = screen.quality
    head.append(_quality(quality) if quality is not None else f"Z': {screen.no_quality}")
    if screen.no_hits:
        return (*head, f"<b>Hits</b>: {screen.no_hits}")
    found = plural(len(screen.hits), "hit")
    because = f" ({html.escape(screen.compared_because)})" if screen.compared_because else ""
    return (*head, f"<b>{found}</b>, 3 or more robust standard deviations from {screen.compared_with}{because}")


def _quality(quality: "AssayQuality") -> str:
    numbers = (quality.z_prime, quality.robust_z_prime, quality.ssmd, quality.signal_to_background)
    z, robust, ssmd, ratio = ("-" if math.isnan(number) else f"{number:.3g}" for number in numbers)
    return f"<b>Z' {z}</b> (robust {robust}), SSMD {ssmd}, signal to background {ratio}"


def _hit_row(hit: "Hit") -> tuple[str | float | None, ...]:
    of = {role.value: value for role, value in hit.of.items()}
    dose, unit = of.get("dose"), of.get("dose_unit") or ""
    text = "" if dose is None else f"{dose:g} {unit}".rstrip() if isinstance(dose, int | float) else str(dose)
    compound = of.get("compound")
    return (
        "" if compound is None else str(compound),
        text,
        hit.value,
        f"{hit.agreeing} of {len(hit.wells)}",
        " ".join(hit.wells),
    )


def _curve_row(response: "DoseResponse") -> tuple[str | float | None, ...]:
    curve = response.curve
    name = str(response.compound) + ("" if response.cell_line is None else f" in {response.cell_line}")
    if not math.isfinite(curve.ec50):
        return name, "-", "-", "-", response.said
    interval = f"{curve.ec50_low:.3g} to {curve.ec50_high:.3g}"
    return name, f"{curve.ec50:.3g} {response.unit}".rstrip(), interval, float(f"{curve.hill:.3g}"), response.said
