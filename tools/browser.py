"""A browser (Qt WebEngine, which is Chromium) for tests of the page, the tool for its pictures and its bench.

``Browser`` starts ``browser_window.py`` as a process of its own, and tells it what to do, a line of JSON for each deed.
So the test can serve the page, and end and start servers, while the browser shows it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

WINDOW = Path(__file__).with_name("browser_window.py")


class BrowserError(Exception):
    """What the browser was asked for did not happen."""


class Browser:
    """A window without a screen.

    Args:
        width: of the page, in pixels.
        height: of the page, in pixels.
        dark: whether the system prefers dark colours.
    """

    def __init__(self, width: int = 1280, height: int = 900, *, dark: bool = False) -> None:
        scheme = 0 if dark else 1
        flags = f"--disable-gpu --hide-scrollbars --blink-settings=preferredColorScheme={scheme}"
        environment = {
            "QT_QPA_PLATFORM": "offscreen",
            "QTWEBENGINE_DISABLE_SANDBOX": "1",  # root in a container; the page is ours
            "QTWEBENGINE_CHROMIUM_FLAGS": flags,
        }
        command = [sys.executable, str(WINDOW), str(width), str(height)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env={**os.environ, **environment}, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.communicate("")
        assert self._process.returncode == 0 or error is not None

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def load(self, url: str) -> None:
        """Load a page."""
        self._do("load", url)

    def run(self, script: str) -> Any:
        """Return the value of an expression."""
        return self._do("run", script)

    def until(self, condition: str, seconds: float = 60.0) -> None:
        """Wait until an expression is true."""
        self._do("until", condition, seconds)

    def resize(self, width: int, height: int) -> None:
        """Change the size of the page."""
        self._do("resize", width, height)

    def press(self, *keys: str) -> None:
        """Press keys, named as in ``Qt.Key``."""
        for key in keys:
            self._do("press", key)

    def type(self, text: str) -> None:
        """Type letters."""
        self._do("type", text)

    def picture(self, path: Path) -> None:
        """Take a picture of what the window shows."""
        self._do("picture", str(path))

    @property
    def console(self) -> list[str]:
        """What the page has written to the console, and what its policy has refused."""
        said: list[str] = self._do("console")
        return said

    def _do(self, deed: str, *arguments: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([deed, *arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise BrowserError(f"the browser has ended at {deed} {arguments}")
        answer = json.loads(line)
        if "error" in answer:
            raise BrowserError(f"{deed} {arguments}: {answer['error']}")
        return answer["value"]
