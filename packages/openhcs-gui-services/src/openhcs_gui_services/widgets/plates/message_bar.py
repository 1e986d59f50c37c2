"""The line below the plates: messages, which go when their cause goes, and the progress of all running plates."""

from collections.abc import Callable
from dataclasses import dataclass

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from openhcs_gui_services.widgets.common.elided_label import ElidedLabel

__all__ = ["MessageBar", "Offer"]


@dataclass(frozen=True, slots=True)
class Offer:
    """A button next to a message."""

    text: str
    tooltip: str
    call: Callable[[], object]


@dataclass(frozen=True, slots=True)
class _Message:
    text: str
    is_error: bool
    path: str
    offer: Offer | None = None


class MessageBar(QWidget):
    """Shows one message at a time. What is said of the server stays until the server is back, above all others."""

    def __init__(self) -> None:
        super().__init__()
        self._server: _Message | None = None
        self._said: _Message | None = None
        self._summary: _Message | None = None
        self._label = ElidedLabel(mode=Qt.TextElideMode.ElideRight)
        self._offer = QPushButton()
        self._offer.setAutoDefault(False)
        self._offer.clicked.connect(self._take_offer)
        self._batch = QLabel()
        self._batch.setTextFormat(Qt.TextFormat.PlainText)
        self._batch.setAccessibleName("Progress of all plates")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._label, 1)
        layout.addWidget(self._offer)
        layout.addWidget(self._batch)
        self.setFixedHeight(self._offer.sizeHint().height())  # nothing moves when the button comes and goes
        self._show()

    def text(self) -> str:
        """Return the shown message."""
        shown = self._shown()
        return "" if shown is None else shown.text

    def say_end(self, text: str, is_error: bool) -> None:
        """Show how several plates have ended, until something else is done; other messages follow it."""
        self._summary = _Message(text, is_error, "") if text else None
        self._show()

    def say(self, text: str, is_error: bool, path: str = "", offer: Offer | None = None) -> None:
        """Show a message about a plate, or about none."""
        self._said = _Message(text, is_error, path, offer) if text else None
        self._show()

    def say_server(self, text: str, is_error: bool) -> None:
        """Show that the server is away; "" once it is back."""
        self._server = _Message(text, is_error, "") if text else None
        self._show()

    def forget(self, path: str | None = None) -> None:
        """Drop the message: any, or only one about this plate."""
        if path is None and self._summary is not None:
            self._summary = None
            self._show()
        if self._said is not None and path in (None, self._said.path):
            self._said = None
            self._show()

    def leave(self, path: str) -> None:
        """Drop a message about another plate than the one at ``path``."""
        if self._said is not None and self._said.path not in ("", path) and self._said.offer is None:
            self._said = None
            self._show()

    def show_batch(self, text: str) -> None:
        """Show the progress of all running plates."""
        self._batch.setText(text)

    def batch_text(self) -> str:
        """Return the shown progress of all running plates."""
        return self._batch.text()

    def _shown(self) -> _Message | None:
        end, said = self._summary, self._said
        if self._server is not None or end is None:
            return self._server or said
        if said is None or said.path:  # what is said of a plate is in the summary
            return end
        return _Message(f"{end.text}  \u00b7  {said.text}", end.is_error or said.is_error, "")

    def _show(self) -> None:
        shown = self._shown()
        self._label.show_text("" if shown is None else shown.text, shown is not None and shown.is_error)
        offer = None if self._server is not None or self._said is None else self._said.offer
        self._offer.setVisible(offer is not None)
        if offer is not None:
            self._offer.setText(offer.text)
            self._offer.setToolTip(offer.tooltip)

    def _take_offer(self) -> None:
        offer = None if self._said is None else self._said.offer
        self.forget()
        if offer is not None:
            offer.call()
