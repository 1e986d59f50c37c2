"""A form for the arguments of a step's function, created from the function's signature."""

import ast
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QFormLayout, QLabel, QVBoxLayout, QWidget

from openhcs_gui_services.services.pipeline.step_form import FunctionInfo, ParameterKind, StepParameter, source_text
from openhcs_gui_services.services.pipeline.text import Constant
from openhcs_gui_services.widgets.pipeline.fields import Field, make_field
from openhcs_gui_services.widgets.pipeline.notes import Note

__all__ = ["StepForm"]

_LARGEST: Final = 2**31 - 1
_PLAIN: Final = {
    ParameterKind.INTEGER: (int,),
    ParameterKind.NUMBER: (int, float),
    ParameterKind.SWITCH: (bool,),
    ParameterKind.TEXT: (str,),
}


class StepForm(QWidget):
    """Form for the arguments of one function; arguments equal to their defaults are left out of the source."""

    changed = pyqtSignal(str, object)
    """A parameter's name and its new source text; None for the default."""
    setting_changed = pyqtSignal(str, str)
    """The name of a setting of the pipeline that is the value of a parameter, and its new source text."""

    def __init__(self, parent: QWidget | None = None, *, empty_text: str = "This function has no parameters.") -> None:
        super().__init__(parent)
        self._empty_text = empty_text
        self._info: FunctionInfo | None = None
        self._given: dict[str, str] = {}
        self._settings: Mapping[str, Constant] = {}
        self._fields: dict[str, Field] = {}
        self._labels: dict[str, QLabel] = {}
        self.edit_key = ""
        """Identifies the edit of the latest signal: signals with the same key belong to one edit."""
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._body: QWidget | None = None

    @property
    def info(self) -> FunctionInfo | None:
        """The function whose arguments are shown."""
        return self._info

    def widget_of(self, name: str) -> Field:
        """Return the field of a parameter.

        Raises:
            KeyError: the parameter has no field.
        """
        return self._fields[name]

    def show_function(
        self, info: FunctionInfo, given: Mapping[str, str], settings: Mapping[str, Constant] = MappingProxyType({})
    ) -> None:
        """Show the arguments of a function; fields stay if only values have changed.

        Args:
            info: the function.
            given: source text of its current arguments, by name.
            settings: settings of the pipeline, by name: an argument that is one is edited there.
        """
        is_same = info == self._info and all(
            self._has_field(each, given, settings) is (each.name in self._fields) for each in info.parameters
        )
        before, self._given, self._settings = self._given, dict(given), settings
        if is_same and not self._notes_differ(before):
            self._show_values()
            return
        self._info = info
        self._clear()
        self._body = self._make_body(info)
        self._layout.addWidget(self._body)
        self._show_values()

    def take_now(self) -> None:
        """Report what has been typed without waiting."""
        for field in list(self._fields.values()):
            field.take_now()

    def clear(self) -> None:
        """Show nothing."""
        self._info, self._given = None, {}
        self._clear()

    # --- parts ---------------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        self._fields, self._labels = {}, {}
        if self._body is not None:
            self._layout.removeWidget(self._body)
            self._body.hide()
            self._body.deleteLater()
            self._body = None

    def _make_body(self, info: FunctionInfo) -> QWidget:
        body = QWidget()
        form = QFormLayout(body)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        for parameter in info.parameters:
            self._add(form, parameter)
        if not info.parameters and self._empty_text:
            form.addRow(Note(self._empty_text))
        return body

    def _add(self, form: QFormLayout, parameter: StepParameter) -> None:
        label = QLabel(parameter.label)
        if not self._has_field(parameter, self._given, self._settings):
            # A name or an expression: it can only be changed in the source.
            source = self._given.get(parameter.name, "default of the function")
            form.addRow(label, Note(f"``{source}``, written in Python"))
            return
        field = make_field(parameter)
        field.name_as(parameter.label, parameter.help)
        label.setBuddy(field)
        field.changed.connect(lambda: self._report(parameter))
        self._fields[parameter.name], self._labels[parameter.name] = field, label
        form.addRow(label, field)
        shared = self._shared(parameter.name)
        told = [parameter.help] if parameter.help else []
        if shared is not None and shared.uses > 1:
            told.append(f"A change applies to all {shared.uses} places that use ``{shared.name}``.")
        if told:
            form.addRow(Note(" ".join(told)))

    def _shared(self, name: str) -> Constant | None:
        return self._settings.get(self._given.get(name, ""))

    def _has_field(self, parameter: StepParameter, given: Mapping[str, str], settings: Mapping[str, Constant]) -> bool:
        source = given.get(parameter.name)
        if source is None:
            return True
        shared = settings.get(source)
        is_plain, value = (True, shared.value) if shared is not None else _value_of(source)
        return is_plain and _fits(parameter, value)

    def _notes_differ(self, before: Mapping[str, str]) -> bool:
        """Return whether another argument than before is a setting or an expression."""
        names = [each.name for each in self._info.parameters] if self._info else []
        return any(
            before.get(name) != self._given.get(name)
            and (name not in self._fields or before.get(name) in self._settings or self._shared(name) is not None)
            for name in names
        )

    def _show_values(self) -> None:
        for parameter in self._info.parameters if self._info else ():
            field = self._fields.get(parameter.name)
            if field is None:
                continue
            source, shared = self._given.get(parameter.name), self._shared(parameter.name)
            value = parameter.start_value if source is None else _value_of(source)[1]
            field.show_value(_for_field(parameter, shared.value if shared is not None else value))
            self._mark(parameter)

    def _mark(self, parameter: StepParameter) -> None:
        """Show in bold whether a parameter differs from its default, also by a setting of the pipeline."""
        label = self._labels[parameter.name]
        font = label.font()
        font.setBold(self._differs(parameter))
        label.setFont(font)

    def _differs(self, parameter: StepParameter) -> bool:
        source, shared = self._given.get(parameter.name), self._shared(parameter.name)
        if source is None or parameter.is_required:
            return source is not None
        value = shared.value if shared is not None else _value_of(source)[1]
        return _for_field(parameter, value) != _for_field(parameter, parameter.default)

    def _report(self, parameter: StepParameter) -> None:
        field, shared = self._fields[parameter.name], self._shared(parameter.name)
        value = field.value
        self.edit_key = f"{parameter.name} {id(field)} {field.session}"
        if shared is not None:
            if source_text(value) != shared.source and value != shared.value:
                self.setting_changed.emit(shared.name, source_text(value))
            return
        source = self._source_of(parameter, value)
        if source == self._given.get(parameter.name):
            return
        if source is None:
            self._given.pop(parameter.name, None)
        else:
            self._given[parameter.name] = source
        self._mark(parameter)
        self.changed.emit(parameter.name, source)

    def _source_of(self, parameter: StepParameter, value: object) -> str | None:
        """Return the source of a value; None for the default, and the given source if it is the same number."""
        given = self._given.get(parameter.name)
        if given is not None:
            is_plain, before = _value_of(given)
            if is_plain and _for_field(parameter, before) == value and parameter.kind is not ParameterKind.SWITCH:
                return given
        if not parameter.is_required and value == _for_field(parameter, parameter.default):
            return None
        return source_text(value)


def _for_field(parameter: StepParameter, value: object) -> object:
    """Return a value in the type that the parameter's field has."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return float(str(value)) if parameter.kind is ParameterKind.NUMBER and is_number else value


def _fits(parameter: StepParameter, value: object) -> bool:
    """Return whether the field of the parameter can show the value."""
    if parameter.kind is ParameterKind.LITERAL or (value is None and parameter.is_optional):
        return True
    if parameter.kind is ParameterKind.CHOICE:
        return value in parameter.choices
    is_number = parameter.kind in (ParameterKind.INTEGER, ParameterKind.NUMBER)
    if is_number and isinstance(value, int | float):
        is_whole = isinstance(value, int) or parameter.kind is ParameterKind.NUMBER
        return is_whole and not isinstance(value, bool) and abs(value) <= _LARGEST
    return isinstance(value, _PLAIN[parameter.kind])


def _value_of(source: str) -> tuple[bool, object]:
    try:
        return True, ast.literal_eval(source.strip())
    except (ValueError, SyntaxError):
        return False, None
