"""The head of the numbers pane: which run it is, what it has found, its failed and excluded wells, where steps ran."""

import html
from collections.abc import Sequence

from PyQt6.QtCore import QEvent, Qt, pyqtSignal as Signal
from PyQt6.QtGui import QFontMetrics, QResizeEvent
from PyQt6.QtWidgets import QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from openhcs_gui_services.services.numbers.run_numbers import FailedWell, RunNumbers
from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.widgets.common.buttons import push_button
from openhcs_gui_services.widgets.common.colours import faint_text, tone_colour
from openhcs_gui_services.widgets.common.elided_label import ElidedLabel
from openhcs_gui_services.widgets.common.text import plain_tooltip
from openhcs_gui_services.widgets.numbers.flow import flow
from openhcs_gui_services.widgets.numbers.small_table import SmallTable
from zmqruntime.execution.text import plural

__all__ = ["RunHeader"]

_NAMED = 3
"""Wells that are named before "and 12 more"."""
_SHORTEST = 8
"""Letters of the text of a well below which its name is left out, too."""
_MORE = "more:"


class RunHeader(QWidget):
    """Says which run it is and what it has found. Names of wells are links.

    Every run takes the same four lines, so that nothing below moves when another run is shown or wells are excluded;
    only the list of all wells, when it is asked for, takes more.
    """

    well_wanted = Signal(str)
    """The well of a link that was activated."""
    exclude_wanted = Signal()
    """The list of excluded wells is to be shown."""
    report_wanted = Signal()
    """The report of the run is to be written and opened."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._numbers: RunNumbers | None = None
        self._name = ""
        self._shows_all = False
        self.run, self.counted, self.words = ElidedLabel(), ElidedLabel(), _WellsLabel()
        bold = self.counted.font()
        bold.setBold(True)
        self.counted.setFont(bold)
        self.words.resized.connect(self._write)
        self.words.setTextFormat(Qt.TextFormat.RichText)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self.words.setAccessibleName("Failed and excluded wells")
        self.words.linkActivated.connect(self._on_link)
        self.steps = SmallTable(("Step", "Time", "Where", "Memory"), "Where the steps ran")
        self.steps.setSortingEnabled(False)
        self.steps.hide()
        self.where = QPushButton("&Where it ran")
        self.where.setCheckable(True)
        self.where.setToolTip("Show device, time and memory of each step")
        self.where.toggled.connect(self._show_steps)
        self._lay_out()

    def show_numbers(self, numbers: RunNumbers, name: str) -> None:
        """Show a run of the plate with this name."""
        self._numbers, self._name, self._shows_all = numbers, name, False
        self.steps.show_rows(
            [(one.step, one.seconds, one.device, one.memory or "not measured") for one in numbers.steps]
        )
        self.steps.setSortingEnabled(False)
        self.where.setEnabled(bool(numbers.steps))
        self._show_steps(self.where.isChecked())
        self._write()

    def changeEvent(self, event: QEvent | None) -> None:
        """Use the colours of the new palette."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.PaletteChange:
            self._write()

    def _write(self) -> None:
        known = self._numbers
        if known is None:
            return
        self.run.show_text(f"{self._name}: {known.ending}")
        self.run.setToolTip(plain_tooltip(f"{self._name}: {known.ending}\n{known.run.folder}"))
        self.counted.show_text(known.counted)
        bad = tone_colour(Tone.BAD, self.palette()).name()
        failed = [(one.well, _reason(one)) for one in known.failed]
        excluded = [(one.well, f"({one.note})" if one.note else "") for one in known.exclusions.wells]
        self.words.setWordWrap(self._shows_all)
        self.words.setText(
            "<br>".join((self._line(failed, "failed", bad), self._line(excluded, "excluded", "")))  # always two lines
        )

    def _line(self, wells: Sequence[tuple[str, str]], word: str, colour: str) -> str:
        """Return a line that names as many wells as fit."""
        if not wells:
            return f'<span style="color:{faint_text(self.palette()).name()}">No wells {word}</span>'
        head = f"{plural(len(wells), 'well')} {word}"
        shown = wells if self._shows_all else self._fitting(head, wells)
        link = self.palette().link().color().name()
        named = ", ".join(f"{_link(well, link)} {html.escape(text)}".rstrip() for well, text in shown)
        left = len(wells) - len(shown)
        more = f'<a style="color:{link}" href="{_MORE}">{left} more</a>' if left else ""
        style = f' style="color:{colour}"' if colour else ""
        return f"<span{style}><b>{head}</b></span>: {' and '.join(filter(None, (named, more)))}"

    def _fitting(self, head: str, wells: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
        """Return the first wells that fit into the line, the text of a single one elided; none if there is no room."""
        bold = QFontMetrics(self.counted.font())
        room = self.words.width() - bold.horizontalAdvance(f"{head}: ") - 4
        for number in range(min(_NAMED, len(wells)), 0, -1):
            shown, more = wells[:number], f" and {len(wells) - number} more" if number < len(wells) else ""
            plain = ", ".join(f"{well} {text}".rstrip() for well, text in shown) + more
            if self.fontMetrics().horizontalAdvance(plain) <= room:
                return shown
        well, text = wells[0]
        taken = self.fontMetrics().horizontalAdvance(f"{well} {more if len(wells) > 1 else ''}")
        if room - taken < self.fontMetrics().horizontalAdvance(f"{text[:_SHORTEST]}…"):
            return ()
        return [(well, self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room - taken))]

    def _on_link(self, target: str) -> None:
        if target == _MORE:
            self._shows_all = True
            self._write()
        else:
            self.well_wanted.emit(target)

    def _show_steps(self, is_shown: bool) -> None:
        self.steps.setVisible(is_shown)
        rows = min(self.steps.rowCount(), 6)
        height = sum(self.steps.rowHeight(row) for row in range(rows))
        header = self.steps.horizontalHeader()
        assert header is not None
        self.steps.setFixedHeight(height + header.sizeHint().height() + 2 * self.steps.frameWidth() + 14)

    def _lay_out(self) -> None:
        exclude = push_button(
            "E&xclude wells…", "Leave wells out of all numbers, with a note", self.exclude_wanted.emit
        )
        report = push_button("&Report", "Write the report of this run and open it", self.report_wanted.emit)
        buttons = flow(self.where, exclude, report)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for widget in (self.run, self.counted, self.words):
            layout.addWidget(widget)
        layout.addSpacing(2)
        layout.addLayout(buttons)
        layout.addWidget(self.steps)


class _WellsLabel(QLabel):
    """A label that says when its width has changed, and is as narrow as it has to be."""

    resized = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Say that the width has changed."""
        super().resizeEvent(event)
        if event is not None and event.size().width() != event.oldSize().width():
            self.resized.emit()


def _link(well: str, colour: str) -> str:
    return f'<a style="color:{colour}" href="{html.escape(well)}">{html.escape(well)}</a>'


def _reason(failed: FailedWell) -> str:
    text = failed.reason if len(failed.reason) <= 90 else failed.reason[:89] + "…"
    return f"{text} ({failed.step})" if failed.step else text
