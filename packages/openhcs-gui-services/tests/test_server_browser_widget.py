"""The tree of servers as Qt shows it: kept in place, and acting on real servers after a question."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import qasync  # type: ignore[import-untyped]
from PyQt6.QtCore import QEvent, QModelIndex, QObject, Qt
from PyQt6.QtTest import QAbstractItemModelTester
from PyQt6.QtWidgets import QMessageBox, QPlainTextEdit, QPushButton
from pytestqt.qtbot import QtBot

from openhcs_gui_services.services.servers.browser import ServerBrowser
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
from openhcs_gui_services.widgets.servers.browser import ServerBrowserWidget
from openhcs_runtime.service.client import ZMQExecutionClient
from openhcs_runtime.testing import Gate
from zmqruntime.execution import AxisProgress, AxisState
from zmqruntime.identity import ProcessIdentity
from zmqruntime.messages import ExecutionStatus

PORT = 7907
RUN, NEXT = "a" * 32, "b" * 32
WORKERS = {"B06": 8}  # of the others it is not known


def server(port: int, wells: tuple[str, ...] = ("B06",), cpu: float = 1.0) -> ServerNode:
    at_work = tuple(
        AxisProgress(
            axis_id=well, state=AxisState.RUNNING, step_name="Segment", total_steps=4, worker=WORKERS.get(well)
        )
        for well in wells
    )
    return ServerNode(
        address=ServerAddress(port),
        reach=Reach.RUNNING,
        kind=ServerKind.EXECUTIONS,
        workers=tuple(WorkerNode(f"Well worker {pid}", ProcessFigures(pid, cpu, 10**8, 60.0)) for pid in (8, 9)),
        executions=(
            ExecutionNode(RUN, "/data/plate_01", ExecutionStatus.RUNNING, wells=at_work, wells_known=len(wells)),
            ExecutionNode(NEXT, "/data/plate_02", ExecutionStatus.QUEUED, 0),
        ),
        running=1,
        queued=1,
    )


def shown(widget: ServerBrowserWidget) -> list[str]:
    """The names of all rows, further in for children."""
    model = widget.tree.model()
    assert model is not None
    found: list[str] = []

    def visit(parent: QModelIndex, depth: int) -> None:
        for number in range(model.rowCount(parent)):
            index = model.index(number, 0, parent)
            found.append("  " * depth + str(index.data()))
            visit(index, depth + 1)

    visit(QModelIndex(), 0)
    return found


@pytest.fixture
def widget(qtbot: QtBot) -> ServerBrowserWidget:
    """A widget on the screen whose model is checked by Qt's own tester."""
    made = ServerBrowserWidget()
    qtbot.addWidget(made)
    model = made.tree.model()
    assert model is not None
    QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal, made)
    made.show()
    return made


def press(widget: ServerBrowserWidget, text: str) -> None:
    button = next(each for each in widget.findChildren(QPushButton) if each.text() == text and each.isVisible())
    assert button.isEnabled()
    button.click()


def answer(widget: ServerBrowserWidget, verb: str) -> str:
    """Press a button of the question; what was asked."""
    box = widget.findChild(QMessageBox)
    assert isinstance(box, QMessageBox)
    next(each for each in box.buttons() if each.text().replace("&", "") == verb).click()
    return box.text()


class Changes(QObject):
    """Notices snapshots, and dialogs of a widget that open or close."""

    def __init__(self, widget: ServerBrowserWidget) -> None:
        super().__init__(widget)
        self._widget = widget
        self._changed = asyncio.Event()
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if event is not None and event.type() in (QEvent.Type.ChildAdded, QEvent.Type.ChildRemoved):
            self._changed.set()
        return False

    def on_snapshot(self, snapshot: BrowserSnapshot) -> None:
        self._widget.show_snapshot(snapshot)
        self._changed.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()


def test_the_tree_from_servers_to_wells(widget: ServerBrowserWidget) -> None:
    widget.show_snapshot(BrowserSnapshot((server(7777),), 1))
    assert shown(widget) == [
        "Server on port 7777",
        "  plate_01",
        "    Well worker 8",
        "      Well B06",
        "  plate_02",
        "  Other workers",
        "    Well worker 9",
    ]


def test_selection_and_expansion_stay_while_everything_changes(widget: ServerBrowserWidget) -> None:
    widget.show_snapshot(BrowserSnapshot((server(7777, ("B06", "B07")), server(7800)), 1))
    model = widget.tree.model()
    assert model is not None
    widget.select(f"/openhcs/7777/{RUN}/B07")
    workers = model.index(2, 0, model.index(0, 0))
    widget.tree.setExpanded(workers, True)
    closed = model.index(0, 0, model.index(1, 0))
    widget.tree.setExpanded(closed, False)
    widget.show_snapshot(BrowserSnapshot((server(7776), server(7777, ("B07", "B08"), 50.0), server(7800)), 2))
    row = widget.selected()
    assert row is not None
    assert row.cells[0] == "Well B07"
    moved = model.index(1, 0)
    assert widget.tree.isExpanded(model.index(2, 0, moved))
    assert model.index(2, 2, moved).data() == "100 %"
    assert not widget.tree.isExpanded(model.index(0, 0, model.index(2, 0)))
    assert "      Well B06" in shown(widget)[:4]
    widget.show_snapshot(BrowserSnapshot((), 3))
    assert shown(widget) == []
    assert not widget.tree.isVisible()


def test_servers_that_change_places_stay_themselves(widget: ServerBrowserWidget) -> None:
    one, two = server(7777), server(7800)
    widget.show_snapshot(BrowserSnapshot((one, two), 1))
    widget.select("/openhcs/7800")
    widget.show_snapshot(BrowserSnapshot((replace(two, paused=True), one), 2))
    assert [text for text in shown(widget) if text.startswith("Server")] == [
        "Server on port 7800",
        "Server on port 7777",
    ]


def test_logs_of_an_execution_are_asked_for(qtbot: QtBot, widget: ServerBrowserWidget) -> None:
    widget.show_snapshot(BrowserSnapshot((server(7777),), 1))
    widget.select(f"/openhcs/7777/{RUN}")
    with qtbot.waitSignal(widget.logs_requested) as asked:
        press(widget, "Log")
    assert asked.args == [ServerAddress(7777), RUN]


def remove_sockets() -> None:
    """What was killed leaves its sockets to the next server, which removes them."""
    for path in (Path.home() / ".openhcs" / "ipc").glob("*.sock"):
        path.unlink()


def with_browser(
    loop: qasync.QEventLoop, widget: ServerBrowserWidget, work: Callable[[Changes], Coroutine[Any, Any, None]]
) -> None:
    """Let the widget show the servers of this machine during ``work``."""

    async def whole() -> None:
        changes = Changes(widget)
        browser = ServerBrowser(changes.on_snapshot, interval=0.05)
        widget.set_browser(browser)
        running = asyncio.ensure_future(browser.run())
        try:
            await work(changes)
        finally:
            await browser.close()
            await running

    loop.run_until_complete(whole())


@pytest.mark.usefixtures("isolated_home", "no_leaks")
def test_a_server_is_quit_after_a_question_when_it_runs_something(
    qt_loop: qasync.QEventLoop, widget: ServerBrowserWidget, small_plate: Path, gate: Gate
) -> None:
    async def work(changes: Changes) -> None:
        await asyncio.to_thread(gate.wait_for_well)
        await changes.until(lambda: any("Well A0" in text for text in shown(widget)))
        widget.select(f"/openhcs/{PORT}")
        press(widget, "Log")
        await changes.until(lambda: widget.findChild(QPlainTextEdit) is not None)
        press(widget, "Quit")
        assert "1 running plate" in answer(widget, "Cancel")
        assert identity.is_running()
        await changes.until(lambda: widget.findChild(QMessageBox) is None)
        press(widget, "Quit")
        answer(widget, "Quit")
        await changes.until(lambda: shown(widget) == [])
        assert await asyncio.to_thread(identity.wait, 60)

    with ZMQExecutionClient(PORT, persistent=False) as client:
        identity = ProcessIdentity(client.server.pid, client.server.process_start)
        client.submit_pipeline(small_plate, gate.pipeline)
        with_browser(qt_loop, widget, work)
    remove_sockets()


@pytest.mark.usefixtures("isolated_home", "no_leaks")
def test_a_server_is_killed_after_a_question(qt_loop: qasync.QEventLoop, widget: ServerBrowserWidget) -> None:
    async def work(changes: Changes) -> None:
        await changes.until(lambda: shown(widget)[:1] == [f"Server on port {PORT}"])
        widget.select(f"/openhcs/{PORT}")
        press(widget, "Force kill...")
        assert str(identity.pid) in answer(widget, "Cancel")
        assert identity.is_running()
        await changes.until(lambda: widget.findChild(QMessageBox) is None)
        press(widget, "Force kill...")
        answer(widget, "Force kill")
        assert await asyncio.to_thread(identity.wait, 60)
        await changes.until(lambda: widget.tree.model().index(0, 1).data() == "Ended")  # type: ignore[union-attr]

    with ZMQExecutionClient(PORT, persistent=False) as client:
        identity = ProcessIdentity(client.server.pid, client.server.process_start)
        with_browser(qt_loop, widget, work)
    remove_sockets()


def test_the_tip_of_a_server_names_its_process_and_problem(widget: ServerBrowserWidget) -> None:
    node = ServerNode(ServerAddress(7777, host="lab"), Reach.UNREACHABLE, problem="its key is not known")
    widget.show_snapshot(BrowserSnapshot((node,), 1))
    model = widget.tree.model()
    assert model is not None
    assert "its key is not known" in str(model.index(0, 0).data(Qt.ItemDataRole.ToolTipRole))
    widget.select("lab/openhcs/7777")
    assert not any(each.isEnabled() for each in widget.findChildren(QPushButton))
