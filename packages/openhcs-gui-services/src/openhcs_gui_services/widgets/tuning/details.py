"""What a preview says in full: its problem with the traceback, notes, seconds of steps, and printed lines."""

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QFontDatabase
from PyQt6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from openhcs_gui_services.services.tuning.presenter import notes_text, problem_text, steps_text
from openhcs_gui_services.services.tuning.values import TuningResult

__all__ = ["DetailsDialog"]

_SIZE = (560, 360)


class DetailsDialog(QDialog):
    """Shows one result; deletes itself when it is closed."""

    def __init__(self, result: TuningResult, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Preview")
        self.resize(*_SIZE)
        layout = QVBoxLayout(self)
        for text in filter(None, (problem_text(result), notes_text(result))):
            label = QLabel(text)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            layout.addWidget(label)
        layout.addWidget(_text_view(result), 1)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)


def _text_view(result: TuningResult) -> QPlainTextEdit:
    details = "" if result.problem is None else result.problem.details
    view = QPlainTextEdit("\n\n".join(filter(None, (details, steps_text(result)))))
    view.setReadOnly(True)
    view.setAccessibleName("Details of the preview")
    view.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
    view.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
    return view
