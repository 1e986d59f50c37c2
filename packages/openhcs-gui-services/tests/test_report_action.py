"""The action Report of the window: it writes the report of a finished run in the background and opens it."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import qasync  # type: ignore[import-untyped]
from PyQt6.QtCore import QSettings, QUrl, pyqtBoundSignal
from pytestqt.qtbot import QtBot

from openhcs_gui_services import MainWindow
from openhcs_gui_services.services.report import report_path, write_report
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.window.panes import WindowPanes
from openhcs_runtime import ExecutionMode, FunctionStep, GlobalConfig, PipelineOrchestrator, make_plate
from openhcs_runtime.functions import measure_objects, segment_nuclei
from openhcs_runtime.outputs.runs import PROVENANCE_NAME, find_run

pytestmark = pytest.mark.usefixtures("no_leaks", "isolated_home")

SECONDS = 60.0
PICTURE = "OPENHCS_WINDOW_PICTURE"


async def until(condition: Callable[[], bool], *signals: pyqtBoundSignal) -> None:
    """Wait until it is so, which one of the signals tells."""
    changed = asyncio.Event()
    connections = [(signal, signal.connect(lambda *_: changed.set())) for signal in signals]
    try:
        async with asyncio.timeout(SECONDS):
            while not condition():
                await changed.wait()
                changed.clear()
    finally:
        for signal, connection in connections:
            signal.disconnect(connection)


def test_report_is_written_in_the_background_and_opened(
    qt_loop: qasync.QEventLoop, qtbot: QtBot, isolated_home: Path, tmp_path: Path
) -> None:
    plate = make_plate(tmp_path / "plate", wells=2, sites=1, channels=1, size=64)
    steps = [FunctionStep(segment_nuclei), FunctionStep((measure_objects, {"name": "nuclei"}))]
    with PipelineOrchestrator(plate, steps, GlobalConfig(1, ExecutionMode.THREADS)) as orchestrator:
        orchestrator.run()
    run = find_run(plate).run.folder
    opened: list[QUrl] = []
    said: list[tuple[str, bool]] = []

    def open_url(url: QUrl) -> bool:
        opened.append(url)
        return True

    async def scene() -> None:
        settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
        workspace = PlateWorkspace(7889, memory=isolated_home / "memory")
        panes = WindowPanes(workspace, settings, None, 7889, open_url=open_url)
        window = MainWindow(workspace, settings, panes)
        qtbot.addWidget(window)
        window.resize(1250, 700)
        window.show()
        try:
            await press(window)
            if picture := os.environ.get(PICTURE):
                window.grab().save(picture)
            (run / PROVENANCE_NAME).write_text("{")
            window.manager.actions_.report.trigger()
            await until(lambda: said[-1][1], window.manager.message)
        finally:
            await window.end()
            await workspace.close()

    async def press(window: MainWindow) -> None:
        manager = window.manager
        manager.message.connect(lambda text, is_error: said.append((text, is_error)))
        manager.add_plates([str(plate)])
        report = manager.actions_.report
        assert not report.isEnabled()
        await until(report.isEnabled, report.changed)
        report.trigger()
        await until(lambda: bool(opened), manager.message)

    qt_loop.run_until_complete(scene())
    assert [url.toLocalFile() for url in opened] == [str(report_path(run))]
    assert report_path(run).read_text(encoding="utf-8").startswith("<!doctype html>")
    texts = [text for text, _ in said]
    assert "Report of plate: reading the tables" in texts
    assert said[-1] == (texts[-1], True)
    assert texts[-1].startswith("The report of plate failed: ")
    assert PROVENANCE_NAME in texts[-1]


def test_a_report_that_is_cancelled_ends_its_process_and_leaves_no_file(tmp_path: Path) -> None:
    async def cancel() -> None:
        begun = asyncio.Event()
        task = asyncio.create_task(write_report(tmp_path, tmp_path / "report.html", lambda what: begun.set()))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert list(tmp_path.iterdir()) == []
