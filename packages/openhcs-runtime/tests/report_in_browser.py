"""Opens a report in Chromium (Qt WebEngine), as the test of reports and the tool for its picture need it.

Run as ``report_in_browser.py REPORT FOLDER light|dark``: prints what the browser found as JSON, and puts pictures into
the folder.
"""

import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["QTWEBENGINE_DISABLE_SANDBOX"] = "1"  # root in a container; the page is ours
os.environ["QTWEBENGINE_CHROMIUM_FLAGS"] = (
    f"--disable-gpu --hide-scrollbars --blink-settings=preferredColorScheme={0 if sys.argv[3] == 'dark' else 1}"
)

from PyQt6.QtCore import QEventLoop, QPoint, Qt, QTimer, QUrl
from PyQt6.QtTest import QTest
from PyQt6.QtWebEngineCore import QWebEnginePage, QWebEngineProfile, QWebEngineUrlRequestInterceptor
from PyQt6.QtWebEngineWidgets import QWebEngineView
from PyQt6.QtWidgets import QApplication, QWidget

TIMEOUT_MS = 60_000
HEIGHT, MOST_PICTURES = 900, 12
FACTS = """({
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  background: getComputedStyle(document.body).backgroundColor,
  plates: [...document.querySelectorAll('svg.plate:not(.key)')].map(one => one.getBoundingClientRect().width),
  wells: document.querySelectorAll('svg.plate:not(.key) .w').length,
  images: [...document.images].map(one => [one.naturalWidth, one.getBoundingClientRect().width]),
  curves: [...document.querySelectorAll('svg.plot .curve')].map(one => one.getBoundingClientRect().width),
  height: document.documentElement.scrollHeight,
})"""
TIP = "(document.getElementById('tip').hidden ? '' : document.getElementById('tip').textContent)"


class Requests(QWebEngineUrlRequestInterceptor):
    """Notes what a page asks for, apart from itself and what it contains."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def interceptRequest(self, info: Any) -> None:
        """Note a request and block it."""
        if info.requestUrl().scheme() not in ("file", "data"):
            self.asked.append(info.requestUrl().toString())
            info.block(True)


class Page(QWebEnginePage):
    """Notes what a page writes to the console."""

    def __init__(self, profile: QWebEngineProfile) -> None:
        super().__init__(profile)
        self.said: list[str] = []

    def javaScriptConsoleMessage(self, level: Any, message: str | None, line: int, source: str | None) -> None:
        """Note a message."""
        self.said.append(f"{line}: {message}")


def wait(start: Callable[[Callable[[Any], None]], object]) -> Any:
    """Start something that calls back, and return what it calls back with."""
    loop, found = QEventLoop(), []

    def on_end(value: Any = None) -> None:
        found.append(value)
        loop.quit()

    QTimer.singleShot(TIMEOUT_MS, loop.quit)
    start(on_end)
    if not found:
        loop.exec()
    if not found:
        raise TimeoutError("the browser does not answer")
    return found[0]


class Browser:
    """A page in a window."""

    def __init__(self, report: Path) -> None:
        self.requests = Requests()
        self.profile = QWebEngineProfile()
        self.profile.setUrlRequestInterceptor(self.requests)
        self.page = Page(self.profile)
        self.view = QWebEngineView()
        self.view.setPage(self.page)
        self.view.setFixedSize(1280, HEIGHT)
        self.view.show()

        def load(on_end: Callable[[Any], None]) -> None:
            self.page.loadFinished.connect(on_end)
            self.page.load(QUrl.fromLocalFile(str(report)))

        assert wait(load)

    def run(self, script: str) -> Any:
        """Run JavaScript."""
        return json.loads(wait(lambda on_end: self.page.runJavaScript(f"JSON.stringify({script})", on_end)) or "null")

    def painted(self) -> None:
        """Wait until the page has been drawn."""
        drawn = "requestAnimationFrame(() => requestAnimationFrame(() => { window.drawn = true; }))"
        wait(lambda on_end: self.page.runJavaScript(f"window.drawn = false; {drawn}; 0", on_end))
        self.until("window.drawn")

    def until(self, condition: str) -> None:
        """Wait until something is true."""
        while not self.run(condition):
            QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 50)

    def resize(self, width: int, height: int) -> None:
        """Change the size of the window."""
        self.view.setFixedSize(width, height)
        self.until(f"innerWidth === {width} && innerHeight === {height}")
        self.painted()

    def _target(self) -> QWidget:
        """The widget that takes keys and the pointer."""
        target = self.view.focusProxy()
        assert target is not None
        return target

    def key(self, key: Qt.Key) -> None:
        """Press a key."""
        QTest.keyClick(self._target(), key)  # type: ignore[call-overload]  # the stubs are wrong
        self.painted()

    def point(self, x: float, y: float) -> None:
        """Move the pointer."""
        QTest.mouseMove(self._target(), QPoint(round(x), round(y)))  # type: ignore[call-overload]  # as above
        self.painted()

    def picture(self, path: Path) -> None:
        """Take a picture of what the window shows."""
        self.painted()
        assert self.view.grab().save(str(path))

    def pictures(self, folder: Path, name: str, height: int) -> None:
        """Take pictures of the page, one below the other."""
        for number in range(min(MOST_PICTURES, math.ceil(height / HEIGHT))):
            self.run(f"scrollTo({{top: {number * HEIGHT}, behavior: 'instant'}}) || 0")
            self.picture(folder / f"{name}_{number}.png")
        self.run("scrollTo({top: 0, behavior: 'instant'}) || 0")


def facts(browser: Browser, folder: Path, scheme: str) -> dict[str, Any]:
    """Return what the browser sees, and take pictures."""
    found: dict[str, Any] = {}
    for width in (390, 1280):
        browser.resize(width, HEIGHT)
        found[str(width)] = browser.run(FACTS)
        browser.pictures(folder, f"{scheme}_{width}", found[str(width)]["height"])
    browser.resize(1280, HEIGHT)
    browser.run("document.querySelector('svg.plate:not(.key) .w')?.focus()")
    browser.painted()
    found["focused"] = browser.run(TIP)
    browser.key(Qt.Key.Key_Right)
    found["right"] = browser.run(TIP)
    browser.picture(folder / f"{scheme}_focus.png")
    browser.key(Qt.Key.Key_Escape)
    found["escaped"] = browser.run(TIP)
    browser.run("document.activeElement.blur()")
    place = browser.run(
        "(one => one && [one.x + one.width / 2, one.y + one.height / 2])"
        "(document.querySelectorAll('svg.plate:not(.key) .w')[2]?.getBoundingClientRect())"
    )
    if place:
        browser.point(*place)
        found["hovered"] = browser.run(TIP)
    wait(
        lambda on_end: (
            browser.page.pdfPrintingFinished.connect(on_end),
            browser.page.printToPdf(str(folder / f"{scheme}.pdf")),
        )
    )
    found["requests"], found["console"] = browser.requests.asked, browser.page.said
    return found


def main() -> None:
    """Look at one report."""
    report, folder = map(Path, sys.argv[1:3])
    application = QApplication(sys.argv[:1])
    browser = Browser(report.resolve())
    print(json.dumps(facts(browser, folder, sys.argv[3])))
    browser.view.close()
    browser.view.setPage(None)
    browser.page.deleteLater()
    application.processEvents()


if __name__ == "__main__":
    main()
