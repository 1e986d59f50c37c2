"""Panel for the step at the cursor: a choice of its functions and a form for the arguments of the chosen one."""

from typing import Final

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QComboBox, QLabel, QVBoxLayout, QWidget

from openhcs_gui_services.services.pipeline.step_form import FunctionInfo
from openhcs_gui_services.services.pipeline.text import CallEntry, PipelineOutline, StepEntry
from openhcs_gui_services.widgets.pipeline.step_form import StepForm

__all__ = ["StepPanel"]

_NO_STEP: Final = "Place the cursor in a step to see its parameters, or add a step."
_MADE_ELSEWHERE: Final = "The arguments are defined elsewhere in the text; edit them there."


class StepPanel(QWidget):
    """Shows one step of a pipeline's text.

    Args:
        library: functions whose parameters are known, in addition to those defined in the text itself.
        parent: the parent widget.
    """

    argument_changed = pyqtSignal(str, object)
    """A parameter of the chosen function and its new source; None for the default."""

    def __init__(self, library: tuple[FunctionInfo, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._library = library
        self._outline = PipelineOutline()
        self._step: StepEntry | None = None
        self._call = QComboBox()
        self._call.setAccessibleName("Function of the step")
        self._hint = QLabel()
        self._hint.setWordWrap(True)
        self._hint.setTextFormat(Qt.TextFormat.PlainText)
        self._form = StepForm()
        layout = QVBoxLayout(self)
        for widget in (self._call, self._hint, self._form):
            layout.addWidget(widget)
        layout.addStretch(1)
        self._call.currentIndexChanged.connect(lambda _: self._show_form())
        self._form.changed.connect(self.argument_changed)

    def show_step(self, step: StepEntry | None, outline: PipelineOutline) -> None:
        """Show a step of the outline; the chosen function stays selected while the step's functions are the same."""
        self._step, self._outline = step, outline
        known = [self._call.itemData(number) for number in range(self._call.count())]
        wanted = [] if step is None else [(step.number, at, call.function) for at, call in enumerate(step.calls)]
        if known != wanted:
            self._call.blockSignals(True)
            self._call.clear()
            for entry in wanted:
                self._call.addItem(f"Step {entry[0]}: {entry[2]}", entry)
            self._call.blockSignals(False)
        self._call.setVisible(bool(wanted))
        self._show_form()

    def current_call(self) -> CallEntry | None:
        """Return the call of the chosen function in the text; None if there is none."""
        step, number = self._step, self._call.currentIndex()
        return step.calls[number] if step is not None and 0 <= number < len(step.calls) else None

    def _show_form(self) -> None:
        call = self.current_call()
        info = None if call is None else self._info_of(call.function)
        if call is None:
            self._hint.setText(_NO_STEP)
        elif info is None:
            self._hint.setText(
                f"{call.function} is not a function of the library or of this file; edit it in the text."
            )
        elif not call.is_editable:
            self._hint.setText(_MADE_ELSEWHERE)
        else:
            self._hint.setText(info.summary)
            self._form.show_function(info, call.arguments)
            return
        self._form.clear()

    def _info_of(self, function: str) -> FunctionInfo | None:
        """Find a function defined in the text, imported from the library, or accessed through an imported module."""
        own = (info for info in self._outline.functions if info.name == function)
        first, _, rest = function.partition(".")
        imported = self._imports().get(first, first)
        module, _, plain = (f"{imported}.{rest}" if rest else imported).rpartition(".")
        known = (info for info in self._library if info.name == plain and info.module == module)
        return next(own, None) or next(known, None)

    def _imports(self) -> dict[str, str]:
        return dict(self._outline.imports or {})
