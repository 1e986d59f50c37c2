"""The fields of the settings dialog: what each is called, what its help says, and the widget to enter it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QWidget

from openhcs_gui_services.services.notice_targets import MailSecurity
from openhcs_gui_services.services.settings_fields import NO, YES, SettingsField

__all__ = ["FIELDS", "PAGES", "FieldSpec", "SettingsInput", "input_for"]

GENERAL, RUNS, NOTICES = "General", "Runs", "Notices"
PAGES: Final = (GENERAL, RUNS, NOTICES)


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field of the dialog.

    Attributes:
        page: the page that it is on.
        label: its name.
        hint: what stands in the empty field.
        help: one or two sentences below it.
        choices: texts to choose from, as (text in the form, text shown).
        is_open: whether other texts than the choices can be typed.
        is_switch: whether it is on or off.
    """

    page: str
    label: str
    hint: str = ""
    help: str = ""
    choices: Sequence[tuple[str, str]] = ()
    is_open: bool = True
    is_switch: bool = False


FIELDS: Final = {
    SettingsField.HOST: FieldSpec(
        GENERAL,
        "Server host",
        "this machine",
        "Leave empty for a server on this machine, started when needed.",
    ),
    SettingsField.PORT: FieldSpec(GENERAL, "Server port", "7777", "The control port is 1000 higher."),
    SettingsField.SERVER_KEY: FieldSpec(
        GENERAL,
        "Server key",
        "public key of a server on another machine",
        "A server on another machine prints its key when it starts, and needs the key of this machine.",
    ),
    SettingsField.WORKERS: FieldSpec(
        RUNS, "Workers", "as set in the pipeline", "How many wells are processed at the same time, or auto."
    ),
    SettingsField.VIEWER: FieldSpec(
        RUNS,
        "Viewer",
        "none during runs",
        "Shows images while plates run: napari, fiji, napari:PORT or HOST:PORT. Left empty, nothing is shown during "
        "runs, and View opens napari.",
    ),
    SettingsField.PLATE_FORMAT: FieldSpec(
        RUNS, "Plate format", "detected", "Only for plates whose format can't be told from their files."
    ),
    SettingsField.PATTERN: FieldSpec(
        RUNS,
        "File names",
        "as the microscope writes them",
        "A regular expression for file names that no format knows, such as "
        r"(?P<well>[A-P]\d+)_s(?P<site>\d+)_c(?P<channel>\d+). The word auto proposes one for each plate.",
    ),
    SettingsField.PAGES: FieldSpec(
        RUNS,
        "Pages of files",
        "as the files say",
        "What the pages of TIFF files are if they don't say it: z, channel, time, or C2Z for all planes of channel 1, "
        "then those of channel 2.",
    ),
    SettingsField.OUTPUT_DIR: FieldSpec(
        RUNS, "Results folder", "next to each plate", "A folder in which each plate gets a subfolder for its runs."
    ),
    SettingsField.NOTIFY_DESKTOP: FieldSpec(NOTICES, "Desktop", "Show a notice when plates have ended", is_switch=True),
    SettingsField.WEBHOOK_URL: FieldSpec(
        NOTICES,
        "Webhook",
        "https://...",
        "An address that gets the end of a run as JSON, as Slack, Mattermost and scripts take it.",
    ),
    SettingsField.MAIL_TO: FieldSpec(
        NOTICES, "Mail to", "nobody", "Who gets a mail that names the failed wells; separate addresses by commas."
    ),
    SettingsField.MAIL_FROM: FieldSpec(NOTICES, "Mail from", "the first recipient"),
    SettingsField.SMTP_HOST: FieldSpec(NOTICES, "Mail server", "smtp.lab.org"),
    SettingsField.SMTP_SECURITY: FieldSpec(
        NOTICES,
        "Encryption",
        choices=(
            (MailSecurity.STARTTLS.value, "STARTTLS (usual, port 587)"),
            (MailSecurity.TLS.value, "TLS (port 465)"),
            (MailSecurity.NONE.value, "None (port 25)"),
        ),
        is_open=False,
    ),
    SettingsField.SMTP_PORT: FieldSpec(NOTICES, "Mail port", "the usual one"),
    SettingsField.SMTP_USER: FieldSpec(NOTICES, "Mail user", "no login"),
}
"""The fields, in the order in which they are shown on their pages."""


class SettingsInput(QObject):
    """A field with a text, whatever widget it is.

    Args:
        widget: a line edit, a combo box (editable, or with the text of the form as data) or a check box.
        text: what it shows at first.
    """

    changed = pyqtSignal()

    def __init__(self, widget: QLineEdit | QComboBox | QCheckBox, text: str) -> None:
        super().__init__(widget)
        self.widget = widget
        self.set_text(text)
        if isinstance(widget, QCheckBox):
            widget.toggled.connect(lambda _: self.changed.emit())
        elif isinstance(widget, QComboBox):
            widget.currentTextChanged.connect(lambda _: self.changed.emit())
        else:
            widget.textChanged.connect(lambda _: self.changed.emit())

    @property
    def edit(self) -> QLineEdit | None:
        """The line edit, for a field into which text is typed."""
        return self.widget.lineEdit() if isinstance(self.widget, QComboBox) else _line_edit(self.widget)

    def text(self) -> str:
        """Return the text for the form."""
        if isinstance(self.widget, QCheckBox):
            return YES if self.widget.isChecked() else NO
        if isinstance(self.widget, QComboBox):
            return self.widget.currentText() if self.widget.isEditable() else str(self.widget.currentData())
        return self.widget.text()

    def set_text(self, text: str) -> None:
        """Show a text of the form."""
        if isinstance(self.widget, QCheckBox):
            self.widget.setChecked(text == YES)
        elif isinstance(self.widget, QComboBox) and not self.widget.isEditable():
            self.widget.setCurrentIndex(max(0, self.widget.findData(text)))
        elif isinstance(self.widget, QComboBox):
            self.widget.setEditText(text)
        else:
            self.widget.setText(text)


def input_for(spec: FieldSpec, text: str, choices: Sequence[str] = ()) -> SettingsInput:
    """Return the widget for a field.

    Args:
        spec: the field.
        text: what it shows at first.
        choices: suggestions for a field into which text is typed.
    """
    if spec.is_switch:
        return SettingsInput(QCheckBox(spec.hint), text)
    if not spec.choices and not choices:
        edit = QLineEdit()
        edit.setPlaceholderText(spec.hint)
        return SettingsInput(edit, text)
    box = QComboBox()
    box.setMinimumContentsLength(12)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    if spec.choices:
        for value, shown in spec.choices:
            box.addItem(shown, value)
    else:
        box.addItems(["", *choices])
        box.setEditable(spec.is_open)
        typed = box.lineEdit()
        assert typed is not None
        typed.setPlaceholderText(spec.hint)
    return SettingsInput(box, text)


def _line_edit(widget: QWidget) -> QLineEdit | None:
    return widget if isinstance(widget, QLineEdit) else None
