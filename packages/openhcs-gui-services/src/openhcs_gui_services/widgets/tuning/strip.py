"""The strip below the images: a switch, the counts after and before an edit, and what went wrong."""

import enum

from PyQt6.QtCore import QElapsedTimer, Qt, pyqtSignal
from PyQt6.QtGui import QAction, QKeySequence, QPalette, QResizeEvent, QShowEvent
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.services.tuning.presenter import (
    EARLIER,
    counts_text,
    image_choices,
    notes_text,
    place_text,
    problem_text,
    seconds_text,
    steps_text,
)
from openhcs_gui_services.services.tuning.values import TuningResult
from openhcs_gui_services.widgets.common.colours import faint_text, tone_colour
from openhcs_gui_services.widgets.common.text import plain_tooltip
from openhcs_gui_services.widgets.tuning.details import DetailsDialog

__all__ = ["Compare", "TuningStrip"]

_HOLD_MS = 350
_SIGNS = {Tone.BAD: "\u26a0 ", Tone.NEUTRAL: "\u2139 "}
_LAST_STEP = -1


class Compare(enum.StrEnum):
    """Which outlines are shown."""

    AFTER = "After"
    BEFORE = "Before"
    BOTH = "Both"


_TIPS = {
    Compare.BEFORE: "Outlines of the pipeline before the edits; hold the button for a short look (Ctrl+Shift+T)",
    Compare.BOTH: "Both outlines, each set in a colour of its own",
}


class TuningStrip(QWidget):
    """Shows results; decides nothing about what is computed."""

    switched = pyqtSignal(bool)
    """Live tuning was switched on or off."""
    image_chosen = pyqtSignal(object)
    """The number of the step whose image is wanted, or None for the last one."""
    compare_changed = pyqtSignal(object)
    """Other outlines are wanted, see :attr:`wanted`: a :class:`Compare`."""
    shown = pyqtSignal()
    """The strip became visible, such as with its pane."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._switch = QCheckBox("Preview")
        self._image = QComboBox()
        self._hint = QElidingLabel("Shows at once what an edit of the pipeline changes here")
        self._counts = QElidingLabel()
        self._pinned = QElidingLabel()
        self._time = QLabel()
        self._message = _MessageButton()
        self._compare_buttons = {compare: _toggle(compare.value, tip) for compare, tip in _TIPS.items()}
        self._layout_button = QToolButton()
        self._layout_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._layout_button.setToolTip("Show images and pipeline next to each other, or as tabs (Ctrl+Alt+T)")
        self._layout_button.hide()
        self._rows = QWidget()
        self._result: TuningResult | None = None
        self._earlier: TuningResult | None = None
        """The result before an edit, while that of the edit is not there yet."""
        self._held = QElapsedTimer()
        self._is_held = False
        self._compare = Compare.AFTER
        self._lay_out()
        self._connect()
        self._show_switch(False)

    # --- state ---------------------------------------------------------------------------------------------------

    @property
    def is_on(self) -> bool:
        """Whether live tuning is on."""
        return self._switch.isChecked()

    def set_on(self, is_on: bool) -> None:
        """Switch live tuning on or off, as a click does."""
        self._switch.setChecked(is_on)

    @property
    def wanted(self) -> Compare:
        """Which outlines are wanted now."""
        return Compare.BEFORE if self._is_held else self._compare

    @property
    def message(self) -> str:
        """The line below the counts; empty if there is none."""
        return self._message.full_text

    @property
    def message_button(self) -> QPushButton:
        """The line below the counts, which opens the details."""
        return self._message

    @property
    def layout_button(self) -> QToolButton:
        """Shows images and pipeline side by side, or as tabs."""
        return self._layout_button

    def offer_layout(self, text: str, *, is_on: bool) -> None:
        """Offer to change how images and pipeline lie, while the preview is on."""
        self._layout_button.setText(text)
        self._layout_button.setAccessibleName(f"Images and pipeline {text[:1].lower()}{text[1:]}")
        self._layout_button.setVisible(is_on and self.is_on)

    @property
    def before_button(self) -> QToolButton:
        """Shows the outlines of before while it is held, or with a click."""
        return self._compare_buttons[Compare.BEFORE]

    @property
    def both_button(self) -> QToolButton:
        """Shows both outlines."""
        return self._compare_buttons[Compare.BOTH]

    @property
    def counts(self) -> str:
        """The counts of the shown place."""
        return self._counts.text()

    @property
    def are_counts_current(self) -> bool:
        """Whether the counts are those of the pipeline and the place that are shown."""
        return self._result is not None

    @property
    def pinned_counts(self) -> str:
        """The counts of the pinned place; empty without one."""
        return self._pinned.text() if self._pinned.isVisibleTo(self) else ""

    def showEvent(self, event: QShowEvent | None) -> None:
        """Tell that the strip can be seen."""
        super().showEvent(event)
        self.shown.emit()

    # --- results -------------------------------------------------------------------------------------------------

    def show_waiting(self, text: str) -> None:
        """Show what is missing for a result, such as a pipeline, and remove the one that is shown."""
        self._result = None
        self._counts.setText("")
        self._time.setText("")
        self._enable_compare(False)
        self.show_pinned(None)
        self._say(text, Tone.NEUTRAL)

    def show_asked(self, earlier: TuningResult | None) -> None:
        """Show that a result was asked for, and nothing of another place or pipeline.

        Args:
            earlier: the result of the same place before the edit, which stays and is greyed; None to show none.
        """
        self._result = None
        self._show_counts("\u2026" if earlier is None else counts_text(earlier), is_current=False)
        self._time.setText("")
        self._enable_compare(False)
        self._say("", Tone.NEUTRAL)
        self._earlier = earlier

    def show_computing(self) -> None:
        """Show that a result takes a while, and what the counts that stay are of."""
        self._time.setText("Computing\u2026")
        if self._earlier is not None and self._result is None:
            self._show_counts(f"{counts_text(self._earlier)} {EARLIER}".strip(), is_current=False)

    def show_result(self, result: TuningResult) -> None:
        """Show the result of the shown place."""
        self._result, self._earlier = result, None
        self._show_counts(counts_text(result) or ("" if result.problem else "No objects"), is_current=True)
        self._time.setText(seconds_text(result.seconds))
        self._time.setToolTip(plain_tooltip(steps_text(result)).replace("\n", "<br>"))
        self._enable_compare(result.before is not None)
        self._show_choices(result)
        problem = problem_text(result)
        self._say(problem or notes_text(result), Tone.BAD if problem else Tone.NEUTRAL)

    def show_pinned(self, result: TuningResult | None) -> None:
        """Show the result of the pinned place, or that none is pinned."""
        self._pinned.setVisible(result is not None)
        if result is None:
            return
        self._pinned.setText(
            f"Pinned {place_text(result)}: {counts_text(result) or problem_text(result) or 'no objects'}"
        )
        self._pinned.setToolTip(plain_tooltip(self._pinned.text()))

    # --- parts ---------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        first, second = QHBoxLayout(), QHBoxLayout()
        first.addWidget(self._switch)
        first.addWidget(self._image, 1)
        first.addWidget(self._hint, 1)
        for button in (*self._compare_buttons.values(), self._layout_button):
            first.addWidget(button)
        second.addWidget(self._counts, 1)
        second.addWidget(self._time)
        rows = QVBoxLayout(self._rows)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(4)
        rows.addLayout(second)
        rows.addWidget(self._pinned)
        rows.addWidget(self._message)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 4)
        layout.setSpacing(4)
        layout.addLayout(first)
        layout.addWidget(self._rows)
        self._style()

    def _style(self) -> None:
        self._counts.setAccessibleName("Counts")
        self._pinned.setAccessibleName("Counts of the pinned place")
        self._time.setAccessibleName("Duration of the preview")
        self._pinned.hide()
        self._image.setAccessibleName("Image of the preview")
        self._image.setToolTip("Which image can be shown instead of that of the plate: before or after a step")
        self._image.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._image.addItem("After the last step", _LAST_STEP)
        for label in (self._hint, self._counts, self._pinned):
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            label.setElideMode(Qt.TextElideMode.ElideRight)
        palette = self._hint.palette()
        palette.setColor(QPalette.ColorRole.WindowText, faint_text(palette))
        for widget in (self._hint, self._time):
            widget.setPalette(palette)
        self._switch.setToolTip("Try each edit of the pipeline on this image (Ctrl+T)")
        self._enable_compare(False)

    def _connect(self) -> None:
        self._switch.toggled.connect(self._show_switch)
        self._switch.toggled.connect(self.switched)
        self._image.activated.connect(self._on_image)
        self._message.clicked.connect(self._show_details)
        both = self._compare_buttons[Compare.BOTH]
        both.clicked.connect(lambda is_on: self._on_compare(Compare.BOTH if is_on else Compare.AFTER))
        before = self._compare_buttons[Compare.BEFORE]
        before.pressed.connect(self._on_pressed)
        before.released.connect(self._on_released)
        keys = (
            ("Ctrl+T", "Preview", self._switch.toggle),
            ("Ctrl+Shift+T", "Before or after", self._toggle_before),
        )
        for key, name, call in keys:
            action = QAction(name, self)
            action.setShortcut(QKeySequence(key))
            action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
            action.triggered.connect(lambda _=False, call=call: call())
            self.addAction(action)

    def _show_switch(self, is_on: bool) -> None:
        self._rows.setVisible(is_on)
        self._image.setVisible(is_on)
        self._hint.setVisible(not is_on)
        for button in self._compare_buttons.values():
            button.setVisible(is_on)

    def _on_image(self, row: int) -> None:
        number = self._image.itemData(row)
        self.image_chosen.emit(None if number == _LAST_STEP else number)

    def _show_choices(self, result: TuningResult) -> None:
        """Offer an image for each step; the chosen one stays chosen."""
        wanted = [("After the last step", _LAST_STEP), *((title, number) for number, title in image_choices(result))]
        shown = [(self._image.itemText(row), self._image.itemData(row)) for row in range(self._image.count())]
        if not result.after.steps or shown == wanted:
            return
        chosen = self._image.currentData()
        self._image.clear()
        for title, number in wanted:
            self._image.addItem(title, number)
        self._image.setCurrentIndex(max(0, self._image.findData(chosen)))

    # --- before and after ----------------------------------------------------------------------------------------

    def _enable_compare(self, can: bool) -> None:
        for button in self._compare_buttons.values():
            button.setEnabled(can)

    def _on_pressed(self) -> None:
        """Show the outlines of before as long as the button is held."""
        self._held.start()
        self._is_held = True
        self.compare_changed.emit(Compare.BEFORE)

    def _on_released(self) -> None:
        """Switch to the outlines of before and back with clicks; after a longer look, leave it as it was."""
        was_held = self._held.elapsed() > _HOLD_MS
        other = Compare.AFTER if self._compare is Compare.BEFORE else Compare.BEFORE
        self._is_held = False
        self._on_compare(self._compare if was_held else other)

    def _on_compare(self, compare: Compare) -> None:
        self._compare = compare
        for each, button in self._compare_buttons.items():
            button.setChecked(each is compare)
        self.compare_changed.emit(compare)

    def _toggle_before(self) -> None:
        wanted = Compare.AFTER if self._compare is Compare.BEFORE else Compare.BEFORE
        if self._compare_buttons[Compare.BEFORE].isEnabled():
            self._on_compare(wanted)

    # --- messages ------------------------------------------------------------------------------------------------

    def _show_counts(self, text: str, *, is_current: bool) -> None:
        """Show counts in bold, or faintly if they are not those of what is shown now."""
        font, palette = self._counts.font(), QPalette(self.palette())
        font.setBold(is_current)
        if not is_current:
            palette.setColor(QPalette.ColorRole.WindowText, faint_text(palette))
        self._counts.setFont(font)
        self._counts.setPalette(palette)
        self._counts.setText(text)
        self._counts.setToolTip(plain_tooltip(text))

    def _say(self, text: str, tone: Tone) -> None:
        self._message.show_text(text, tone)

    def _show_details(self) -> None:
        if self._result is not None:
            DetailsDialog(self._result, self).open()


class _MessageButton(QPushButton):
    """A line of text that is cut off at its end and can be clicked for the whole of it."""

    def __init__(self) -> None:
        super().__init__()
        self.full_text = ""
        self._sign = ""
        self.setFlat(True)
        self.setStyleSheet("text-align: left")
        self.setAutoDefault(False)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def show_text(self, text: str, tone: Tone) -> None:
        """Show the first line of a text, in a tone."""
        self.full_text, self._sign = text, _SIGNS[tone] if text else ""
        self.setEnabled(bool(text))
        self.setAccessibleName(text)
        self.setToolTip(plain_tooltip(text))
        parent = self.parentWidget()
        palette = QPalette() if parent is None else parent.palette()
        if tone is Tone.BAD:
            palette.setColor(QPalette.ColorRole.ButtonText, tone_colour(tone, palette))
        self.setPalette(palette)
        self._fit()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Cut the text off at the new width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        line = self._sign + self.full_text.partition("\n")[0]
        self.setText(self.fontMetrics().elidedText(line, Qt.TextElideMode.ElideRight, self.width() - 12))


def _toggle(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setCheckable(True)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.setToolTip(tip)
    button.setAccessibleName(text)
    return button
