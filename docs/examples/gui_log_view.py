"""Show the live log of an execution: python gui_log_view.py EXECUTION_ID"""

import asyncio
import sys

import qasync  # type: ignore[import-untyped]
from PyQt6.QtWidgets import QApplication

from openhcs_gui_services.services.log import follow_log
from openhcs_gui_services.widgets import LogView
from openhcs_runtime.tasks import OPENHCS_CONFIG
from zmqruntime.execution.client.aio import AsyncExecutionClient


async def show_log(view: LogView, execution_id: str, port: int = 7777) -> None:
    """Follow the execution to its end; the server must be running."""
    async with AsyncExecutionClient(port, config=OPENHCS_CONFIG) as client:
        await follow_log(client, execution_id, view.add_line)


if __name__ == "__main__":
    app = QApplication(sys.argv)
    with qasync.QEventLoop(app) as loop:
        view = LogView()
        view.resize(900, 500)
        view.show()
        closed = asyncio.Event()
        app.aboutToQuit.connect(closed.set)
        following = loop.create_task(show_log(view, sys.argv[1]))
        loop.run_until_complete(closed.wait())
