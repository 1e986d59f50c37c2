"""Images and pipeline next to each other while edits are tried, instead of as tabs of one area."""

from PyQt6.QtCore import QEvent, QObject, QTimer
from PyQt6.QtGui import QAction, QKeySequence

from openhcs_gui_services.widgets.tuning.strip import TuningStrip
from openhcs_gui_services.window.docks import Docks
from openhcs_gui_services.window.main_window import MainWindow

__all__ = ["SideBySide"]

_WIDE = 1200
"""Pixels of the window from which two panes fit next to the plates."""
_SHARE = 0.36
"""Part of the window for each of the two."""
_KEYS = "Ctrl+Alt+T"


class SideBySide(QObject):
    """Offers in the strip of the preview to show two panes side by side, and to make them tabs again.

    Args:
        window: the window.
        docks: its panes.
        names: the pane with the images, and that with the pipeline.
        strip: the strip of the preview, which owns the offer.
    """

    def __init__(self, window: MainWindow, docks: Docks, names: tuple[str, str], strip: TuningStrip) -> None:
        super().__init__(strip)
        self._window, self._docks, self._names, self._strip = window, docks, names, strip
        self._laid_out = QTimer(self)
        self._laid_out.setSingleShot(True)
        self._laid_out.timeout.connect(self.update_offer)
        action = QAction("Images and pipeline side by side, or as tabs", strip)
        action.setShortcut(QKeySequence(_KEYS))
        action.triggered.connect(lambda _=False: self.switch())
        strip.addAction(action)
        strip.layout_button.clicked.connect(lambda _=False: self.switch())
        strip.switched.connect(lambda _: self.update_offer())
        strip.shown.connect(self.update_offer)
        window.installEventFilter(self)
        self.update_offer()

    def switch(self) -> None:
        """Show the panes side by side if they are tabs and there is room, or as tabs."""
        images, pipeline = self._names
        if not self._docks.are_tabs(images, pipeline):
            self._docks.make_tabs(images, pipeline)
        elif self._has_room():
            self._docks.put_next_to(images, pipeline, round(self._window.width() * _SHARE))
        self._laid_out.start()

    def update_offer(self) -> None:
        """Offer what can be done now."""
        are_tabs = self._docks.are_tabs(*self._names)
        self._strip.offer_layout("Side by side" if are_tabs else "As tabs", is_on=self._has_room() or not are_tabs)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Offer it while the window is wide enough."""
        if event is not None and event.type() == QEvent.Type.Resize:
            self.update_offer()
        return super().eventFilter(watched, event)

    def _has_room(self) -> bool:
        return self._window.width() >= _WIDE
