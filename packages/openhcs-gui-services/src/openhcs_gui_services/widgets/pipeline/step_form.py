"""A form for the arguments of a step's function, created from the function's signature."""

import ast
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QFormLayout, QLabel, QVBoxLayout, QWidget

from openhcs_gui_services.services.pipeline.step_form import FunctionInfo, ParameterKind, StepParameter, source_text

if TYPE_CHECKING:
    from magicgui.widgets.bases import ValueWidget

__all__ = ["StepForm"]

_LARGEST: Final = 2**31 - 1
_LARGEST_NUMBER: Final = 1e12
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

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._info: FunctionInfo | None = None
        self._given: dict[str, str] = {}
        self._widgets: dict[str, ValueWidget[Any]] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._body: QWidget | None = None

    @property
    def info(self) -> FunctionInfo | None:
        """The function whose arguments are shown."""
        return self._info

    def widget_of(self, name: str) -> "ValueWidget[Any]":
        """Return the field of a parameter.

        Raises:
            KeyError: the parameter has no field.
        """
        return self._widgets[name]

    def show_function(self, info: FunctionInfo, given: Mapping[str, str]) -> None:
        """Show the arguments of a function.

        Args:
            info: the function.
            given: source text of its current arguments, by name.
        """
        if info == self._info and dict(given) == self._given:
            return
        if info == self._info and self._has_only_changed_values(given):
            return
        self._info, self._given = info, dict(given)
        self._clear()
        body = QWidget()
        form = QFormLayout(body)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        for parameter in info.parameters:
            self._add(form, parameter)
        if not info.parameters:
            form.addRow(_note("This function has no parameters."))
        self._body = body
        self._layout.addWidget(body)

    def clear(self) -> None:
        """Show nothing."""
        self._info, self._given = None, {}
        self._clear()

    # --- parts ---------------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        self._widgets = {}
        if self._body is not None:
            self._layout.removeWidget(self._body)
            self._body.hide()
            self._body.deleteLater()
            self._body = None

    def _has_only_changed_values(self, given: Mapping[str, str]) -> bool:
        """Return whether the fields already have these values, since they caused the change of the text."""
        said = {name: self._source_of(parameter) for name, parameter in self._by_name().items()}
        if any(said[name] != given.get(name) for name in said):
            return False
        self._given = dict(given)
        return True

    def _by_name(self) -> dict[str, StepParameter]:
        return {each.name: each for each in self._info.parameters} if self._info else {}

    def _add(self, form: QFormLayout, parameter: StepParameter) -> None:
        source = self._given.get(parameter.name)
        is_plain, value = (True, parameter.start_value) if source is None else _value_of(source)
        if not is_plain or not _fits(parameter, value):
            # A name or an expression: it can only be changed in the source.
            form.addRow(parameter.label, _note(source or "default of the function"))
            return
        field = _field(parameter, value)
        field.tooltip = parameter.help or None
        self._widgets[parameter.name] = field
        field.changed.connect(self._reporter(parameter))
        native: QWidget = field.native
        native.setAccessibleName(parameter.label)
        form.addRow(parameter.label, native)
        if parameter.help:
            form.addRow(_note(parameter.help))

    def _reporter(self, parameter: StepParameter) -> Callable[[object], None]:
        def report(_: object) -> None:
            source = self._source_of(parameter)
            if source == self._given.get(parameter.name):
                return
            if source is None:
                self._given.pop(parameter.name, None)
            else:
                self._given[parameter.name] = source
            self.changed.emit(parameter.name, source)

        return report

    def _source_of(self, parameter: StepParameter) -> str | None:
        """Return the source of a field's value; None for the default, the previous source if it is not a literal."""
        field = self._widgets.get(parameter.name)
        if field is None:
            return self._given.get(parameter.name)
        value = field.value
        if parameter.kind is ParameterKind.LITERAL:
            is_literal, value = _value_of(str(value))
            if not is_literal:
                return self._given.get(parameter.name)
        if not parameter.is_required and value == parameter.default and type(value) is type(parameter.default):
            return None
        return source_text(value)


def _field(parameter: StepParameter, value: object) -> "ValueWidget[Any]":
    # Slow to load, and not needed by a window without a form.
    from magicgui import widgets  # noqa: PLC0415

    match parameter.kind:
        case ParameterKind.INTEGER:
            return widgets.SpinBox(value=int(str(value)), min=-_LARGEST, max=_LARGEST)
        case ParameterKind.NUMBER:
            number = float(str(value))
            step = 10.0 ** -max(2, _decimals(number))
            field = widgets.FloatSpinBox(value=number, min=-_LARGEST_NUMBER, max=_LARGEST_NUMBER, step=step)
            field.native.setSingleStep(max(step, 10.0 * step if abs(number) >= 1 else step))
            return field
        case ParameterKind.SWITCH:
            return widgets.CheckBox(value=bool(value), text="")
        case ParameterKind.CHOICE:
            return widgets.ComboBox(value=value, choices=list(parameter.choices))
        case ParameterKind.TEXT:
            return widgets.LineEdit(value=str(value))
        case ParameterKind.LITERAL:
            return widgets.LineEdit(value=source_text(value))


def _fits(parameter: StepParameter, value: object) -> bool:
    """Return whether the field of the parameter can show the value."""
    if parameter.kind is ParameterKind.LITERAL:
        return True
    if parameter.kind is ParameterKind.CHOICE:
        return value in parameter.choices
    is_number = parameter.kind in (ParameterKind.INTEGER, ParameterKind.NUMBER)
    if is_number and isinstance(value, int | float):
        return not isinstance(value, bool) and abs(value) <= _LARGEST
    return isinstance(value, _PLAIN[parameter.kind])


def _value_of(source: str) -> tuple[bool, object]:
    try:
        return True, ast.literal_eval(source.strip())
    except (ValueError, SyntaxError):
        return False, None


def _decimals(number: float) -> int:
    return len(repr(number).partition(".")[2]) if "e" not in repr(number) else 6


def _note(text: str) -> QLabel:
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setEnabled(False)
    return label
