"""The form of a step: its settings, its images and its functions; or the settings that steps share."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from PyQt6.QtCore import QPoint, Qt, pyqtSignal
from PyQt6.QtWidgets import QPushButton, QToolButton, QVBoxLayout, QWidget

from openhcs_gui_services.exceptions import PipelineTextError
from openhcs_gui_services.services.pipeline.edits import with_calls_in_order, with_channel, with_constant, with_keyword
from openhcs_gui_services.services.pipeline.library import Library
from openhcs_gui_services.services.pipeline.new_step import group_by_source
from openhcs_gui_services.services.pipeline.pipeline_settings import constants_info
from openhcs_gui_services.services.pipeline.step_settings import settings_info, settings_of
from openhcs_gui_services.services.pipeline.text import (
    CallEntry,
    Constant,
    PipelineOutline,
    StepEntry,
    StepKind,
    outline_of,
    with_arguments,
)
from openhcs_gui_services.widgets.pipeline.call_panel import CallPanel
from openhcs_gui_services.widgets.pipeline.fields import Field
from openhcs_gui_services.widgets.pipeline.images_form import ChannelForm, TogetherForm
from openhcs_gui_services.widgets.pipeline.notes import Note, ProblemLabel
from openhcs_gui_services.widgets.pipeline.step_form import StepForm

__all__ = ["StepPanel"]

_NO_STEP: Final = "Choose a step to see its parameters, or add one."
_PYTHON: Final = "This step is written in Python; edit it in the Python text."
_Shape = tuple[object, ...]


class StepPanel(QWidget):
    """Shows one step of a pipeline's text, or its settings.

    Args:
        library: functions whose parameters are known, in addition to those defined in the text itself.
        parent: the parent widget.
    """

    edited = pyqtSignal(str, str)
    """The new text, and a key: edits with the same key one after the other are one edit."""
    function_wanted = pyqtSignal(int, int)
    """A function is to be added to a step, given by its number, and a branch, given by its index."""

    def __init__(self, library: Library, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._library = library
        self._text = ""
        self._outline = PipelineOutline()
        self._step: StepEntry | None = None
        self._names: Mapping[int, str] = {}
        self._shape: _Shape = ()
        self._calls: list[list[CallPanel]] = []
        self._hint = Note(_NO_STEP)
        self._settings, self._more, self._constants = StepForm(empty_text=""), StepForm(empty_text=""), StepForm()
        self.channel, self.together = ChannelForm(), TogetherForm()
        self._problem = ProblemLabel()
        self._more_button = QToolButton()
        self._functions = QWidget()
        self._functions_layout = QVBoxLayout(self._functions)
        self._functions_layout.setContentsMargins(0, 0, 0, 0)
        self._lay_out()
        self._connect()
        self.show_nothing(_NO_STEP)

    @property
    def step(self) -> StepEntry | None:
        """The shown step."""
        return self._step

    def form_of(self, call: int = 0, branch: int = 0) -> StepForm:
        """Return the form of a function of the shown step, by the index of the branch and in it."""
        return self._calls[branch][call].form

    @property
    def settings_form(self) -> StepForm:
        """The form of the step itself, or of the settings that steps share."""
        return self._settings if self._step is not None else self._constants

    def focus_first(self) -> None:
        """Give the focus to the topmost field."""
        shown = [field for field in self.findChildren(Field) if field.isVisible() and field.isEnabled()]
        if shown:
            min(shown, key=lambda field: field.mapTo(self, QPoint()).y()).setFocus(Qt.FocusReason.TabFocusReason)

    def take_now(self) -> None:
        """Report what has been typed without waiting."""
        forms = [panel.form for branch in self._calls for panel in branch]
        for form in (self._settings, self._more, self._constants, *forms):
            form.take_now()

    def show_nothing(self, hint: str = _NO_STEP) -> None:
        """Show only a hint."""
        self._step, self._shape = None, ()
        self._show_parts(self._hint)
        self._hint.show_text(hint)

    def show_settings(self, text: str, outline: PipelineOutline, names: Mapping[int, str]) -> None:
        """Show the settings that the steps of a text share."""
        self._step, self._shape = None, ()
        self._text, self._outline = text, outline
        self._show_parts(self._hint, self._constants)
        self._hint.show_text("Values that several steps share. Each has a name in the Python text.")
        info, given = constants_info(outline, names)
        self._constants.show_function(info, given)

    def show_step(
        self,
        step: StepEntry,
        text: str,
        outline: PipelineOutline,
        names: Mapping[int, str],
        problems: Sequence[str] = (),
    ) -> None:
        """Show a step; fields stay if only values have changed.

        Args:
            step: the step.
            text: the text that it is in.
            outline: the pipeline.
            names: the channels of the plate by number.
            problems: what is wrong with the step, with the remedy.
        """
        if step.kind is StepKind.PYTHON:
            self.show_nothing(_PYTHON)
            return
        self._step, self._text, self._outline, self._names = step, text, outline, names
        is_plate = step.kind is StepKind.PLATE
        parts = [self._settings, self._functions, *([self._problem] if problems else [])]
        parts += [self.channel] if len(step.branches) == 1 and not is_plate else []
        self._show_parts(*parts, *([] if is_plate else [self.together, self._more_button]))
        self._problem.show_problems(problems)
        self._more.setVisible(not is_plate and self._more_button.isChecked())
        self._settings.show_function(settings_info(step), settings_of(step, outline), self._constants_by_name())
        if not is_plate:
            self._more.show_function(settings_info(step, more=True), settings_of(step, outline))
            self.channel.show_branch(step, 0, outline, names)
            self.together.show_step(step, outline)
        self._show_calls(step)

    # --- parts ---------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self._more_button.setText("More settings")
        self._more_button.setCheckable(True)
        self._more_button.setAutoRaise(True)
        self._more_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._more_button.setArrowType(Qt.ArrowType.RightArrow)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(10)
        for widget in self._parts():
            layout.addWidget(widget)
        layout.addStretch(1)

    def _parts(self) -> tuple[QWidget, ...]:
        shared = (self._hint, self._problem, self._constants, self.channel, self._functions)
        return (*shared, self._settings, self.together, self._more_button, self._more)

    def _show_parts(self, *shown: QWidget) -> None:
        for part in self._parts():
            part.setVisible(part in shown)

    def _connect(self) -> None:
        self._settings.changed.connect(lambda name, source: self._set(self._settings, name, source))
        self._more.changed.connect(lambda name, source: self._set(self._more, name, source))
        for form in (self._settings, self._more):
            form.setting_changed.connect(lambda name, source, form=form: self._set_constant(form, name, source))
        self._constants.changed.connect(lambda name, source: self._set_constant(self._constants, name, source))
        self.channel.changed.connect(lambda key: self._set_channel(0, key))
        self.together.changed.connect(self._set_components)
        self._more_button.toggled.connect(self._on_more)

    def _on_more(self, shown: bool) -> None:
        self._more.setVisible(shown)
        self._more_button.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)

    def _constants_by_name(self) -> dict[str, Constant]:
        return {each.name: each for each in self._outline.constants}

    def _show_calls(self, step: StepEntry) -> None:
        infos = [[self._library.info_of(call.function, self._outline) for call in each.calls] for each in step.branches]
        shape = (step.kind, tuple((each.key, tuple(call.function for call in each.calls)) for each in step.branches))
        if shape != self._shape:
            self._shape = shape
            self._make_calls(step)
        settings = self._constants_by_name()
        for panels, branch, known in zip(self._calls, step.branches, infos, strict=True):
            for place, (panel, call, info) in enumerate(zip(panels, branch.calls, known, strict=True)):
                panel.show_call(call, info, settings, place, len(branch.calls))

    def _make_calls(self, step: StepEntry) -> None:
        while (item := self._functions_layout.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self._calls = []
        for at, branch in enumerate(step.branches):
            if len(step.branches) > 1:
                self._functions_layout.addWidget(self._branch_channel(step, at))
            panels = [self._call_panel(at, place, call) for place, call in enumerate(branch.calls)]
            for panel in panels:
                self._functions_layout.addWidget(panel)
            self._calls.append(panels)
            if step.kind is StepKind.WELLS:
                self._functions_layout.addWidget(self._add_button(at))

    def _branch_channel(self, step: StepEntry, at: int) -> ChannelForm:
        """Return the field for the channel of one of several branches; the channels of the others are no choices."""
        form = ChannelForm()
        form.show_branch(step, at, self._outline, self._names)
        form.changed.connect(lambda key: self._set_channel(at, key))
        return form

    def _call_panel(self, branch: int, place: int, call: CallEntry) -> CallPanel:
        panel = CallPanel()
        panel.changed.connect(lambda name, source: self._set_argument(branch, place, name, source))
        panel.setting_changed.connect(lambda name, source: self._set_constant(panel.form, name, source))
        panel.move_wanted.connect(lambda by: self._reorder(branch, place, by))
        panel.remove_wanted.connect(lambda: self._reorder(branch, place, 0))
        return panel

    def _add_button(self, branch: int) -> QPushButton:
        button = QPushButton("Add a function to this step…")
        button.setToolTip("Add a function that gets the result of the one above")
        button.setAutoDefault(False)
        button.clicked.connect(lambda: self._want_function(branch))
        return button

    def _want_function(self, branch: int) -> None:
        if self._step is not None:
            self.function_wanted.emit(self._step.number, branch)

    # --- edits ---------------------------------------------------------------------------------------------------

    def _edit(self, make: Callable[[StepEntry], str], key: str) -> None:
        if self._step is None:
            return
        try:
            text = make(self._step)
        except PipelineTextError:
            text = self._text  # what the form shows is refreshed from the text
        self._text = text
        self.edited.emit(text, f"{self._step.number} {key}" if key else "")

    def _set(self, form: StepForm, name: str, source: str | None) -> None:
        self._edit(lambda step: with_keyword(self._text, step.number, name, source), form.edit_key)

    def _set_argument(self, branch: int, place: int, name: str, source: str | None) -> None:
        def make(step: StepEntry) -> str:
            call = outline_of(self._text).steps[step.number - 1].branches[branch].calls[place]
            return with_arguments(self._text, call, {name: source})

        self._edit(make, self.form_of(place, branch).edit_key)

    def _set_constant(self, form: StepForm, name: str, source: str | None) -> None:
        if source is not None:
            self._text = with_constant(self._text, name, source)
            self.edited.emit(self._text, form.edit_key)

    def _set_channel(self, branch: int, key: object) -> None:
        source = key if isinstance(key, str) else None
        by = group_by_source(self._outline)
        self._edit(lambda step: with_channel(self._text, step.number, branch, source, by), "")

    def _set_components(self, source: str | None) -> None:
        self._edit(lambda step: with_keyword(self._text, step.number, "variable_components", source), "")

    def _reorder(self, branch: int, place: int, by: int) -> None:
        """Move a function by one place, or remove it if ``by`` is 0."""
        order = list(range(len(self._calls[branch])))
        order.pop(place)
        if by:
            order.insert(place + by, place)
        self._edit(lambda step: with_calls_in_order(self._text, step.number, branch, order), "")
