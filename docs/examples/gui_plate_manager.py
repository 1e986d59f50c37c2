"""Plates from folders to results in one widget: python gui_plate_manager.py PLATE..."""

import asyncio
import sys

import qasync  # type: ignore[import-untyped]
from PyQt6.QtWidgets import QApplication

from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.widgets import PlateManagerWidget
from openhcs_runtime.builtin import builtin_source


async def manage(plates: list[str], closed: asyncio.Event, port: int = 7777) -> None:
    """Show the plates until the window is closed; runs continue."""
    workspace = PlateWorkspace(port, default_pipeline=builtin_source())
    manager = PlateManagerWidget(workspace)
    manager.resize(1100, 700)
    manager.show()
    manager.add_plates(plates)
    await closed.wait()
    await manager.close_host_calls()
    await workspace.close()


if __name__ == "__main__":
    app = QApplication(sys.argv)
    app.setQuitOnLastWindowClosed(False)  # the loop is still needed
    with qasync.QEventLoop(app) as loop:
        closed = asyncio.Event()
        app.lastWindowClosed.connect(closed.set)
        loop.run_until_complete(manage(sys.argv[1:], closed))
