"""Show the past executions of a server, run them again, and open the results in the file manager."""

import asyncio
import sys

import qasync  # type: ignore[import-untyped]
from PyQt6.QtCore import QUrl
from PyQt6.QtGui import QDesktopServices
from PyQt6.QtWidgets import QApplication

from openhcs_gui_services.services.history import ServerHistory
from openhcs_gui_services.widgets import HistoryView
from openhcs_runtime.tasks import OPENHCS_CONFIG
from zmqruntime.execution.client.aio import AsyncExecutionClient


async def show_history(view: HistoryView, closed: asyncio.Event, port: int = 7777) -> None:
    """Show the history until the window is closed; the server must be running."""
    async with AsyncExecutionClient(port, config=OPENHCS_CONFIG) as client:
        view.set_source(ServerHistory(client))
        view.open_results_requested.connect(lambda folder: QDesktopServices.openUrl(QUrl.fromLocalFile(folder)))
        view.load()
        await closed.wait()


if __name__ == "__main__":
    app = QApplication(sys.argv)
    with qasync.QEventLoop(app) as loop:
        view = HistoryView()
        view.resize(1000, 600)
        view.show()
        closed = asyncio.Event()
        app.aboutToQuit.connect(closed.set)
        loop.run_until_complete(show_history(view, closed))
