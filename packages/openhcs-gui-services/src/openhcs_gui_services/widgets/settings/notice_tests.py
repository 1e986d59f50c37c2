"""The lower part of the page of notices: the password of the mail account, and a test notice."""

from typing import Final

from PyQt6.QtCore import QObject, Qt, pyqtSignal
from PyQt6.QtGui import QPalette
from PyQt6.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QLineEdit, QWidget

from openhcs_gui_services.services.notice_password import PASSWORD_VARIABLE, has_keyring
from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.widgets.common.buttons import push_button
from openhcs_gui_services.widgets.common.colours import faint_text, tone_colour

__all__ = ["NoticeTests", "wrapped_label"]

_WITHOUT_KEYRING: Final = (
    f"It comes from the environment variable {PASSWORD_VARIABLE}. To keep it in the system's keyring instead: "
    "pip install 'openhcs-gui-services[keyring]'"
)


class NoticeTests(QObject):
    """Asks for the password, if there is a keyring to store it in, and for a test notice; shows what came of it.

    Args:
        form: the form to which its rows are added.
        parent: its owner.
    """

    test_wanted = pyqtSignal()
    password_given = pyqtSignal(str)

    def __init__(self, form: QFormLayout, parent: QObject) -> None:
        super().__init__(parent)
        self._password = QLineEdit()
        self._outcome = QLabel()
        self._outcome.setWordWrap(True)
        self._outcome.setTextFormat(Qt.TextFormat.PlainText)
        self._outcome.setAccessibleName("What came of the test")
        if has_keyring():
            form.addRow("Mail password", self._password_row())
        else:
            form.addRow("Mail password", wrapped_label(_WITHOUT_KEYRING))
        self.button = push_button(
            "Send a test notice", "Send an example to all that is set here", self.test_wanted.emit
        )
        """Starts a test; it is not in the form, where problems that appear would move it."""
        form.addRow(self._outcome)

    @property
    def outcome(self) -> str:
        """What is shown of the last test."""
        return self._outcome.text()

    @property
    def shown(self) -> QWidget:
        """The widget that shows it."""
        return self._outcome

    def show_outcome(self, text: str, is_error: bool = False) -> None:
        """Show what came of a test, or of storing the password."""
        palette = QPalette(self._password.palette())
        if is_error:
            palette.setColor(QPalette.ColorRole.WindowText, tone_colour(Tone.BAD, palette))
        self._outcome.setPalette(palette)
        self._outcome.setText(text)

    def _password_row(self) -> QHBoxLayout:
        self._password.setEchoMode(QLineEdit.EchoMode.Password)
        self._password.setPlaceholderText("kept in the system's keyring")
        self._password.setAccessibleName("Mail password")
        row = QHBoxLayout()
        row.addWidget(self._password, 1)
        row.addWidget(push_button("Store", "Store the password in the system's keyring", self._store))
        return row

    def _store(self) -> None:
        if password := self._password.text():
            self._password.clear()
            self.password_given.emit(password)


def wrapped_label(text: str) -> QLabel:
    """Return a faint text that wraps, such as the help of a field."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    palette = QPalette(label.palette())
    palette.setColor(QPalette.ColorRole.WindowText, faint_text(palette))
    label.setPalette(palette)
    return label
