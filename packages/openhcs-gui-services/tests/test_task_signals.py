"""Signals of tasks: emitted in Qt's thread, in order, once, and not after the object is gone."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PyQt6.QtCore import QObject, QThread
from pytestqt.qtbot import QtBot

from openhcs_gui_services import TaskSignals
from zmqruntime import LogLine, ProgressUpdate
from zmqruntime.execution import ExecutionClient, Executor

pytestmark = pytest.mark.usefixtures("isolated_home", "no_leaks")

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
SERVER = """
from zmqruntime.execution import ExecutionServer, TaskFailed, current_task

class Counter(ExecutionServer):
    def execute_task(self, execution_id, request):
        task = current_task()
        task.log.info("begin")
        for done in range(request.payload["count"]):
            task.report(
                axis_id="", step_name="count", step_index=0, total_steps=1, phase="pattern_group", status="running",
                completed=done, total=request.payload["count"],
            )
        if request.payload.get("waits"):
            import threading
            while True:
                task.check_cancelled()
                threading.Event().wait(0.01)
        if request.payload.get("fails"):
            raise TaskFailed("there is no " + request.payload["fails"])
        return b"x" * request.payload["size"]
"""
TOLD = ("started", "progress", "line", "succeeded", "failed", "cancelled", "finished")


class Ear(QObject):
    """Notes what it is told, and in which thread."""

    def __init__(self, signals: TaskSignals) -> None:
        super().__init__()
        self.heard: list[tuple[str, Any]] = []
        self.threads: set[QThread | None] = set()
        for name in TOLD:
            getattr(signals, name).connect(lambda *values, name=name: self._note(name, values))

    def _note(self, name: str, values: tuple[Any, ...]) -> None:
        self.heard.append((name, values[0] if values else None))
        self.threads.add(QThread.currentThread())

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(name for name, _ in self.heard))

    def last(self, name: str) -> Any:
        return [value for each, value in self.heard if each == name][-1]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[ExecutionClient]:
    file = tmp_path / "counter.py"
    file.write_text(SERVER)
    with ExecutionClient(7961, server=f"{file}:Counter", persistent=False) as client:
        yield client


def test_an_execution_tells_its_start_its_progress_and_its_end(qtbot: QtBot, client: ExecutionClient) -> None:
    big = client.submit({"count": 3, "size": 100_000})
    signals = TaskSignals.of_execution(client, big)
    ear = Ear(signals)
    with qtbot.waitSignal(signals.finished, timeout=60_000):
        pass
    assert ear.names == ["started", "line", "progress", "succeeded", "finished"]
    assert isinstance(ear.last("progress"), ProgressUpdate)
    assert isinstance(ear.last("line"), LogLine)
    assert ear.last("succeeded") == b"x" * 100_000
    assert ear.threads == {signals.thread()}
    again = TaskSignals.of_execution(client, big)  # one that has ended tells the same
    late = Ear(again)
    with qtbot.waitSignal(again.finished, timeout=60_000):
        pass
    assert late.names == ear.names


def test_failed_cancelled_and_unknown(qtbot: QtBot, client: ExecutionClient) -> None:
    failing = TaskSignals.of_execution(client, client.submit({"count": 0, "fails": "file"}))
    with qtbot.waitSignal(failing.failed, timeout=60_000) as failed:
        pass
    assert "there is no file" in str(failed.args[0])
    waiting_id = client.submit({"count": 1, "waits": True})
    waiting = TaskSignals.of_execution(client, waiting_id)
    ear = Ear(waiting)
    with qtbot.waitSignal(waiting.progress, timeout=60_000):
        pass
    with qtbot.waitSignal(waiting.finished, timeout=60_000):
        client.cancel(waiting_id)
    assert ear.names[-2:] == ["cancelled", "finished"]
    unknown = TaskSignals.of_execution(client, "no-such-execution")
    with qtbot.waitSignal(unknown.failed, timeout=60_000) as refused:
        pass
    assert "no-such-execution" in str(refused.args[0])


def test_a_deleted_object_follows_nothing_and_the_task_goes_on(qtbot: QtBot, client: ExecutionClient) -> None:
    parent = QObject()
    execution_id = client.submit({"count": 1, "waits": True})
    signals = TaskSignals.of_execution(client, execution_id, parent)
    ear = Ear(signals)
    with qtbot.waitSignal(signals.progress, timeout=60_000):
        pass
    with qtbot.waitSignal(signals.destroyed, timeout=60_000):
        parent.deleteLater()
    assert not client.poll_status(execution_id).ended_at
    client.cancel(execution_id)
    client.wait(execution_id, 60)
    assert "finished" not in ear.names


def test_the_example_shows_a_task_and_cancels_another(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    qt_task = importlib.import_module("qt_task")
    with Executor("cells", max_workers=1, persistent=False) as executor:
        window = qt_task.TaskWindow(executor.submit(qt_task.count_cells, 5, 0.0))
        qtbot.addWidget(window)
        with qtbot.waitSignal(window.signals.finished, timeout=60_000):
            pass
        assert (window.label.text(), window.bar.value()) == ("95 cells", 5)
        other = qt_task.TaskWindow(executor.submit(qt_task.count_cells, 1000, 0.02))
        qtbot.addWidget(other)
        other.show()
        with qtbot.waitSignal(other.signals.progress, timeout=60_000):
            pass
        with qtbot.waitSignal(other.signals.finished, timeout=60_000):
            other.button.click()
        assert other.label.text() == "cancelled"
        assert not other.button.isEnabled()
