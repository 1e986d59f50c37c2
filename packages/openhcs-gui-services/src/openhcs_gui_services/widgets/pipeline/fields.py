"""Fields for the values of parameters: what is typed is one change, and undo is left to the pipeline's history."""

import ast
import contextlib
import re
from collections.abc import Sequence
from typing import Final

from PyQt6.QtCore import QEvent, QLocale, QObject, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QKeyEvent, QKeySequence, QValidator, QWheelEvent
from PyQt6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QHBoxLayout, QLineEdit, QSizePolicy, QWidget

from openhcs_gui_services.services.pipeline.step_form import ParameterKind, StepParameter, source_text

__all__ = [
    "REDO_KEYS",
    "UNDO_KEYS",
    "ChoiceField",
    "Field",
    "LiteralField",
    "NumberField",
    "SwitchField",
    "TextField",
    "make_field",
]

UNDO_KEYS: Final = ("Ctrl+Z",)
REDO_KEYS: Final = ("Ctrl+Shift+Z", "Ctrl+Y")
_TYPING_MS: Final = 350
_LARGEST: Final = 2**31 - 1
_LARGEST_NUMBER: Final = 1e12
_DECIMALS: Final = 9
_NONE: Final = "automatic"
_NUMBER: Final = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_STARTED: Final = re.compile(r"[-+]?\d*\.?\d*([eE][-+]?\d*)?")


class Field(QWidget):
    """Shows one value.

    ``changed`` follows shortly after typing, at once for anything else; :meth:`take_now` doesn't wait. All changes
    until the next :attr:`session`, which begins when the focus comes or Return is pressed, are one edit.
    """

    changed = pyqtSignal()

    def __init__(self, inner: QWidget) -> None:
        super().__init__()
        self.inner = inner
        self.session = 0
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(_TYPING_MS)
        self._typing.timeout.connect(self.changed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(inner)
        self.setFocusProxy(inner)
        for watched in (inner, *inner.findChildren(QLineEdit)):
            watched.installEventFilter(self)

    @property
    def value(self) -> object:
        """The value; setting it is a change by itself."""
        return self._value()

    @value.setter
    def value(self, value: object) -> None:
        self.session += 1
        self.show_value(value)
        self.changed.emit()
        self.session += 1

    def show_value(self, value: object) -> None:
        """Show a value that the text has now, which is no change."""
        if value != self._value() or type(value) is not type(self._value()):
            self._typing.stop()
            self.inner.blockSignals(True)
            self._set_value(value)
            self.inner.blockSignals(False)

    def take_now(self) -> None:
        """Report what has been typed without waiting."""
        if self._typing.isActive():
            self._typing.stop()
            self.changed.emit()

    def name_as(self, name: str, tip: str) -> None:
        """Set the name for screen readers, and the tooltip."""
        for widget in (self, self.inner):
            widget.setAccessibleName(name)
        self.inner.setToolTip(tip)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Leave undo to the pipeline, and the wheel to the form unless the field has the focus."""
        if event is None:
            return False
        kind = event.type()
        if isinstance(event, QKeyEvent) and kind == QEvent.Type.ShortcutOverride and _is_undo(event):
            event.ignore()
            return True
        if isinstance(event, QWheelEvent) and watched is self.inner and not self.inner.hasFocus():
            event.ignore()
            return True
        if kind in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.take_now()
            self.session += 1
        elif isinstance(event, QKeyEvent) and kind == QEvent.Type.KeyPress:
            if _is_undo(event):
                event.ignore()
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self.take_now()
                self.session += 1
        elif kind == QEvent.Type.MouseButtonDblClick and isinstance(watched, QLineEdit):
            watched.selectAll()
            return True
        return super().eventFilter(watched, event)

    def _typed(self) -> None:
        self._typing.start()

    def _value(self) -> object:
        raise NotImplementedError

    def _set_value(self, value: object) -> None:
        raise NotImplementedError


class _NumberBox(QDoubleSpinBox):
    """A number without trailing zeros and thousands separators; empty is None if that is allowed."""

    def __init__(self, decimals: int, is_optional: bool) -> None:
        super().__init__()
        largest = _LARGEST_NUMBER if decimals else float(_LARGEST)
        self._is_optional = is_optional
        self.setLocale(QLocale.c())
        self.setDecimals(decimals)
        self.setRange(-largest - is_optional, largest)
        self.setSpecialValueText(_NONE if is_optional else "")
        self.setAccelerated(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def textFromValue(self, value: float) -> str:
        """Return the shortest text for a number."""
        return f"{value:.{self.decimals()}f}".rstrip("0").rstrip(".") if self.decimals() else str(round(value))

    def valueFromText(self, text: str | None) -> float:
        """Return the number; the smallest one stands for None."""
        plain = self._plain(text)
        if not plain or plain == _NONE:
            return self.minimum() if self._is_optional else self.value()
        return float(plain)

    def validate(self, text: str | None, at: int) -> tuple[QValidator.State, str, int]:
        """Accept numbers with a point or a comma."""
        plain = self._plain(text)
        state = QValidator.State
        if plain == _NONE or (not plain and self._is_optional):
            return state.Acceptable, text or "", at
        if _NUMBER.fullmatch(plain) and (self.decimals() or "." not in plain):
            is_in = self.minimum() <= float(plain) <= self.maximum()
            return (state.Acceptable if is_in else state.Invalid), text or "", at
        is_begun = _STARTED.fullmatch(plain) or (self._is_optional and _NONE.startswith(plain))
        return (state.Intermediate if is_begun else state.Invalid), text or "", at

    def _plain(self, text: str | None) -> str:
        """Return what was typed, with a decimal point."""
        return (text or "").strip().replace(",", ".")

    def stepBy(self, steps: int) -> None:
        """Step from 0 if there is no number yet."""
        if self._is_optional and self.value() == self.minimum():
            self.setValue(0)
        super().stepBy(steps)


class NumberField(Field):
    """A number, whole if ``is_whole``; None, shown as "automatic", if ``is_optional``."""

    def __init__(self, *, is_whole: bool, is_optional: bool) -> None:
        self._box = _NumberBox(0 if is_whole else _DECIMALS, is_optional)
        self._is_whole, self._is_optional = is_whole, is_optional
        super().__init__(self._box)
        self._box.valueChanged.connect(lambda _: self._typed())

    def _value(self) -> object:
        number = self._box.value()
        if self._is_optional and number == self._box.minimum():
            return None
        return round(number) if self._is_whole else number

    def _set_value(self, value: object) -> None:
        number = self._box.minimum() if value is None else float(str(value))
        size = abs(number) if value is not None else 10.0
        self._box.setSingleStep(1.0 if self._is_whole or size >= 10 else 0.1 if size >= 0.2 or not size else 0.01)
        self._box.setValue(number)


class TextField(Field):
    """A text."""

    def __init__(self) -> None:
        self._line = QLineEdit()
        super().__init__(self._line)
        self._line.textEdited.connect(lambda _: self._typed())

    def _value(self) -> object:
        return self._line.text()

    def _set_value(self, value: object) -> None:
        self._line.setText(str(value))


class LiteralField(TextField):
    """Any other value, written in Python, or nothing for None; an unfinished one is not taken."""

    def __init__(self) -> None:
        super().__init__()
        self._line.setPlaceholderText(_NONE)
        self._last: object = None

    def _value(self) -> object:
        text = self._line.text().strip()
        with contextlib.suppress(ValueError, SyntaxError):  # still being typed
            self._last = ast.literal_eval(text) if text else None
        return self._last

    def _set_value(self, value: object) -> None:
        self._last = value
        self._line.setText("" if value is None else source_text(value))


class SwitchField(Field):
    """True or False."""

    def __init__(self) -> None:
        self._box = QCheckBox()
        super().__init__(self._box)
        self._box.toggled.connect(lambda _: self._toggled())

    def _toggled(self) -> None:
        self.session += 1
        self.changed.emit()

    def _value(self) -> object:
        return self._box.isChecked()

    def _set_value(self, value: object) -> None:
        self._box.setChecked(bool(value))


class ChoiceField(Field):
    """One of several values, each with a title."""

    def __init__(self, choices: Sequence[tuple[object, str]]) -> None:
        self._box = QComboBox()
        self._box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._box.setMinimumContentsLength(8)
        self._box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        super().__init__(self._box)
        self.set_choices(choices)
        self._box.currentIndexChanged.connect(lambda _: self._chosen())

    def set_choices(self, choices: Sequence[tuple[object, str]]) -> None:
        """Offer these values, which is no change; the current one stays chosen if it is among them."""
        if [(self._box.itemData(at), self._box.itemText(at)) for at in range(self._box.count())] == [*choices]:
            return
        value = self._value()
        self._box.blockSignals(True)
        self._box.clear()
        for each, title in choices:
            self._box.addItem(title, each)
        self._set_value(value)
        self._box.blockSignals(False)

    def _chosen(self) -> None:
        self.session += 1
        self.changed.emit()

    def _value(self) -> object:
        return self._box.currentData()

    def _set_value(self, value: object) -> None:
        at = next((at for at in range(self._box.count()) if self._box.itemData(at) == value), -1)
        self._box.setCurrentIndex(at)


def make_field(parameter: StepParameter) -> Field:
    """Return the field for a parameter."""
    match parameter.kind:
        case ParameterKind.INTEGER | ParameterKind.NUMBER:
            is_whole = parameter.kind is ParameterKind.INTEGER
            return NumberField(is_whole=is_whole, is_optional=parameter.is_optional)
        case ParameterKind.SWITCH:
            return SwitchField()
        case ParameterKind.CHOICE:
            return ChoiceField([(each, _choice_title(each, parameter)) for each in parameter.choices])
        case ParameterKind.TEXT:
            return TextField()
        case ParameterKind.LITERAL:
            return LiteralField()


def _choice_title(value: object, parameter: StepParameter) -> str:
    if value is None:
        return parameter.none_title or _NONE
    return str(value).replace("_", " ") if parameter.title else str(value)


def _is_undo(event: QKeyEvent) -> bool:
    pressed = QKeySequence(event.keyCombination())
    return any(pressed == QKeySequence(keys) for keys in (*UNDO_KEYS, *REDO_KEYS))
