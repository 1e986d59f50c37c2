"""Make docs/images/notebook_tasks.png and notebook_plate.png: what a notebook shows, in a browser without a screen."""

import os
import sys
from collections import Counter
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["QTWEBENGINE_DISABLE_SANDBOX"] = "1"  # root in a container; the page is ours
os.environ["QTWEBENGINE_CHROMIUM_FLAGS"] = "--disable-gpu --hide-scrollbars"

from PyQt6.QtCore import QEventLoop, QTimer
from PyQt6.QtWebEngineWidgets import QWebEngineView
from PyQt6.QtWidgets import QApplication

from openhcs_runtime.components import well_name
from openhcs_runtime.notebook.content import RunContent
from openhcs_runtime.terminal.progress import RunProgress
from zmqruntime.execution.html import TaskRow, tasks_html
from zmqruntime.execution.testing import EventScript

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
PAGE = "<!doctype html><body style='font: 13px sans-serif; background: white; color: black'>"
DRAWN_MS = 4000


def tasks() -> str:
    """Six tasks: one failed, two are running."""
    ids = [f"20564b4016fa{number * 0x9E3779B97F4A7C15 % 16**20:020x}" for number in range(1, 7)]
    states = [
        ("failed", 6.0, 1.3, "ValueError: the loss is not a number"),
        ("complete", 100.0, 31.0, ""),
        ("complete", 100.0, 28.0, ""),
        ("running", 64.0, 19.0, "epoch"),
        ("running", 15.0, 4.4, "epoch"),
        ("queued", None, None, ""),
    ]
    rows = [
        TaskRow(name="train", execution_id=number, status=status, percent=percent, seconds=seconds, text=text)
        for number, (status, percent, seconds, text) in zip(ids, states, strict=True)
    ]
    return tasks_html(rows, Counter(row.status for row in rows))


def plate() -> str:
    """A plate of 96 wells, half way."""
    wells = [well_name(number // 12, number % 12) for number in range(96)]
    script = EventScript(steps=("Flat field", "Nuclei", "Measure"), plate_id="/data/2026-11-30_kinases").run()
    script.prepare(*wells).start(*wells[:52]).wait(75)
    script.finish(*wells[:17], *wells[18:50]).fail(wells[17], "image kinases_B06_s2_w1.tif is damaged")
    script.finish_step("E03").work("E03", 1).work("E04", 2)
    board = RunProgress()
    for event in script.events:
        board.apply(event)
    return RunContent(board.view(), "/data/2026-11-30_kinases").as_html()


def draw(name: str, body: str, width: int, height: int) -> None:
    """Draw a page into a picture."""
    view, loop = QWebEngineView(), QEventLoop()
    view.resize(width, height)
    view.loadFinished.connect(lambda _: QTimer.singleShot(DRAWN_MS, loop.quit))
    view.setHtml(PAGE + body)
    view.show()
    loop.exec()
    view.grab().save(str(IMAGES / f"{name}.png"))
    print(f"Made {IMAGES / name}.png")


if __name__ == "__main__":
    app = QApplication(sys.argv)
    app.setQuitOnLastWindowClosed(False)
    draw("notebook_tasks", tasks(), 960, 200)
    draw("notebook_plate", plate(), 640, 410)
