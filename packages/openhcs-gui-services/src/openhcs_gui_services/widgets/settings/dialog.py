"""A dialog for the settings of a window, which shows problems below each field; settings are saved with QSettings."""

from collections.abc import Callable, Sequence
from typing import Final

from PyQt6.QtCore import QSettings, QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QGuiApplication, QPalette
from PyQt6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.services.servers.nodes import ServerAddress
from openhcs_gui_services.services.settings import SettingsForm, WindowSettings, read_form
from openhcs_gui_services.services.settings_checks import plate_formats
from openhcs_gui_services.services.settings_fields import SettingsField
from openhcs_gui_services.widgets.common.colours import tone_colour
from openhcs_gui_services.widgets.common.form_page import FormPage
from openhcs_gui_services.widgets.common.text import plain_tooltip
from openhcs_gui_services.widgets.settings.fields import (
    FIELDS,
    GENERAL,
    NOTICES,
    PAGES,
    FieldSpec,
    SettingsInput,
    input_for,
)
from openhcs_gui_services.widgets.settings.notice_tests import NoticeTests, wrapped_label

__all__ = ["SettingsDialog", "in_use_text", "load_settings", "save_settings"]

_GROUP: Final = "window"
_SIZE, _LARGEST = QSize(560, 560), QSize(900, 680)


class SettingsDialog(QDialog):
    """Dialog for :class:`WindowSettings`, in pages; OK is enabled only while all fields are valid.

    Args:
        settings: initial values of the fields.
        own_key: returns the public key of this machine's clients, to be admitted by servers on other machines; called
            only when the key is copied, since it may create the key.
        viewers: suggestions for the viewer field.
        parent: the parent widget.
        in_use: the server that the window works with, if the command line named it.
    """

    settings_accepted = pyqtSignal(object)
    """The new :class:`WindowSettings`."""
    test_wanted = pyqtSignal(object)
    """A test notice should be sent as these :class:`WindowSettings` say; call :meth:`show_test` with what happened."""
    password_given = pyqtSignal(str, str, str)
    """A password should be stored: mail server, user, password; call :meth:`show_test` with what happened."""

    test_shown = pyqtSignal()
    """What became of a test notice, or of a password, is shown."""

    def __init__(
        self,
        settings: WindowSettings,
        own_key: Callable[[], str] | None = None,
        viewers: Sequence[str] = ("napari", "fiji"),
        parent: QWidget | None = None,
        in_use: ServerAddress | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Settings")
        form = SettingsForm.of(settings)
        choices = {SettingsField.VIEWER: viewers, SettingsField.PLATE_FORMAT: plate_formats()}
        self._inputs = {
            field: input_for(spec, str(getattr(form, field)), choices.get(field, ())) for field, spec in FIELDS.items()
        }
        self._problems = {field: QLabel() for field in FIELDS}
        self._pages = QTabWidget()
        standard = QDialogButtonBox.StandardButton
        self._buttons = QDialogButtonBox(standard.Ok | standard.Cancel)
        self._reveal = QTimer(self)
        self._reveal.setSingleShot(True)
        self._reveal.timeout.connect(self._reveal_tests)
        self._lay_out(own_key, in_use_text(settings, in_use))
        for each in self._inputs.values():
            each.changed.connect(self._check)
        self._check()

    def field(self, field: SettingsField) -> QLineEdit:
        """Return the input field of a setting that is typed.

        Raises:
            TypeError: it is chosen or switched on and off; see :meth:`input`.
        """
        edit = self._inputs[field].edit
        if edit is None:
            raise TypeError(f"{field} is not typed: use input()")
        return edit

    def input(self, field: SettingsField) -> SettingsInput:
        """Return the field of a setting, whatever widget it is."""
        return self._inputs[field]

    def show_page(self, page: str) -> None:
        """Show a page: General, Runs or Notices."""
        self._pages.setCurrentIndex(PAGES.index(page))

    def problem(self, field: SettingsField) -> str:
        """Return the problem with the current text of a field; empty if there is none."""
        return self._problems[field].text()

    def settings(self) -> WindowSettings | None:
        """Return the settings in the fields; None while any field is invalid."""
        found = read_form(self._form())
        return found if isinstance(found, WindowSettings) else None

    def show_test(self, text: str, is_error: bool = False) -> None:
        """Show what became of a test notice, or of a password."""
        self._tests.show_outcome(text, is_error)
        self.test_shown.emit()
        self._reveal.start()  # the page has grown by then

    @property
    def test_outcome(self) -> str:
        """What is shown of the last test notice or password."""
        return self._tests.outcome

    def accept(self) -> None:
        """Accept the settings if all fields are valid."""
        found = self.settings()
        if found is not None:
            self.settings_accepted.emit(found)
            super().accept()

    def sizeHint(self) -> QSize:
        """Return a size that leaves room on the smallest screens; the pages scroll."""
        screen = self.screen()
        room = _LARGEST if screen is None else (screen.availableSize() * 0.9).boundedTo(_LARGEST)
        metrics = self.fontMetrics()
        wanted = QSize(72 * metrics.averageCharWidth(), 34 * metrics.height())
        return wanted.expandedTo(_SIZE).boundedTo(room)

    # --- parts ---------------------------------------------------------------------------------------------------

    def _form(self) -> SettingsForm:
        return SettingsForm(**{field.value: each.text() for field, each in self._inputs.items()})

    def _lay_out(self, own_key: Callable[[], str] | None, note: str) -> None:
        forms = {page: self._add_page(page) for page in PAGES}
        for field, spec in FIELDS.items():
            helps = [spec.help, note if field is SettingsField.PORT else ""]
            forms[spec.page].addRow(spec.label, self._cell(field, spec, helps))
        if own_key is not None:
            forms[GENERAL].addRow("This machine's key", _key_row(own_key))
        self._tests = NoticeTests(forms[NOTICES], self)
        self._tests.test_wanted.connect(self._want_test)
        self._tests.password_given.connect(self._give_password)
        self._buttons.addButton(self._tests.button, QDialogButtonBox.ButtonRole.ActionRole)
        self._pages.currentChanged.connect(self._show_test_button)
        self._show_test_button(self._pages.currentIndex())
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self._pages, 1)
        layout.addWidget(self._buttons)

    def _add_page(self, title: str) -> QFormLayout:
        page = FormPage()
        self._pages.addTab(page, title)
        return page.form

    def _cell(self, field: SettingsField, spec: FieldSpec, helps: Sequence[str]) -> QWidget:
        """Return the input of a field with its problem and its help below."""
        cell, problem = QWidget(), self._problems[field]
        widget, edit = self._inputs[field].widget, self._inputs[field].edit
        for each in (cell, widget, edit):
            if each is not None:
                each.setAccessibleName(spec.label)
        widget.setToolTip(plain_tooltip(spec.help))
        problem.setWordWrap(True)
        problem.setTextFormat(Qt.TextFormat.PlainText)
        layout = QVBoxLayout(cell)
        layout.setContentsMargins(0, 0, 0, 6)
        layout.setSpacing(3)
        layout.addWidget(widget)
        layout.addWidget(problem)
        for text in filter(None, helps):
            layout.addWidget(wrapped_label(text))
        return cell

    def _show_test_button(self, page: int) -> None:
        self._tests.button.setVisible(page == PAGES.index(NOTICES))

    def _reveal_tests(self) -> None:
        area = self._pages.widget(PAGES.index(NOTICES))
        if isinstance(area, QScrollArea):
            area.ensureWidgetVisible(self._tests.shown)

    def _want_test(self) -> None:
        found = self.settings()
        if found is None:
            self.show_test("Correct the marked fields first", True)
        else:
            self.show_test("Sending ...")
            self.test_wanted.emit(found)

    def _give_password(self, password: str) -> None:
        host, user = (
            self._inputs[field].text().strip() for field in (SettingsField.SMTP_HOST, SettingsField.SMTP_USER)
        )
        if host and user:
            self.password_given.emit(host, user, password)
        else:
            self.show_test("Enter the mail server and the mail user first", True)

    def _check(self) -> None:
        found = read_form(self._form())
        problems = {} if isinstance(found, WindowSettings) else found
        palette = QPalette(self.palette())
        palette.setColor(QPalette.ColorRole.WindowText, tone_colour(Tone.BAD, self.palette()))
        for field, label in self._problems.items():
            text = problems.get(field, "")
            label.setText(text)
            label.setVisible(bool(text))
            label.setPalette(palette)
            self._inputs[field].widget.setAccessibleDescription(text)
        for number, page in enumerate(PAGES):
            is_wrong = any(FIELDS[field].page == page for field in problems)
            self._pages.setTabText(number, f"{page} (!)" if is_wrong else page)
        ok = self._buttons.button(QDialogButtonBox.StandardButton.Ok)
        assert ok is not None
        ok.setEnabled(not problems)


def in_use_text(settings: WindowSettings, in_use: ServerAddress | None) -> str:
    """Return which server a window works with, if that is not the one of the settings; "" if it is."""
    if in_use is None or (in_use.host or "", in_use.port) == (settings.host, settings.port):
        return ""
    here = f"port {in_use.port} (--port)" if not in_use.host else f"{in_use.host}, port {in_use.port} (--host, --port)"
    next_time = f"{settings.host}, port {settings.port}" if settings.host else str(settings.port)
    return f"This window uses {here}; {next_time} is used next time."


def _key_row(own_key: Callable[[], str]) -> QHBoxLayout:
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


def load_settings(store: QSettings) -> WindowSettings:
    """Return the saved settings, with defaults for those that are missing or no longer valid."""
    texts = {field: store.value(f"{_GROUP}/{field.value}") for field in SettingsField}
    kept = {field.value: str(text) for field, text in texts.items() if text is not None}
    found = read_form(SettingsForm(**kept), is_saved=True)
    if isinstance(found, WindowSettings):
        return found
    good = {name: text for name, text in kept.items() if SettingsField(name) not in found}
    again = read_form(SettingsForm(**good), is_saved=True)
    return again if isinstance(again, WindowSettings) else WindowSettings()


def save_settings(store: QSettings, settings: WindowSettings) -> None:
    """Save the settings for the next window."""
    form = SettingsForm.of(settings)
    for field in SettingsField:
        store.setValue(f"{_GROUP}/{field.value}", str(getattr(form, field)))
    store.sync()
