"""The model of the list of steps: rows with titles and summaries, made from a pipeline's outline."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from PyQt6.QtCore import QAbstractListModel, QMimeData, QModelIndex, Qt, pyqtSignal

from openhcs_gui_services.services.pipeline.library import Library
from openhcs_gui_services.services.pipeline.problems import Problem
from openhcs_gui_services.services.pipeline.summaries import step_summary
from openhcs_gui_services.services.pipeline.text import PipelineOutline, StepKind

__all__ = ["STEP_MIME", "RowKind", "StepRow", "StepRowsModel", "rows_of"]

STEP_MIME: Final = "application/x-openhcs-step"
_FLAG = Qt.ItemFlag


class RowKind(enum.Enum):
    """What a row of the list is."""

    SETTINGS = "settings"
    """The settings of the pipeline, which steps share."""
    STEP = "step"
    PYTHON = "python"
    """Code that makes or changes the list of steps."""


@dataclass(frozen=True, slots=True)
class StepRow:
    """One row.

    Attributes:
        kind: what it is.
        title: its title.
        summary: the line below.
        number: number of the step, from 1; 0 for other rows.
        line: line of its text.
        step_kind: what kind of step it is.
        is_enabled: whether the step is on.
        problems: what is wrong with it, with the remedy.
    """

    kind: RowKind
    title: str
    summary: str
    number: int = 0
    line: int = 1
    step_kind: StepKind = StepKind.WELLS
    is_enabled: bool = True
    problems: tuple[str, ...] = ()

    @property
    def spoken(self) -> str:
        """What a screen reader says."""
        words = [f"Step {self.number}: {self.title}" if self.number else self.title, self.summary]
        words += ["" if self.is_enabled else "off", *self.problems]
        return ", ".join(word for word in words if word)


def rows_of(
    outline: PipelineOutline, library: Library, channels: Mapping[int, str], problems: Sequence[Problem]
) -> tuple[StepRow, ...]:
    """Return the rows of a pipeline: its settings, if it has any, its steps, and code that makes steps."""
    rows = []
    if outline.constants:
        told = ", ".join(each.name for each in outline.constants)
        rows.append(StepRow(RowKind.SETTINGS, "Settings", told, line=outline.constants[0].line))
    for step in outline.steps:
        rows.append(
            StepRow(
                kind=RowKind.STEP,
                title=step.title,
                summary=step_summary(step, outline, library, channels),
                number=step.number,
                line=step.line,
                step_kind=step.kind,
                is_enabled=step.is_enabled,
                problems=tuple(problem.short for problem in problems if problem.step == step.number),
            )
        )
    if outline.python_line is not None:
        what = "More steps, written in Python" if outline.steps else "The steps are written in Python"
        rows.append(
            StepRow(RowKind.PYTHON, what, f"line {outline.python_line}; edit them there", line=outline.python_line)
        )
    return tuple(rows)


class StepRowsModel(QAbstractListModel):
    """The rows; edits are requests, since the text of the pipeline makes the rows."""

    rename_wanted = pyqtSignal(int, str)
    """Number of a step and its new name."""
    enable_wanted = pyqtSignal(int, bool)
    """Number of a step, and whether it is to be on."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[StepRow, ...] = ()

    @property
    def rows(self) -> tuple[StepRow, ...]:
        """The rows."""
        return self._rows

    def show_rows(self, rows: tuple[StepRow, ...]) -> None:
        """Show these rows; those that are still there keep their place in the view."""
        if rows == self._rows:
            return
        if len(rows) == len(self._rows):
            self._rows = rows
            self.dataChanged.emit(self.index(0), self.index(len(rows) - 1))
            return
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def row_of(self, number: int) -> int:
        """Return the row of a step; -1 if there is none."""
        return next((at for at, row in enumerate(self._rows) if number and row.number == number), -1)

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of rows."""
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return the row itself for drawing, and its texts."""
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        row = self._rows[index.row()]
        match role:
            case Qt.ItemDataRole.UserRole:
                return row
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.EditRole:
                return row.title
            case Qt.ItemDataRole.CheckStateRole if row.number and row.step_kind is not StepKind.PYTHON:
                return Qt.CheckState.Checked if row.is_enabled else Qt.CheckState.Unchecked
            case Qt.ItemDataRole.AccessibleTextRole:
                return row.spoken
            case Qt.ItemDataRole.ToolTipRole:
                return "\n".join([row.title, row.summary, *row.problems])
        return None

    def setData(self, index: QModelIndex, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Ask for another name or state."""
        row = self._rows[index.row()]
        if not row.number or row.step_kind is StepKind.PYTHON:
            return False
        if role == Qt.ItemDataRole.CheckStateRole:
            self.enable_wanted.emit(row.number, Qt.CheckState(value) == Qt.CheckState.Checked)
            return True
        if role == Qt.ItemDataRole.EditRole and str(value).strip() != row.title:
            self.rename_wanted.emit(row.number, str(value).strip())
            return True
        return False

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Return what can be done with a row: steps can be dragged between each other."""
        if not index.isValid():
            return _FLAG.ItemIsDropEnabled
        row = self._rows[index.row()]
        flags = _FLAG.ItemIsEnabled | _FLAG.ItemIsSelectable
        if row.number:
            flags |= _FLAG.ItemIsDragEnabled
        if row.number and row.step_kind is not StepKind.PYTHON:
            flags |= _FLAG.ItemIsUserCheckable | _FLAG.ItemIsEditable
        return flags

    def mimeTypes(self) -> list[str]:
        """Return the type of a dragged step."""
        return [STEP_MIME]

    def mimeData(self, indexes: object) -> QMimeData:
        """Return the number of a dragged step."""
        data = QMimeData()
        found = [index for index in indexes if isinstance(index, QModelIndex)] if isinstance(indexes, list) else []
        number = self._rows[found[0].row()].number if found else 0
        data.setData(STEP_MIME, str(number).encode())
        return data

    def supportedDropActions(self) -> Qt.DropAction:
        """Return that steps are moved."""
        return Qt.DropAction.MoveAction
