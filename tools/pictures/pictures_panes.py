"""Draw the panes of the window, light and dark, into a folder: log, pipeline, servers, history, settings.

    python tools/pictures/pictures_panes.py [--into docs/images] [--dark] [--all]

Runs offscreen. The contents are examples; nothing is started.
"""

import argparse
import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PyQt6.QtGui import QColor, QPalette
from PyQt6.QtWidgets import QApplication, QWidget

from openhcs_gui_services.services.history import HistoryRow
from openhcs_gui_services.services.log import LogFilter
from openhcs_gui_services.services.servers.nodes import (
    BrowserSnapshot,
    ExecutionNode,
    ProcessFigures,
    Reach,
    ServerAddress,
    ServerKind,
    ServerNode,
    WorkerNode,
)
from openhcs_gui_services.services.settings import SettingsField, WindowSettings
from openhcs_gui_services.widgets.history.view import HistoryView
from openhcs_gui_services.widgets.log.view import LogView
from openhcs_gui_services.widgets.pipeline.pane import PipelinePane
from openhcs_gui_services.widgets.servers.browser import ServerBrowserWidget
from openhcs_gui_services.widgets.settings.dialog import SettingsDialog
from openhcs_runtime.builtin import builtin_source
from zmqruntime.execution import AxisProgress, AxisState
from zmqruntime.messages import ExecutionStatus, LogLevel, LogLine, PongResponse

_WHEN = 1_790_000_000.0
_RUN = "3f2a9c5e" * 4
_NEXT = "b81d07aa" * 4


def main() -> None:
    """Draw all panes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=Path("docs/images"))
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--all", action="store_true", help="also empty panes and other states, for a visual check")
    options = parser.parse_args()
    options.into.mkdir(parents=True, exist_ok=True)
    app = QApplication([])
    app.setStyle("Fusion")
    app.setPalette(_dark() if options.dark else _light())
    suffix = "_dark" if options.dark else ""
    for name, make in (*_GOOD, *(_MORE if options.all else ())):
        widget = make()
        if not isinstance(widget, SettingsDialog):
            widget.resize(960, 520)
        _draw(app, widget, options.into / f"pane_{name}{suffix}.png")


def _draw(app: QApplication, widget: QWidget, path: Path) -> None:
    widget.show()
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        app.processEvents()
    widget.grab().save(str(path))
    widget.close()
    print(path)


def _log(count: int) -> LogView:
    view = LogView()
    view.set_execution_name(_RUN, "plate_01")
    view.set_execution_name(_NEXT, "plate_02")
    texts = itertools.cycle(
        (
            (LogLevel.INFO, "Well B06: projection of 11 planes done in 84 ms"),
            (LogLevel.INFO, "Well B06: 214 nuclei in site 1, channel 1"),
            (LogLevel.DEBUG, "Well B07: threshold 412.5, 3 objects below the smallest area"),
            (LogLevel.INFO, "Well B07: measurements written"),
            (LogLevel.WARNING, "Well C01: the pixel size is unknown, areas are in pixels only"),
            (
                LogLevel.ERROR,
                "Well C02: image r03c02f01p01-ch1sk1fk1fl1.tiff is damaged or not a TIFF: it is cut short",
            ),
        )
    )
    view.add_lines(
        LogLine(
            execution_id=_RUN if number < count * 0.9 else _NEXT,
            sequence=number + 1,
            timestamp=_WHEN + number * 0.137,
            level=level,
            logger="openhcs",
            text=text.partition(": ")[2],
            axis_id=text.partition(": ")[0].removeprefix("Well "),
        )
        for number, (level, text) in zip(range(count), texts, strict=False)
    )
    return view


def _log_search() -> LogView:
    view = _log(400)
    view.set_filter(LogFilter(level=LogLevel.WARNING, text="c0"))
    return view


def _pipeline() -> PipelinePane:
    pane = PipelinePane()
    pane.set_channels({1: "DAPI", 2: "FITC"})
    pane.set_source(builtin_source(), Path("nuclei_count.py"))
    pane.steps.list.choose_step(2)
    return pane


def _pipeline_text() -> PipelinePane:
    pane = _pipeline()
    pane.show_text(13)
    return pane


def _pipeline_problems() -> PipelinePane:
    pane = _pipeline()
    pane.show_problems(
        [
            "step 3 'Correct', well B06: does not apply to any image of this well",
            "step 4 'Measure', well C01: measure_objects needs labels, but no earlier step makes any for "
            "well C01, site 1, channel 1, z 1, time point 1",
            "output folder /data/plate_01 is inside the plate folder: choose another output folder",
        ]
    )
    pane.steps.list.choose_step(3)
    return pane


def _pipeline_syntax() -> PipelinePane:
    pane = PipelinePane()
    text = builtin_source().replace("{CHANNEL: max_projection}", "{CHANNEL: max_projection")
    pane.set_source(text, Path("nuclei_count.py"))
    return pane


def _servers() -> ServerBrowserWidget:
    widget = ServerBrowserWidget()
    wells = tuple(
        AxisProgress(
            axis_id=axis,
            state=AxisState.RUNNING,
            percent=percent,
            step_name=step,
            step_index=at,
            total_steps=4,
            worker=worker,
        )
        for axis, percent, step, at, worker in (("B06", 62.0, "Segment", 2, 4720), ("B07", 31.0, "Correct", 1, 4721))
    )
    executions = (
        ExecutionNode(_RUN, "/data/plate_01", ExecutionStatus.RUNNING, None, _WHEN, 42.0, wells, 40, 1, 96),
        ExecutionNode(_NEXT, "/data/plate_02", ExecutionStatus.QUEUED, 0),
    )
    workers = tuple(
        WorkerNode(f"{role} worker {pid}", ProcessFigures(pid, cpu, memory, 3900.0))
        for role, pid, cpu, memory in (
            ("Task", 4711, 1.0, 180_000_000),
            ("Well", 4720, 99.0, 612_000_000),
            ("Well", 4721, 97.0, 598_000_000),
        )
    )
    figures = ProcessFigures(4702, 0.4, 41_000_000, 4000.0)
    here = ServerNode(
        ServerAddress(7777), Reach.RUNNING, ServerKind.EXECUTIONS, _pong(4702, "OpenHCSExecutionServer", 7777), figures,
        workers, executions, 1, 1,
    )  # fmt: skip
    viewer_figures = ProcessFigures(4800, 3.0, 1_430_000_000, 900.0)
    viewer = ServerNode(
        ServerAddress(5555), Reach.RUNNING, ServerKind.VIEWER, _pong(4800, "NapariViewerServer", 5555), viewer_figures
    )
    silent = ServerNode(
        ServerAddress(7790), Reach.SILENT, ServerKind.EXECUTIONS, _pong(4650, "OpenHCSExecutionServer", 7790)
    )
    away = ServerNode(
        ServerAddress(7777, host="lab-server"),
        Reach.UNREACHABLE,
        problem="no server is listening on tcp://lab-server:7777",
    )
    widget.show_snapshot(BrowserSnapshot((viewer, here, silent, away), 1))
    widget.tree.expandAll()
    widget.select("/openhcs/7777")
    return widget


def _pong(pid: int, server: str, port: int) -> PongResponse:
    return PongResponse(
        instance_id="i", pid=pid, process_start=1.0, server=server, version="0.1.0", app_name="openhcs", port=port
    )


def _history() -> HistoryView:
    view = HistoryView()
    states = itertools.cycle(
        (
            (ExecutionStatus.COMPLETE, "96 of 96 done", ""),
            (ExecutionStatus.FAILED, "95 of 96 done, 1 failed", "1 of 96 wells failed: C02: image r03c02 is damaged"),
            (ExecutionStatus.CANCELLED, "40 of 96 done", ""),
            (ExecutionStatus.COMPLETE, "384 of 384 done", ""),
            (ExecutionStatus.INTERRUPTED, "", "the server ended during the run"),
        )
    )
    rows = [
        HistoryRow(
            f"{number:032x}",
            f"/data/screen_7/plate_{number:02}",
            status,
            _WHEN - number * 7300,
            3661.0 + number * 97,
            "Run",
            wells,
            error,
            f"/data/screen_7/plate_{number:02}_results",
        )
        for number, (status, wells, error) in zip(range(1, 9), states, strict=False)
    ]
    view.show_rows(rows)
    return view


def _settings() -> SettingsDialog:
    dialog = SettingsDialog(
        WindowSettings(host="lab-server", workers="auto", viewer="napari"), own_key=lambda: "k" * 40
    )
    dialog.field(SettingsField.PORT).setText("80")
    return dialog


def _light() -> QPalette:
    return QPalette(QColor(0xEF, 0xEF, 0xEF))


def _dark() -> QPalette:
    palette = QPalette(QColor(0x2B, 0x2D, 0x31))
    role, group = QPalette.ColorRole, QPalette.ColorGroup
    for each, name in (
        (role.Base, "#1e1f22"),
        (role.AlternateBase, "#26282c"),
        (role.Text, "#e6e6e6"),
        (role.WindowText, "#e6e6e6"),
        (role.ButtonText, "#e6e6e6"),
        (role.Highlight, "#2f65ca"),
        (role.HighlightedText, "#ffffff"),
        (role.PlaceholderText, "#8b8f96"),
    ):
        palette.setColor(each, QColor(name))
    for each in (role.Text, role.WindowText, role.ButtonText):
        palette.setColor(group.Disabled, each, QColor("#8b8f96"))
    return palette


_GOOD: tuple[tuple[str, Callable[[], QWidget]], ...] = (
    ("log", lambda: _log(400)),
    ("pipeline", _pipeline),
    ("pipeline_problems", _pipeline_problems),
    ("servers", _servers),
    ("history", _history),
    ("settings", _settings),
)
_MORE: tuple[tuple[str, Callable[[], QWidget]], ...] = (
    ("log_empty", lambda: _log(0)),
    ("log_search", _log_search),
    ("pipeline_syntax", _pipeline_syntax),
    ("pipeline_text", _pipeline_text),
    ("servers_empty", ServerBrowserWidget),
    ("history_empty", HistoryView),
)


if __name__ == "__main__":
    main()
