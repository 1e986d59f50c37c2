"""A function of a step: title, what it does, its parameters, and buttons to move and remove it."""

from typing import Final

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from openhcs_gui_services.services.pipeline.docstrings import plain, to_html
from openhcs_gui_services.services.pipeline.step_form import FunctionInfo
from openhcs_gui_services.services.pipeline.text import CallEntry, Constant
from openhcs_gui_services.widgets.pipeline.notes import Note
from openhcs_gui_services.widgets.pipeline.sign_button import Sign, SignButton
from openhcs_gui_services.widgets.pipeline.step_form import StepForm

__all__ = ["CallPanel"]

_MADE_ELSEWHERE: Final = "Its arguments are defined elsewhere in the text; edit them there."
_UNKNOWN: Final = "It is not a function of the library or of this file; edit it in the Python text."


class CallPanel(QFrame):
    """Shows one function with its arguments; the signals are those of :class:`StepForm` and the buttons."""

    changed = pyqtSignal(str, object)
    setting_changed = pyqtSignal(str, str)
    move_wanted = pyqtSignal(int)
    """-1 for earlier, 1 for later."""
    remove_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.form = StepForm()
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._title = QLabel()
        font = self._title.font()
        font.setBold(True)
        self._title.setFont(font)
        self._title.setTextFormat(Qt.TextFormat.PlainText)
        self._about, self._docs = Note(), Note()
        self._docs.hide()
        self._help = SignButton(Sign.HELP, "About this function")
        self._help.setCheckable(True)
        self._help.toggled.connect(self._docs.setVisible)
        self._up = SignButton(Sign.UP, "Earlier in this step")
        self._down = SignButton(Sign.DOWN, "Later in this step")
        self._remove = SignButton(Sign.REMOVE, "Remove this function from the step")
        self._up.clicked.connect(lambda: self.move_wanted.emit(-1))
        self._down.clicked.connect(lambda: self.move_wanted.emit(1))
        self._remove.clicked.connect(self.remove_wanted)
        self.form.changed.connect(self.changed)
        self.form.setting_changed.connect(self.setting_changed)
        head = QHBoxLayout()
        head.setSpacing(2)
        head.addWidget(self._title, 1)
        for button in (self._help, self._up, self._down, self._remove):
            head.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 8)
        layout.addLayout(head)
        for widget in (self._about, self._docs, self.form):
            layout.addWidget(widget)

    def show_call(
        self, call: CallEntry, info: FunctionInfo | None, settings: dict[str, Constant], place: int, count: int
    ) -> None:
        """Show a function that is the one at ``place``, from 0, of ``count`` in a row."""
        self._title.setText(call.title)
        self._title.setToolTip(call.function)
        for button in (self._up, self._down, self._remove):
            button.setVisible(count > 1)
        self._up.setEnabled(place > 0)
        self._down.setEnabled(place < count - 1)
        self._help.setVisible(info is not None and bool(info.help))
        if info is None or not call.is_editable:
            self._about.show_text(_UNKNOWN if info is None else _MADE_ELSEWHERE)
            self.form.clear()
            return
        self._about.show_text(plain(info.summary))
        self._docs.setText(to_html(info.help.partition("\n")[2], [each.name for each in info.parameters]))
        self._help.setVisible(bool(self._docs.text()))
        self.form.show_function(info, call.arguments, settings)
