"""A dialog for the settings of a window, which shows problems below each field; settings are saved with QSettings."""

from collections.abc import Callable, Sequence
from typing import Final

from PyQt6.QtCore import QSettings, Qt, pyqtSignal
from PyQt6.QtGui import QGuiApplication, QPalette
from PyQt6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.services.settings import SettingsField, SettingsForm, WindowSettings, read_form
from openhcs_gui_services.widgets.common.colours import tone_colour

__all__ = ["SettingsDialog", "load_settings", "save_settings"]

_GROUP: Final = "window"
_LABELS: Final = {
    SettingsField.HOST: "Server host",
    SettingsField.PORT: "Server port",
    SettingsField.SERVER_KEY: "Server key",
    SettingsField.WORKERS: "Workers",
    SettingsField.VIEWER: "Viewer",
}
_HINTS: Final = {
    SettingsField.HOST: "this machine",
    SettingsField.PORT: "7777",
    SettingsField.SERVER_KEY: "public key of a server on another machine",
    SettingsField.WORKERS: "as set in the pipeline",
    SettingsField.VIEWER: "none",
}
_TIPS: Final = {
    SettingsField.HOST: "Leave empty for a server on this machine, which is started automatically.",
    SettingsField.PORT: "Data port of the server; the control port is 1000 higher.",
    SettingsField.SERVER_KEY: "A server on another machine prints its key at the start, and needs this machine's key.",
    SettingsField.WORKERS: "Number of wells processed at the same time, or auto.",
    SettingsField.VIEWER: "napari or fiji on this machine, napari:PORT, or HOST:PORT.",
}


class SettingsDialog(QDialog):
    """Dialog for :class:`WindowSettings`; OK is enabled only while all fields are valid.

    Args:
        settings: initial values of the fields.
        own_key: returns the public key of this machine's clients, to be admitted by servers on other machines; called
            only when the key is copied, since it may create the key.
        viewers: suggestions for the viewer field.
        parent: the parent widget.
    """

    settings_accepted = pyqtSignal(object)
    """The new :class:`WindowSettings`."""

    def __init__(
        self,
        settings: WindowSettings,
        own_key: Callable[[], str] | None = None,
        viewers: Sequence[str] = ("napari", "fiji"),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Settings")
        form = SettingsForm.of(settings)
        self._fields = {field: QLineEdit(str(getattr(form, field))) for field in SettingsField}
        self._problems = {field: QLabel() for field in SettingsField}
        self._viewer = QComboBox()
        self._viewer.addItems(["", *viewers])
        self._viewer.setEditable(True)
        self._viewer.setLineEdit(self._fields[SettingsField.VIEWER])
        self._viewer.setEditText(form.viewer)
        standard = QDialogButtonBox.StandardButton
        self._buttons = QDialogButtonBox(standard.Ok | standard.Cancel)
        self._lay_out(own_key)
        for edit in self._fields.values():
            edit.textChanged.connect(lambda _: self._check())
        self._check()

    def field(self, field: SettingsField) -> QLineEdit:
        """Return the input field of a setting."""
        return self._fields[field]

    def problem(self, field: SettingsField) -> str:
        """Return the problem with the current text of a field; empty if there is none."""
        return self._problems[field].text()

    def settings(self) -> WindowSettings | None:
        """Return the settings in the fields; None while any field is invalid."""
        found = read_form(SettingsForm(**{field.value: edit.text() for field, edit in self._fields.items()}))
        return found if isinstance(found, WindowSettings) else None

    def accept(self) -> None:
        """Accept the settings if all fields are valid."""
        found = self.settings()
        if found is not None:
            self.settings_accepted.emit(found)
            super().accept()

    # --- parts ---------------------------------------------------------------------------------------------------

    def _lay_out(self, own_key: Callable[[], str] | None) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for field in SettingsField:
            edit, problem = self._fields[field], self._problems[field]
            edit.setPlaceholderText(_HINTS[field])
            edit.setToolTip(_TIPS[field])
            edit.setAccessibleName(_LABELS[field])
            problem.setWordWrap(True)
            problem.setTextFormat(Qt.TextFormat.PlainText)
            form.addRow(_LABELS[field], self._viewer if field is SettingsField.VIEWER else edit)
            form.addRow("", problem)
        if own_key is not None:
            form.addRow("This machine's key", self._key_row(own_key))
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addStretch(1)
        layout.addWidget(self._buttons)
        self.setMinimumWidth(460)

    def _key_row(self, own_key: Callable[[], str]) -> QHBoxLayout:
        note = QLabel("for servers on other machines")
        copy = QToolButton()
        copy.setText("Copy")
        copy.setToolTip("Copy the public key of this machine, to be admitted by a server on another machine")

        def to_clipboard() -> None:
            clipboard = QGuiApplication.clipboard()
            if clipboard is not None:
                clipboard.setText(own_key())
                note.setText("copied")

        copy.clicked.connect(lambda _=False: to_clipboard())
        row = QHBoxLayout()
        row.addWidget(note, 1)
        row.addWidget(copy)
        return row

    def _check(self) -> None:
        found = read_form(SettingsForm(**{field.value: edit.text() for field, edit in self._fields.items()}))
        problems = {} if isinstance(found, WindowSettings) else found
        for field, label in self._problems.items():
            text = problems.get(field, "")
            label.setText(text)
            label.setVisible(bool(text))
            palette = QPalette(self.palette())
            palette.setColor(QPalette.ColorRole.WindowText, tone_colour(Tone.BAD, self.palette()))
            label.setPalette(palette)
            self._fields[field].setAccessibleDescription(text)
        ok = self._buttons.button(QDialogButtonBox.StandardButton.Ok)
        assert ok is not None
        ok.setEnabled(not problems)


def load_settings(store: QSettings) -> WindowSettings:
    """Return the saved settings, with defaults for those that are missing or no longer valid."""
    texts = {field: store.value(f"{_GROUP}/{field.value}") for field in SettingsField}
    kept = {field.value: str(text) for field, text in texts.items() if text is not None}
    found = read_form(SettingsForm(**kept))
    if isinstance(found, WindowSettings):
        return found
    good = {name: text for name, text in kept.items() if SettingsField(name) not in found}
    again = read_form(SettingsForm(**good))
    return again if isinstance(again, WindowSettings) else WindowSettings()


def save_settings(store: QSettings, settings: WindowSettings) -> None:
    """Save the settings for the next window."""
    form = SettingsForm.of(settings)
    for field in SettingsField:
        store.setValue(f"{_GROUP}/{field.value}", str(getattr(form, field)))
    store.sync()
