"""A dock widget for the user's napari that opens a viewer port and shows what producers send in this window."""

import contextlib
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFormLayout, QLabel, QPushButton, QSpinBox, QWidget

from openhcs_runtime.tasks import OPENHCS_CONFIG
from openhcs_runtime.viewers.napari.server import NapariViewerServer
from zmqruntime import ZMQConfig, ZMQRuntimeError
from zmqruntime.streaming import ViewerPort

__all__ = ["StreamWidget"]

_COUNT_MS = 250


class StreamWidget(QWidget):
    """Start and stop button, port, and counts.

    Args:
        napari_viewer: the viewer it is docked in; napari passes it under this name.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        # Plugins get a wrapped viewer without the canvas, which is needed to know when images have been drawn.
        self._viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self._server: NapariViewerServer | None = None
        self._port = QSpinBox()
        self._port.setRange(1024, 64535)
        self._port.setValue(ViewerPort.NAPARI)
        self._button = QPushButton("Start")
        self._button.clicked.connect(self.toggle)
        self._state = QLabel("Not started")
        self._state.setWordWrap(True)
        layout = QFormLayout(self)
        layout.addRow("Port", self._port)
        layout.addRow(self._button)
        layout.addRow(self._state)
        self._form = layout
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._show_counts)
        self._running = contextlib.ExitStack()
        self.destroyed.connect(self._running.close)

    @property
    def is_started(self) -> bool:
        """Whether producers can send."""
        return self._server is not None

    def toggle(self) -> None:
        """Start if stopped, stop if started."""
        if self._server is None:
            self.start()
        else:
            self.stop()

    def start(self, port: int | None = None, config: ZMQConfig | None = None) -> None:
        """Open the port, by default the one entered; shows the error if that fails."""
        if self._server is not None:
            return
        if port is not None:
            self._port.setValue(port)
        server = NapariViewerServer(self._port.value(), config=config or OPENHCS_CONFIG, viewer=self._viewer)
        try:
            server.start()
        except ZMQRuntimeError as error:
            self._state.setText(str(error))
            return
        self._server = server
        self._form.addRow("Plate", server.plates)
        self._running.callback(server.close)
        self._port.setEnabled(False)
        self._button.setText("Stop")
        self._timer.start(_COUNT_MS)
        self._show_counts()

    def stop(self) -> None:
        """Close the port; the layers are kept. Can be called more than once."""
        server, self._server = self._server, None
        if server is None:
            return
        self._timer.stop()
        self._form.removeRow(server.plates)
        self._running.close()
        self._port.setEnabled(True)
        self._button.setText("Start")
        self._state.setText(f"Stopped. {_counts(server)}")

    @property
    def text(self) -> str:
        """The status text."""
        return self._state.text()

    def _show_counts(self) -> None:
        if self._server is not None:
            self._state.setText(f"Waiting for images on port {self._server.port}. {_counts(self._server)}")


def _counts(server: NapariViewerServer) -> str:
    parts = [f"displayed {server.displayed:,}"]
    parts += [f"failed {server.failed:,}"] if server.failed else []
    parts += [f"dropped {server.dropped:,} for lack of memory"] if server.dropped else []
    return ", ".join(parts).capitalize()
