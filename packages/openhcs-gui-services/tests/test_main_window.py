"""The window, and the command that shows it."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import qasync  # type: ignore[import-untyped]
from PyQt6.QtCore import QSettings, Qt
from PyQt6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from openhcs_gui_services import LogView, MainWindow, PipelinePane
from openhcs_gui_services.services.plates.values import ServerState
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.window.cli import _wrong_pipeline
from openhcs_gui_services.window.panes import LOG, PIPELINE, SERVERS, WindowPanes
from openhcs_runtime.builtin import builtin_source

PORT = 7883

pytestmark = pytest.mark.usefixtures("isolated_home")


@pytest.fixture
def settings(tmp_path: Path) -> QSettings:
    return QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)


def make_window(settings: QSettings, home: Path) -> tuple[MainWindow, PlateWorkspace]:
    workspace = PlateWorkspace(PORT, memory=home / "memory")
    return MainWindow(workspace, settings, WindowPanes(workspace, settings, None, PORT)), workspace


def server_text(window: MainWindow) -> str:
    bar = window.statusBar()
    assert bar is not None
    return " ".join(label.text() for label in bar.findChildren(QLabel))


def test_panes_are_made_when_they_are_first_shown_and_places_come_back(
    qt_loop: qasync.QEventLoop, qtbot: QtBot, settings: QSettings, isolated_home: Path
) -> None:
    async def scene() -> None:
        window, workspace = make_window(settings, isolated_home)
        qtbot.addWidget(window)
        used = asyncio.Event()
        window.usable.connect(used.set)
        window.show()
        await asyncio.wait_for(used.wait(), 30)
        assert window.findChild(LogView) is None
        assert window.findChild(PipelinePane) is None
        assert isinstance(window.show_pane(LOG), LogView)
        assert isinstance(window.pane(PIPELINE), PipelinePane)
        window.show_pane(SERVERS)
        window.resize(790, 666)  # fits the screen of the offscreen platform; panes may need more width there
        closed = asyncio.Event()
        window.closed.connect(closed.set)
        window.close()
        await asyncio.wait_for(closed.wait(), 30)
        await window.end()
        again, other = make_window(settings, isolated_home)
        qtbot.addWidget(again)
        assert again.height() == 666
        for held, known in ((window, workspace), (again, other)):
            await held.end()
            await known.close()

    qt_loop.run_until_complete(scene())


def test_what_is_edited_in_the_pane_is_what_the_plate_runs(
    qt_loop: qasync.QEventLoop, qtbot: QtBot, settings: QSettings, isolated_home: Path, small_plate: Path
) -> None:
    async def scene() -> None:
        window, workspace = make_window(settings, isolated_home)
        qtbot.addWidget(window)
        window.show()
        pane = window.show_pane(PIPELINE)
        assert isinstance(pane, PipelinePane)
        pane.set_source(builtin_source())
        window.manager.add_plates([str(small_plate)])
        told = asyncio.Event()
        leave = workspace.subscribe(lambda event: told.set())

        async def until(condition: Callable[[], bool]) -> None:
            async with asyncio.timeout(60):
                while not condition():
                    await told.wait()
                    told.clear()

        await until(lambda: bool(workspace.rows()) and bool(workspace.rows()[0].pipeline))
        pane.set_source("pipeline_steps = []\n")
        await until(lambda: workspace.rows()[0].pipeline == "pipeline_steps = []\n")
        leave()
        if QApplication.platformName() == "offscreen":  # without a window manager no window on X is active
            runs: list[bool] = []
            window.manager.actions_.run.triggered.disconnect()
            window.manager.actions_.run.triggered.connect(runs.append)
            window.manager.actions_.run.setEnabled(True)
            window.activateWindow()
            pane.editor.setFocus()
            qtbot.keyClick(pane.editor, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
            assert runs == [False]
        await workspace.set_pipeline([str(small_plate)], "# from elsewhere\n")
        window.manager.table.select_paths([])
        pane_link = window.manager.current_changed
        pane_link.emit(str(small_plate))
        assert pane.source() == "# from elsewhere\n"
        await window.end()
        await workspace.close()

    qt_loop.run_until_complete(scene())


def test_the_status_bar_says_how_the_server_is(
    qt_loop: qasync.QEventLoop, qtbot: QtBot, settings: QSettings, isolated_home: Path
) -> None:
    async def scene() -> None:
        window, workspace = make_window(settings, isolated_home)
        qtbot.addWidget(window)
        assert "the first run starts one" in server_text(window)
        window.show_server(ServerState.LOST, "no answer <b>")
        assert "no answer &lt;b&gt;" in server_text(window)
        await window.end()
        await workspace.close()

    qt_loop.run_until_complete(scene())


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "openhcs_gui_services", *arguments]


def hear_interrupts() -> None:
    """A test run in the background ignores Ctrl-C, and its children would as well."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_help_and_version_need_no_qt() -> None:
    code = "import sys, openhcs_gui_services.window.cli; print([name for name in sys.modules if 'Qt' in name])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    shown = subprocess.run(command("--help"), capture_output=True, text=True, check=True)
    assert "PLATE" in shown.stdout
    version = subprocess.run(command("--version"), capture_output=True, text=True, check=True)
    assert version.stdout.startswith("openhcs-gui 0.")
    wrong = subprocess.run(command("--port", "70000"), capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "70000 is not a port" in wrong.stderr
    assert wrong.stderr.startswith("Error: ")
    assert wrong.stderr.count("\n") == 1


def test_a_pipeline_file_that_is_not_there_ends_the_command() -> None:
    wrong = subprocess.run(command("--pipeline", "nowhere.py"), capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert wrong.stderr == "Error: no such pipeline file: nowhere.py (see 'openhcs-gui --help')\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there always is a screen")
@pytest.mark.parametrize("screen", [{}, {"DISPLAY": ":9999"}])
def test_without_a_screen_the_command_says_so(screen: dict[str, str]) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    kept.pop("QT_QPA_PLATFORM", None)
    ended = subprocess.run(command(), env={**kept, **screen}, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: ")
    assert ended.stderr.count("\n") == 1
    assert (":9999" if screen else "needs a screen") in ended.stderr


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C cannot be sent to one process there")
@pytest.mark.parametrize("screen", ["offscreen", "xvfb"])
def test_the_command_shows_a_window_and_ctrl_c_ends_it(screen: str, small_plate: Path) -> None:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    line = command("--time-start", "--port", str(PORT), str(small_plate))
    if screen == "xvfb":
        if shutil.which("xvfb-run") is None:
            pytest.skip("no Xvfb")
        environment["QT_QPA_PLATFORM"] = "xcb"
        with subprocess.Popen(["Xvfb", "-displayfd", "1", "-screen", "0", "1400x900x24"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True) as server:  # fmt: skip
            assert server.stdout is not None
            environment["DISPLAY"] = f":{server.stdout.readline().strip()}"
            try:
                show_and_interrupt(line, environment)
            finally:
                server.terminate()
    else:
        show_and_interrupt(line, environment)


CLOSE_WITH_THE_FIRST_PLATE = """
import sys
from PyQt6.QtWidgets import QApplication
from openhcs_gui_services.window.cli import Options
from openhcs_gui_services import MainWindow
from openhcs_gui_services.window.window import show_window

def close():
    window = next(widget for widget in QApplication.topLevelWidgets() if isinstance(widget, MainWindow))
    window.show_pane("pipeline")
    window.show_pane("log")
    window.manager.table.plates.rowsInserted.connect(lambda *_: window.close())

sys.exit(show_window(Options(port=int(sys.argv[1]), plates=(sys.argv[2],)), close))
"""


def test_the_window_has_the_plate_of_the_command_line_and_closing_it_ends_the_command(small_plate: Path) -> None:
    line = [sys.executable, "-c", CLOSE_WITH_THE_FIRST_PLATE, str(PORT), str(small_plate)]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    ended = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr


def show_and_interrupt(line: list[str], environment: dict[str, str]) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        line, env=environment, stdout=pipe, stderr=pipe, text=True, preexec_fn=hear_interrupts
    ) as window:
        try:
            assert window.stdout is not None
            assert "usable window" in window.stdout.readline()
            window.send_signal(signal.SIGINT)
            _, errors = window.communicate(timeout=60)
        finally:
            window.kill()
    assert window.returncode == 130
    assert "Traceback" not in errors


def test_a_pipeline_is_named_as_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _wrong_pipeline(Path("cell_painting")) == ""
    assert "the built-in pipelines are cell_painting, " in _wrong_pipeline(Path("cell_paint"))
    assert _wrong_pipeline(Path("cell_painting.py")) == "no such pipeline file: cell_painting.py"
