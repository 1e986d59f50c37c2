"""The head of the numbers pane: what a run has found in words, its failed and excluded wells, where its steps ran."""

import html
from collections.abc import Iterable

from PyQt6.QtCore import QEvent, Qt, pyqtSignal as Signal
from PyQt6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from openhcs_gui_services.services.numbers.run_numbers import FailedWell, RunNumbers
from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.widgets.common.buttons import push_button
from openhcs_gui_services.widgets.common.colours import faint_text, tone_colour
from openhcs_gui_services.widgets.numbers.flow import flow
from openhcs_gui_services.widgets.numbers.small_table import SmallTable
from openhcs_runtime.outputs.exclusions import Exclusions
from zmqruntime.execution.text import plural

__all__ = ["RunHeader"]

_NAMED = 3
"""Wells that are named before "and 12 more"."""
_MORE = "more:"


class RunHeader(QWidget):
    """Says what a run has found. Names of wells are links."""

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
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.RichText)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self.words.setAccessibleName("What the run has found")
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
        faint = faint_text(self.palette()).name()
        link = self.palette().link().color().name()
        lines = [
            f"<b>{html.escape(known.counted)}</b>",
            f'<span style="color:{faint}">{html.escape(self._name)}: {html.escape(known.ending)}</span>',
            self._failed(known.failed, link),
            self._excluded(known.exclusions, link),
        ]
        self.words.setText("<br>".join(filter(None, lines)))

    def _failed(self, failed: tuple[FailedWell, ...], link: str) -> str:
        if not failed:
            return ""
        colour = tone_colour(Tone.BAD, self.palette()).name()
        shown = failed if self._shows_all else failed[:_NAMED]
        named = [f"{_link(one.well, link)} {html.escape(_reason(one))}" for one in shown]
        head = f'<span style="color:{colour}"><b>{plural(len(failed), "well")} failed</b></span>'
        return f"{head}: {self._joined(named, len(failed) - len(shown), link)}"

    def _excluded(self, exclusions: Exclusions, link: str) -> str:
        wells = exclusions.wells
        if not wells:
            return ""
        shown = wells if self._shows_all else wells[:_NAMED]
        named = [_link(one.well, link) + (f" ({html.escape(one.note)})" if one.note else "") for one in shown]
        head = f"<b>{plural(len(wells), 'well')} excluded</b>"
        return f"{head}: {self._joined(named, len(wells) - len(shown), link)}"

    def _joined(self, named: Iterable[str], left: int, link: str) -> str:
        more = f' and <a style="color:{link}" href="{_MORE}">{left} more</a>' if left else ""
        return ", ".join(named) + more

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
        layout.addWidget(self.words)
        layout.addLayout(buttons)
        layout.addWidget(self.steps)


def _link(well: str, colour: str) -> str:
    return f'<a style="color:{colour}" href="{html.escape(well)}">{html.escape(well)}</a>'


def _reason(failed: FailedWell) -> str:
    text = failed.reason if len(failed.reason) <= 90 else failed.reason[:89] + "…"
    return f"{text} ({failed.step})" if failed.step else text
