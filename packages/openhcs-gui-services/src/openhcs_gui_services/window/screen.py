"""Reports a missing screen in one line, where Qt would abort the process with a page of text."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import NoReturn

from PyQt6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

__all__ = ["screen_needed"]

_FAILED = 1


@contextlib.contextmanager
def screen_needed() -> Iterator[None]:
    """Guard the creation of Qt's application.

    Without a screen Qt calls ``abort()``, which can't be caught by ``except``; here the process exits with code 1 and
    an error message of one line instead.

    Yields:
        Nothing; other messages of Qt are printed afterwards.
    """
    said: list[str] = []

    def listen(kind: QtMsgType, _: QMessageLogContext, message: str | None) -> None:
        if kind is QtMsgType.QtFatalMsg:
            _end(message or "")
        said.append(message or "")

    before = qInstallMessageHandler(listen)
    try:
        yield
    finally:
        qInstallMessageHandler(before)
        for message in said:
            print(message, file=sys.stderr)


def _end(message: str) -> NoReturn:
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if "platform plugin" not in message:
        reason = f"Qt failed to start: {message}"
    elif not shown and not os.environ.get("QT_QPA_PLATFORM"):
        reason = "the window needs a screen, and neither DISPLAY nor WAYLAND_DISPLAY is set"
    else:
        where = f"the screen {shown}" if shown else "this screen"
        reason = f"Qt cannot open a window on {where}; system libraries may be missing, see QT_DEBUG_PLUGINS=1"
    print(f"Error: {reason}; run it in a desktop session, or with xvfb-run", file=sys.stderr, flush=True)
    os._exit(_FAILED)
