"""Chooses the measurement that colours the map: from a list that can be searched, with its statistic and scale."""

from collections.abc import Sequence

from PyQt6.QtCore import QEvent, QObject, Qt, QTimer, pyqtSignal as Signal
from PyQt6.QtGui import QDoubleValidator
from PyQt6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QToolButton, QVBoxLayout, QWidget
from superqt import QSearchableComboBox

from openhcs_gui_services.services.numbers.measures import MeasureChoice
from openhcs_gui_services.services.numbers.well_values import WellsRequest
from openhcs_gui_services.widgets.numbers.flow import flow, together
from openhcs_runtime.tables.schema import TableKind
from openhcs_runtime.tables.statistic import Statistic

__all__ = ["MeasureBar", "short_combo"]

_SETTLE_MS = 60


def short_combo(box: QComboBox, letters: int = 12) -> QComboBox:
    """Let a list become narrower than its longest entry, and let the wheel scroll the pane until the list has focus."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(letters)
    box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    box.installEventFilter(_WheelFilter(box))
    return box


class _WheelFilter(QObject):
    """Keeps the wheel from changing a list that only passes under the pointer."""

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if event is None or event.type() != QEvent.Type.Wheel:
            return False
        if isinstance(watched, QWidget) and watched.hasFocus():
            return False
        event.ignore()
        return True


class MeasureBar(QWidget):
    """A measurement, how a well gets one value of it, and the scale of its colours."""

    request_changed = Signal()
    """Another value of the wells is wanted; see :meth:`request`."""
    limits_changed = Signal()
    """The scale was set by hand, or back to automatic; see :meth:`limits`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._choices: tuple[MeasureChoice, ...] = ()
        self._measure = ""
        self.measure = short_combo(QSearchableComboBox(), 12)
        self.statistic, self.site = short_combo(QComboBox(), 4), short_combo(QComboBox(), 4)
        self.low, self.high, self.auto = QLineEdit(), QLineEdit(), QToolButton()
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(_SETTLE_MS)
        self._settled.timeout.connect(self.request_changed)
        self._set_up()
        self._lay_out()
        self._connect()

    def show_choices(self, choices: Sequence[MeasureChoice], sites: Sequence[int], wanted: str = "") -> None:
        """Offer these measurements and sites; the chosen ones are kept if they are among them.

        Args:
            choices: the measurements.
            sites: the sites.
            wanted: the name of the measurement to choose [default: the chosen one].
        """
        self._choices = tuple(choices)
        before, site = wanted or self._measure, self.site.currentText()
        for box in (self.measure, self.site):
            box.blockSignals(True)
            box.clear()
        self.measure.addItems([choice.name for choice in choices])
        for place, choice in enumerate(choices):
            self.measure.setItemData(place, f"{choice.name} ({choice.column})", Qt.ItemDataRole.ToolTipRole)
        self.measure.setCurrentIndex(max(0, self.measure.findText(before)))
        self.site.addItems(["all sites", *(f"site {number}" for number in sites)])
        self.site.setCurrentIndex(max(0, self.site.findText(site)))
        for box in (self.measure, self.site):
            box.blockSignals(False)
        self.site.setVisible(len(sites) > 1)
        self._measure = self.measure.currentText()
        self._update()

    def choose(self, name: str) -> bool:
        """Choose a measurement by its name in the list; returns whether it is there."""
        place = self.measure.findText(name)
        if place >= 0:
            self.measure.setCurrentIndex(place)
        return place >= 0

    def choice(self) -> MeasureChoice | None:
        """Return the chosen measurement; None if there is none."""
        return next((choice for choice in self._choices if choice.name == self._measure), None)

    def request(self, excluded: frozenset[str]) -> WellsRequest | None:
        """Return what is wanted of the wells; None if no measurement is chosen."""
        choice = self.choice()
        if choice is None:
            return None
        number = self.site.currentText().removeprefix("site ")
        is_single = number.isdecimal() and choice.kind is not TableKind.WELLS
        site = int(number) if is_single else None
        return WellsRequest(choice, Statistic(self.statistic.currentText()), site, excluded)

    def limits(self) -> tuple[float, float] | None:
        """Return the scale that was set by hand; None if it is automatic, or not two numbers in order."""
        low, high = (_number(field.text()) for field in (self.low, self.high))
        if self.auto.isChecked() or low is None or high is None or low >= high:
            return None
        return low, high

    def show_limits(self, low: float, high: float) -> None:
        """Show the automatic scale."""
        if self.auto.isChecked():
            self.low.setText(f"{low:.5g}")
            self.high.setText(f"{high:.5g}")

    def _on_measure(self) -> None:
        """React to a choice; text that is typed to search for one is not a choice."""
        name = self.measure.currentText()
        if name != self._measure and any(choice.name == name for choice in self._choices):
            self._measure = name
            self.auto.setChecked(True)
            self._update()
            self._settled.start()

    def _update(self) -> None:
        choice = self.choice()
        self.statistic.setEnabled(choice is not None and choice.has_statistic)
        self.site.setEnabled(choice is not None and choice.kind is not TableKind.WELLS)

    def _on_typed(self) -> None:
        if self.low.isModified() or self.high.isModified():
            self.low.setModified(False)
            self.high.setModified(False)
            self.auto.setChecked(False)
            self.limits_changed.emit()

    def _on_auto(self, is_auto: bool) -> None:
        if is_auto:
            self.limits_changed.emit()

    def _set_up(self) -> None:
        self.measure.setAccessibleName("Measurement")
        self.measure.setToolTip("The measurement that colours the map; type to search")
        self.statistic.setAccessibleName("Statistic")
        self.statistic.setToolTip("How the objects or images of a well become one value")
        self.statistic.addItems([each.value for each in (Statistic.MEDIAN, Statistic.MEAN, Statistic.SUM)])
        self.site.setAccessibleName("Site")
        self.site.setToolTip("Use all sites of a well, or a single one")
        self.site.hide()
        for field, name in ((self.low, "Lowest value of the scale"), (self.high, "Highest value of the scale")):
            field.setValidator(QDoubleValidator(self))
            field.setAccessibleName(name)
            field.setToolTip(f"{name}; Enter applies it")
            field.setMaximumWidth(field.fontMetrics().horizontalAdvance("-0.00000e+000"))
        self.auto.setText("Auto")
        self.auto.setCheckable(True)
        self.auto.setChecked(True)
        self.auto.setToolTip("Scale from percentile 2 to 98 of the wells")

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.measure, 3)
        top.addWidget(self.statistic, 1)
        top.addWidget(self.site, 1)
        scale = together((QLabel("Scale"), self.low, QLabel("to"), self.high, self.auto))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(top)
        layout.addLayout(flow(scale))

    def _connect(self) -> None:
        self.measure.currentTextChanged.connect(lambda _: self._on_measure())
        self.statistic.currentIndexChanged.connect(lambda _: self._settled.start())
        self.site.currentIndexChanged.connect(lambda _: self._settled.start())
        self.low.editingFinished.connect(self._on_typed)
        self.high.editingFinished.connect(self._on_typed)
        self.auto.toggled.connect(self._on_auto)


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None
