"""Tasks in notebooks: tables in a real kernel, replaced in place, and what an interrupt of a cell cancels."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat
import pytest
import task_functions as functions
from jupyter_core.utils import ensure_async
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from zmqruntime.execution import Executor, PlateProjection, TaskFuture, watch
from zmqruntime.execution.executor.execution_list import ExecutionList
from zmqruntime.execution.html import TaskRow, task_row, tasks_html, tasks_text
from zmqruntime.execution.notebook.output import Content
from zmqruntime.execution.testing import EventScript
from zmqruntime.messages import ExecutionStatus


class Screen:
    """Keeps what is shown on it."""

    def __init__(self) -> None:
        self.pictures: list[str] = []
        self.last = ""

    def show(self, content: Content, *, is_last: bool) -> None:
        self.pictures.append(content.as_html())
        self.last = content.as_text()


def test_a_row_tells_status_progress_and_error() -> None:
    script = EventScript(steps=("Load", "Train"), groups=4).run().start("A1").work("A1", 2)
    projection = PlateProjection()
    for event in script.events:
        projection.apply(event)
    assert script.snapshot is not None
    row = task_row(script.snapshot, projection.progress(), now=script.now + 5, name="train")
    assert (row.status, row.percent, row.seconds, row.text) == ("running", 25.0, 5.0, "A1 Load")
    html = tasks_html([row])
    assert 'aria-valuenow="25"' in html
    assert "1 running" in html
    failed = EventScript().run().status(ExecutionStatus.FAILED, error="ValueError: <b>no</b>\nmore").snapshot
    assert failed is not None
    assert "ValueError: &lt;b&gt;no&lt;/b&gt;" in ExecutionList([failed])._repr_html_()
    assert "&lt;b&gt;" in failed._repr_html_()


def test_of_many_executions_the_failed_and_running_ones_are_shown() -> None:
    rows = [TaskRow(name=f"t{n}", execution_id=f"id{n}", status="complete", percent=100.0) for n in range(50)]
    rows.append(TaskRow(name="bad", execution_id="bad", status="failed", text="ValueError: odd"))
    text = tasks_text(rows, Counter({"complete": 99_999, "failed": 1}))
    assert text.splitlines()[0] == "1 failed, 99,999 complete"
    assert text.splitlines()[2].startswith("bad")
    assert text.splitlines()[-1] == "... and 99,980 more"
    assert tasks_text([]).splitlines()[0] == "no tasks"


def check_watch_shows_tasks_until_they_have_ended(name: str) -> None:
    screen = Screen()
    with Executor(name) as executor:
        futures: list[TaskFuture[Any]] = [executor.submit(functions.add, number) for number in range(30)]
        futures.append(executor.submit(functions.fail, "bad"))
        watch(futures, output=screen)
        assert all(future.done() for future in futures)
        assert "1 failed, 30 complete" in screen.last
        assert "ValueError: bad" in screen.last
        assert len(screen.pictures) >= 2
        assert "ValueError: bad" in futures[-1]._repr_html_()
        assert "1 failed, 33 complete" in executor.executions()._repr_html_()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("an-id", r"not an id: write watch\(executor.future\('an-id'\)\)"),
        (["an-id"], "not an id"),
        (EventScript().run().snapshot, r"not objects of type ExecutionSnapshot: write watch\(executor.future\('e'\)\)"),
        (3, "not objects of type int: pass what executor.submit or executor.future returns"),
    ],
)
def test_watch_says_how_to_watch_what_is_not_a_future(given: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        watch(given)


def cell_of(notebook: Any, number: int) -> str:
    return json.dumps(notebook.cells[number].outputs)


def test_tasks_of_a_kernel_and_what_an_interrupted_cell_cancels(isolated_home: Path, tmp_path: Path) -> None:
    setup = f"""
import sys; sys.path.insert(0, {str(Path(functions.__file__).parent)!r})
from task_functions import add, hold
from zmqruntime.execution import Executor, watch
executor = Executor("cells", max_workers=2, persistent=False)
futures = [executor.submit(add, n) for n in range(3)]
watch(futures)
[future.result() for future in futures]
"""
    cells = [
        setup,
        "futures",
        f"first = executor.submit(hold, {str(tmp_path / 'first')!r})",
        f"second = executor.submit(hold, {str(tmp_path / 'second')!r}); watch([first, second])",
        "print(first.status, second.status)",
        "first.cancel(); watch(first); executor.shutdown()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])

    async def execute() -> None:
        client = NotebookClient(notebook, timeout=200)
        async with client.async_setup_kernel():
            await client.async_execute_cell(notebook.cells[0], 0)
            await asyncio.to_thread(check_watch_shows_tasks_until_they_have_ended, "cells")
            for number in (1, 2):
                await client.async_execute_cell(notebook.cells[number], number)
            cell = asyncio.create_task(client.async_execute_cell(notebook.cells[3], 3))
            while not cell.done() and not (tmp_path / "second.runs").exists():
                await asyncio.sleep(0.05)  # a file of another process gives no sign
            assert client.km is not None
            await ensure_async(client.km.interrupt_kernel())
            with pytest.raises(CellExecutionError, match="KeyboardInterrupt"):
                await cell
            for number in (4, 5):
                await client.async_execute_cell(notebook.cells[number], number)

    asyncio.run(execute())
    shown = [output for output in notebook.cells[0].outputs if output.output_type == "display_data"]
    assert len(shown) == 1, "one output, in place"
    assert "3 complete" in shown[0].data["text/plain"]
    assert "<table" in notebook.cells[1].outputs[0].data["text/html"]
    assert "cancelled 1 task that this cell had submitted" in cell_of(notebook, 3)
    assert "1 running, 1 cancelled" in cell_of(notebook, 3)
    assert "running cancelled" in cell_of(notebook, 4)
    assert "1 cancelled" in cell_of(notebook, 5)
