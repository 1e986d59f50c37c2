"""Opening a folder in the file manager of the desktop, without output on the terminal."""

import asyncio
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from PyQt6.QtCore import QUrl
from PyQt6.QtGui import QDesktopServices

__all__ = ["open_folder"]

_OPENER = "xdg-open"
_WAIT_SECONDS = 10.0


async def open_folder(folder: Path) -> bool:
    """Open a folder; return whether a program was found that shows it."""
    if not sys.platform.startswith("linux"):
        return QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
    program = shutil.which(_OPENER)
    return program is not None and await asyncio.to_thread(_open, program, folder)


def _open(program: str, folder: Path) -> bool:
    """Run the opener, which tries many programs, and prints a line for each that is missing."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([program, str(folder)], stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    try:
        return process.wait(_WAIT_SECONDS) == 0
    except subprocess.TimeoutExpired:  # it has become the program that shows the folder
        threading.Thread(target=process.wait, daemon=True).start()
        return True
