"""The window that ``browser.py`` starts: it shows pages and does what it is told, one line of JSON for each deed."""

import json
import sys
import threading
from collections.abc import Callable
from typing import Any

from PyQt6.QtCore import QEventLoop, QObject, Qt, QTimer, QUrl, pyqtSignal
from PyQt6.QtTest import QTest
from PyQt6.QtWebEngineCore import QWebEnginePage, QWebEngineProfile
from PyQt6.QtWebEngineWidgets import QWebEngineView
from PyQt6.QtWidgets import QApplication

SECONDS = 60.0
LOOK_MS = 20


class Page(QWebEnginePage):
    """Notes what a page writes to the console."""

    def __init__(self, profile: QWebEngineProfile) -> None:
        super().__init__(profile)
        self.said: list[str] = []

    def javaScriptConsoleMessage(self, level: Any, message: str | None, line: int, source: str | None) -> None:
        """Note a message."""
        self.said.append(f"{source}:{line}: {message}")


class Lines(QObject):
    """What to do, from another thread."""

    came = pyqtSignal(str)

    def read(self) -> None:
        """Read until the other process closes its end."""
        for line in sys.stdin:
            self.came.emit(line)
        self.came.emit("")


class Window:
    """Does what it is told."""

    def __init__(self, width: int, height: int) -> None:
        self.profile = QWebEngineProfile()
        self.page = Page(self.profile)
        self.view = QWebEngineView()
        self.view.setPage(self.page)
        self.view.setFixedSize(width, height)
        self.view.show()

    def wait(self, start: Callable[[Callable[[Any], None]], object]) -> Any:
        """Start something that calls back, and return what it calls back with."""
        loop, found = QEventLoop(), []

        def on_end(value: Any = None) -> None:
            found.append(value)
            loop.quit()

        timer = QTimer()
        timer.setSingleShot(True)
        timer.timeout.connect(loop.quit)
        timer.start(int(SECONDS * 1000))
        start(on_end)
        if not found:
            loop.exec()
        if not found:
            raise TimeoutError("the browser does not answer")
        return found[0]

    def load(self, url: str) -> bool:
        def begin(on_end: Callable[[Any], None]) -> None:
            self.page.loadFinished.connect(on_end)
            self.page.load(QUrl(url))

        loaded = bool(self.wait(begin))
        self.page.loadFinished.disconnect()
        self.view.setFocus()
        return loaded

    def run(self, script: str) -> Any:
        text = f"JSON.stringify((() => ({script}))() ?? null)"
        return json.loads(self.wait(lambda on_end: self.page.runJavaScript(text, on_end)) or "null")

    def until(self, condition: str, seconds: float = SECONDS) -> None:
        left = 1000 * seconds / LOOK_MS
        while not self.run(f"Boolean({condition})"):
            loop = QEventLoop()
            QTimer.singleShot(LOOK_MS, loop.quit)
            loop.exec()
            left -= 1
            if left < 0:
                shown = self.run("document.body.innerText.slice(0, 3000)")
                raise TimeoutError(f"not within {seconds:g} s; the page shows:\n{shown}\n{self.page.said}")

    def painted(self) -> None:
        self.run("void requestAnimationFrame(() => requestAnimationFrame(() => { window.drawn = true; }))")
        self.until("window.drawn === true && (delete window.drawn, true)")

    def resize(self, width: int, height: int) -> None:
        self.view.setFixedSize(width, height)
        self.until(f"innerWidth === {width}")
        self.painted()

    def press(self, key: str) -> None:
        shift = key.startswith("Shift+")
        modifier = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
        QTest.keyClick(self.view.focusProxy(), getattr(Qt.Key, f"Key_{key.removeprefix('Shift+')}"), modifier)  # type: ignore[call-overload]
        self.painted()

    def type(self, text: str) -> None:
        for letter in text:
            QTest.keyClick(self.view.focusProxy(), letter)  # type: ignore[call-overload]
        self.painted()

    def picture(self, path: str) -> bool:
        for _ in range(3):  # what is drawn takes a moment to the window
            self.painted()
        return self.view.grab().save(path)

    def console(self) -> list[str]:
        return self.page.said


def main() -> None:
    """Show pages as the process that has started this one says."""
    application = QApplication(sys.argv[:1])
    window, lines = Window(int(sys.argv[1]), int(sys.argv[2])), Lines()

    def on_line(line: str) -> None:
        if not line:
            application.quit()
            return
        deed, *arguments = json.loads(line)
        try:
            answer = {"value": getattr(window, deed)(*arguments)}
        except Exception as error:  # noqa: BLE001 - told to the other process
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)

    lines.came.connect(on_line)
    threading.Thread(target=lines.read, daemon=True).start()
    application.exec()
    window.view.close()
    window.view.setPage(None)
    window.page.deleteLater()
    application.processEvents()


if __name__ == "__main__":
    main()
