"""The tab "Steps": the list of steps with its buttons, and the form of the chosen step."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QAction, QResizeEvent
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from openhcs_gui_services.exceptions import PipelineTextError
from openhcs_gui_services.services.pipeline.edits import (
    with_call,
    with_keyword,
    with_step_copied,
    with_steps_in_order,
)
from openhcs_gui_services.services.pipeline.library import Library
from openhcs_gui_services.services.pipeline.new_step import with_step
from openhcs_gui_services.services.pipeline.problems import Problem
from openhcs_gui_services.services.pipeline.step_form import FunctionInfo, source_text
from openhcs_gui_services.services.pipeline.text import PipelineOutline
from openhcs_gui_services.widgets.pipeline.function_search import FunctionSearch
from openhcs_gui_services.widgets.pipeline.notes import Note
from openhcs_gui_services.widgets.pipeline.sign_button import Sign, SignButton
from openhcs_gui_services.widgets.pipeline.step_list import StepList
from openhcs_gui_services.widgets.pipeline.step_panel import StepPanel
from openhcs_gui_services.widgets.pipeline.step_rows import RowKind, StepRow, rows_of

__all__ = ["StepsTab"]

_WIDE_FROM: Final = 40
"""Width, in heights of a line of text, from which list and form are side by side."""
_UNREADABLE: Final = "The steps appear here when the error in the Python text is corrected."
_EMPTY: Final = "This pipeline has no steps yet. Add one, or start from a template with New."


class StepsTab(QWidget):
    """Edits a pipeline as a list of steps.

    Args:
        library: the functions.
        parent: the parent widget.
    """

    edited = pyqtSignal(str, str)
    """The new text, and a key: edits with the same key one after the other are one edit."""
    text_wanted = pyqtSignal(int)
    """The line of the Python text to show."""
    refused = pyqtSignal(str)
    """Why an edit was not made."""

    def __init__(self, library: Library, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._library = library
        self._text = ""
        self._outline = PipelineOutline()
        self._names: Mapping[int, str] = {}
        self.list = StepList()
        self.panel = StepPanel(library)
        self._error = QLabel()
        self._empty = Note(_EMPTY)
        self._stack = QStackedWidget()
        self.add = QPushButton("Add step…")
        self.area = QScrollArea()
        self._split = QSplitter(Qt.Orientation.Vertical)
        self._lay_out()
        self._connect()

    def show_text(
        self, text: str, outline: PipelineOutline, problems: Sequence[Problem], names: Mapping[int, str]
    ) -> None:
        """Show a pipeline; if its text has a syntax error, the list before it stays, in grey.

        Args:
            text: the text.
            outline: its definitions.
            problems: what is wrong with it.
            names: the channels of the plate by number.
        """
        self._error.setVisible(outline.problem is not None)
        for part in (self.list, self.panel, self._buttons, self.add_action):
            part.setEnabled(outline.problem is None)
        if outline.problem is not None:
            self._show_error(outline.problem)
            return
        self._empty.show_text(_EMPTY)
        self._text, self._outline, self._names = text, outline, names
        at = self.list.currentIndex().row()
        rows = rows_of(outline, self._library, names, problems)
        first = next((place for place, row in enumerate(rows) if row.number), 0)
        self.list.rows.show_rows(rows)
        self._stack.setCurrentIndex(0 if rows else 1)
        if rows and self.list.currentIndex().row() < 0:
            self.list.choose(at if at >= 0 else first)
        self.list.currentChanged(self.list.currentIndex(), self.list.currentIndex())

    def _show_error(self, problem: Problem) -> None:
        line = problem.line or 1
        shown = "the list shows the steps before it" if self.list.rows.rows else "its steps can't be shown"
        self._error.setText(
            f"The Python text has an error in line {line}, so {shown}: "
            f'{problem.message}. <a href="{line}">Go to line {line}</a>'
        )
        self._empty.show_text(_UNREADABLE)

    def search(self, title: str, take: Callable[[FunctionInfo], None]) -> FunctionSearch:
        """Open the search for a function, which is passed to ``take``."""
        self.panel.take_now()
        dialog = FunctionSearch(self._library.functions_for(self._outline), title, self)
        dialog.chosen.connect(take)
        dialog.open()
        return dialog

    def add_step(self, info: FunctionInfo, after: int | None = None) -> None:
        """Add a step with a function, after a step or at the end, and show it."""
        number = (after or len(self._outline.steps)) + 1
        self._edit(lambda: with_step(self._text, info, after), number)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Put the form beside the list if there is room, or else below it."""
        super().resizeEvent(event)
        is_wide = self.width() >= self.fontMetrics().height() * _WIDE_FROM
        wanted = Qt.Orientation.Horizontal if is_wide else Qt.Orientation.Vertical
        if self._split.orientation() != wanted:
            self._split.setOrientation(wanted)
            self._split.setSizes([self.width() * 2 // 5, self.width() * 3 // 5])

    # --- parts ---------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self._error.setWordWrap(True)
        self._error.setTextFormat(Qt.TextFormat.RichText)
        self._error.hide()
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stack.addWidget(self.list)
        self._stack.addWidget(self._empty)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self._stack, 1)
        column.addWidget(self._make_buttons())
        self.area.setWidget(self.panel)
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setFrameShape(QScrollArea.Shape.NoFrame)
        self._split.addWidget(left)
        self._split.addWidget(self.area)
        self._split.setStretchFactor(0, 2)
        self._split.setStretchFactor(1, 3)
        self._split.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 6, 0, 0)
        layout.addWidget(self._error)
        layout.addWidget(self._split, 1)

    def _make_buttons(self) -> QWidget:
        self._buttons = QWidget()
        row = QHBoxLayout(self._buttons)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        self.add.setToolTip("Find a function and add a step with it at the end")
        self.add.setAutoDefault(False)
        row.addWidget(self.add)
        row.addStretch(1)
        signs = (
            (self.list.copy, Sign.COPY),
            (self.list.delete, Sign.REMOVE),
            (self.list.move_up, Sign.UP),
            (self.list.move_down, Sign.DOWN),
        )
        for action, sign in signs:
            row.addWidget(SignButton(sign, action.toolTip(), action))
        return self._buttons

    def _connect(self) -> None:
        rows = self.list.rows
        self.add_action = QAction("Add a step…", self)
        self.add_action.triggered.connect(lambda: self.search("Add step", self.add_step))
        self.addAction(self.add_action)
        self.add.clicked.connect(self.add_action.trigger)
        self.list.add_wanted.connect(lambda at: self.search("Add step", lambda info: self.add_step(info, at)))
        self.list.row_chosen.connect(self._show_row)
        self.list.activated.connect(lambda _: self.panel.focus_first())
        self.list.move_wanted.connect(self._move)
        self.list.copy_wanted.connect(lambda at: self._edit(lambda: with_step_copied(self._text, at), at + 1))
        self.list.delete_wanted.connect(self._delete)
        self.list.text_wanted.connect(self.text_wanted)
        rows.rename_wanted.connect(self._rename)
        rows.enable_wanted.connect(self._enable)
        self.panel.edited.connect(self.edited)
        self.panel.function_wanted.connect(self._want_function)
        self._error.linkActivated.connect(lambda line: self.text_wanted.emit(int(line)))

    def _show_row(self, row: StepRow | None) -> None:
        if row is None:
            self.panel.show_nothing()
        elif row.kind is RowKind.SETTINGS:
            self.panel.show_settings(self._text, self._outline, self._names)
        elif row.kind is RowKind.PYTHON or row.number > len(self._outline.steps):
            self.panel.show_nothing("These steps are made by code; edit it in the Python text.")
        else:
            before = self.panel.step
            step = self._outline.steps[row.number - 1]
            if before is not None and before.number != row.number:
                self.area.ensureVisible(0, 0)
            self.panel.show_step(step, self._text, self._outline, self._names, row.problems)

    # --- edits ---------------------------------------------------------------------------------------------------

    def _edit(self, make: Callable[[], str], number: int) -> None:
        """Make an edit, and show the step that then has this number."""
        self.panel.take_now()
        try:
            text = make()
        except PipelineTextError as error:
            self.refused.emit(str(error))
            return
        self.edited.emit(text, "")
        self.list.choose_step(number)

    def _numbers(self) -> list[int]:
        return [step.number for step in self._outline.steps]

    def _move(self, number: int, place: int) -> None:
        order = self._numbers()
        if 1 <= place <= len(order):
            order.insert(place - 1, order.pop(number - 1))
            self._edit(lambda: with_steps_in_order(self._text, order), place)

    def _delete(self, number: int) -> None:
        order = [each for each in self._numbers() if each != number]
        self._edit(lambda: with_steps_in_order(self._text, order), min(number, len(order)))

    def _rename(self, number: int, name: str) -> None:
        source = source_text(name) if name else None
        self._edit(lambda: with_keyword(self._text, number, "name", source), number)

    def _enable(self, number: int, is_on: bool) -> None:
        self._edit(lambda: with_keyword(self._text, number, "enabled", None if is_on else "False"), number)

    def _want_function(self, number: int, branch: int) -> None:
        def take(info: FunctionInfo) -> None:
            self._edit(lambda: with_call(self._text, number, branch, info), number)

        self.search("Add function", take)
