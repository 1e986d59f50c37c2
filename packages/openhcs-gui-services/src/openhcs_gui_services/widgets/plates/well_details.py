"""The details of one well: its steps and counts, its error, and buttons for its actions."""

import html
from collections.abc import Mapping, Sequence

from PyQt6.QtCore import Qt, pyqtSignal as Signal
from PyQt6.QtGui import QFontDatabase, QResizeEvent
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QHeaderView,
    QPushButton,
    QSizePolicy,
    QTextEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from openhcs_gui_services.services.plates.well_numbers import WellNumbers
from openhcs_gui_services.widgets.common.buttons import push_button
from openhcs_gui_services.widgets.common.colours import faint_text, well_colour
from openhcs_gui_services.widgets.common.elided_label import ElidedLabel
from openhcs_gui_services.widgets.common.text import plain_tooltip
from openhcs_gui_services.widgets.plates.well_texts import StepLine, selection_text, state_word, step_rows
from zmqruntime.execution import AxisProgress, AxisState

__all__ = ["WellDetails"]

_HINT = "Click a well to see its steps."
_NO_STEPS = "Not processed yet"
_SPACING = 6


class WellDetails(QWidget):
    """Shows one well at a time. Title and buttons stay where they are, whatever is shown between them."""

    cancel_wanted = Signal(str)
    """``axis_id`` of the displayed well, to cancel it."""
    images_wanted = Signal(str)
    """``axis_id`` of the displayed well, to show its images."""
    log_wanted = Signal(str)
    """``axis_id`` of the displayed well, to show its log."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._axis_id = ""
        self._well: AxisProgress | None = None
        self._names: Mapping[int, str] = {}
        self._numbers: WellNumbers | None = None
        self._selected = 0
        self._rows: list[StepLine] = []
        self._shown_error = ""
        self._title, self._note = ElidedLabel(_HINT, Qt.TextElideMode.ElideRight), ElidedLabel()
        self._steps = QTreeWidget()
        self._error = QTextEdit()
        self._cancel = push_button(
            "Cancel well",
            "Cancel this well; the others continue (Delete)",
            lambda: self.cancel_wanted.emit(self._axis_id),
        )
        self._images = push_button(
            "Show images", "Open the images of this well in the viewer", lambda: self.images_wanted.emit(self._axis_id)
        )
        self._log = push_button("Show log", "Show the log of this well", lambda: self.log_wanted.emit(self._axis_id))
        self._buttons = QGridLayout()
        self._columns = 0
        self._lay_out()
        self.show_well(None, {}, has_output=False, has_log=False)

    def allow_cancel(self, is_allowed: bool) -> None:
        """Offer to cancel the shown well only if its plate is being worked on; call it after :meth:`show_well`."""
        self._cancel.setEnabled(self._cancel.isEnabled() and is_allowed)

    def show_well(
        self,
        well: AxisProgress | None,
        names: Mapping[int, str],
        *,
        has_output: bool,
        has_log: bool,
        can_cancel: bool = True,
    ) -> None:
        """Show a well.

        Args:
            well: the well; None shows a hint.
            names: known step names by index, from 0.
            has_output: whether its plate has results.
            has_log: whether its plate has an execution or a log on disk.
            can_cancel: whether its plate is being worked on.
        """
        axis_id = "" if well is None else well.axis_id
        if axis_id != self._axis_id:
            self._axis_id, self._numbers = axis_id, None
            self.show_note("")
        self._well, self._names = well, names
        self._show_title()
        self._show_rows()
        self._show_error("" if well is None else well.error)
        can_stop = well is not None and not well.state.has_ended
        self._cancel.setEnabled(can_stop and has_log and can_cancel)
        self._images.setEnabled(well is not None and has_output)
        self._log.setEnabled(well is not None and has_log)

    def show_numbers(self, axis_id: str, numbers: WellNumbers | None) -> None:
        """Show counts and costs of a well; those of another well than the shown one are ignored."""
        if axis_id == self._axis_id:
            self._numbers = numbers
            self._show_rows()

    def show_note(self, text: str) -> None:
        """Show what is in the well, such as ``compound aspirin, dose_um 3``, below the title."""
        self._note.show_text(text)

    def show_selected(self, count: int) -> None:
        """Say how many wells are selected, if there are several."""
        self._selected = count
        self._show_title()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Put the buttons below each other if they do not fit side by side."""
        super().resizeEvent(event)
        self._arrange_buttons()

    # --- parts ---------------------------------------------------------------------------------------------------

    def _show_title(self) -> None:
        well = self._well
        said = _HINT if well is None else f"Well {well.axis_id}: {state_word(well.state)}"
        more = selection_text(self._selected)
        font = self._title.font()
        font.setBold(well is not None)
        self._title.setFont(font)
        self._title.show_text(f"{said} ({more})" if more and well is not None else said)

    def _show_rows(self) -> None:
        rows = [] if self._well is None else _rows(self._well, self._names, self._numbers)
        if rows != self._rows:
            self._rows = rows
            self._steps.clear()
            self._steps.addTopLevelItems([self._item(row) for row in rows])

    def _item(self, row: StepLine) -> QTreeWidgetItem:
        item = QTreeWidgetItem([row.title, row.text])
        item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        item.setToolTip(0, plain_tooltip(row.title))
        item.setToolTip(1, plain_tooltip(row.detail or row.text))
        if row.is_heading:
            item.setForeground(0, faint_text(self.palette()))
            item.setFlags(Qt.ItemFlag.ItemIsEnabled)
        elif row.state is AxisState.WAITING:
            item.setForeground(0, faint_text(self.palette()))
        elif row.state is AxisState.FAILED:
            item.setForeground(1, well_colour(AxisState.FAILED, self.palette()))
        return item

    def _show_error(self, error: str) -> None:
        self._error.setVisible(bool(error))
        if error != self._shown_error:
            self._shown_error = error
            reason, _, rest = error.strip().partition("\n")
            family = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).family()
            more = f"<pre style='white-space:pre-wrap;font-family:{family}'>{html.escape(rest)}</pre>" if rest else ""
            self._error.setHtml(f"<b>{html.escape(reason)}</b>{more}")

    def _lay_out(self) -> None:
        self._prepare_steps()
        self._error.setReadOnly(True)
        self._error.setAccessibleName("Error of the well")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 4, 4)
        layout.addWidget(self._title)
        layout.addWidget(self._note)
        layout.addWidget(self._steps, 3)
        layout.addWidget(self._error, 2)
        self._buttons.setSpacing(_SPACING)
        for button in (self._cancel, self._images, self._log):
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)  # see _arrange_buttons
        layout.addLayout(self._buttons)
        self._arrange_buttons()

    def _prepare_steps(self) -> None:
        steps = self._steps
        steps.setAccessibleName("Steps and counts of the well")
        steps.setColumnCount(2)
        steps.setHeaderHidden(True)
        steps.setRootIsDecorated(False)
        steps.setAlternatingRowColors(True)
        steps.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        steps.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        steps.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = steps.header()
        assert header is not None
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)

    def _arrange_buttons(self) -> None:
        buttons: Sequence[QPushButton] = (self._cancel, self._images, self._log)
        margins = self.contentsMargins()
        needed = sum(button.sizeHint().width() + _SPACING for button in buttons) + margins.left() + margins.right() + 12
        columns = len(buttons) if self.width() >= needed else 1
        if columns != self._columns:
            self._columns = columns
            for number, button in enumerate(buttons):
                self._buttons.addWidget(button, number // columns, number % columns)


def _rows(well: AxisProgress, names: Mapping[int, str], numbers: WellNumbers | None) -> list[StepLine]:
    """Return the lines of a well: its steps with what they have cost, then its counts."""
    costs = () if numbers is None else numbers.steps
    rows = step_rows(well, names, costs)
    if not rows and well.state is AxisState.WAITING:
        rows = [StepLine(_NO_STEPS, is_heading=True)]
    if numbers is not None and numbers.counts:
        rows.append(StepLine("Counts", is_heading=True))
        rows += [
            StepLine(title, f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}"))
            for title, count in numbers.counts.items()
        ]
    if numbers is not None and numbers.problem:
        rows.append(StepLine("Results can't be read", detail=numbers.problem, state=AxisState.FAILED))
    return rows
