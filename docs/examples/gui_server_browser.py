"""Watch the servers and viewers on this machine and others: python gui_server_browser.py [HOST:PORT ...]"""

import asyncio
import sys
from collections.abc import Sequence

import qasync  # type: ignore[import-untyped]
from PyQt6.QtWidgets import QApplication

from openhcs_gui_services.services.servers.browser import ServerBrowser
from openhcs_gui_services.services.servers.nodes import ServerAddress
from openhcs_gui_services.widgets import ServerBrowserWidget


async def watch(widget: ServerBrowserWidget, places: Sequence[str], closed: asyncio.Event) -> None:
    """Show servers until the window is closed."""
    split = [place.rpartition(":") for place in places]
    browser = ServerBrowser(widget.show_snapshot, addresses=[ServerAddress(int(p), host=host) for host, _, p in split])
    widget.set_browser(browser)
    looking = asyncio.ensure_future(browser.run())
    await closed.wait()
    await browser.close()
    await looking


if __name__ == "__main__":
    app = QApplication(sys.argv)
    with qasync.QEventLoop(app) as loop:
        widget = ServerBrowserWidget()
        widget.resize(900, 400)
        widget.show()
        closed = asyncio.Event()
        app.aboutToQuit.connect(closed.set)
        loop.run_until_complete(watch(widget, sys.argv[1:], closed))
