"""Runs in notebooks: what a cell shows, in a real kernel, and what an interrupt of the cell does."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_core.utils import ensure_async
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from openhcs_runtime import (
    ExecutionMode,
    GlobalConfig,
    PipelineOrchestrator,
    ResultStatus,
    ZMQExecutionClient,
    load_pipeline,
)
from openhcs_runtime.notebook import run, watch
from openhcs_runtime.notebook.well_map import well_map
from openhcs_runtime.testing import CommandLine, Gate
from zmqruntime.execution import AxisProgress, AxisState
from zmqruntime.execution.notebook.output import Content

PIPELINE = """
from openhcs_runtime import FunctionStep
from openhcs_runtime.functions import segment_nuclei

pipeline_steps = [FunctionStep({1: segment_nuclei}, group_by="channel", name="nuclei")]
"""


class Screen:
    """Keeps what is shown on it."""

    def __init__(self) -> None:
        self.pictures: list[str] = []
        self.last = ""

    def show(self, content: Content, *, is_last: bool) -> None:
        self.pictures.append(content.as_html())
        if is_last:
            self.last = content.as_text()


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    file = tmp_path / "nuclei.py"
    file.write_text(PIPELINE)
    return file


def test_a_run_shows_its_wells_and_why_one_failed(half_plate: Path) -> None:
    screen = Screen()
    with PipelineOrchestrator(
        half_plate, load_pipeline(PIPELINE), GlobalConfig(mode=ExecutionMode.THREADS)
    ) as orchestrator:
        result = run(orchestrator, output=screen)
    assert result.status is ResultStatus.FAILED
    assert len(screen.pictures) >= 2
    assert screen.pictures[-1].count("<rect") == 3
    assert "1 well failed" in screen.pictures[-1]
    assert re.search(r"A02 failed: image \S*_A02_\S* is damaged", screen.last)
    assert result.output_dir in screen.last
    assert result.output_dir in result._repr_html_()
    assert "2 complete, 1 failed" in result._repr_html_()


def test_a_run_on_a_server_is_shown_until_it_has_ended(
    shared_home: CommandLine, half_plate: Path, pipeline: Path
) -> None:
    screen = Screen()
    with ZMQExecutionClient(persistent=True) as client:
        submitted = client.submit_pipeline(half_plate, pipeline)
        execution = watch(client, submitted.execution_id, output=screen)
        assert execution.plate is not None
        assert "A02 failed" in screen.last
        assert screen.pictures[-1].count("<rect") == 3
        assert execution.plate.output_dir in execution._repr_html_()
        again = Screen()
        watch(client, submitted.execution_id, output=again)  # one that has ended
        assert "3 of 3 wells, 1 failed" in again.last


def test_the_map_has_room_for_each_format_and_escapes_errors() -> None:
    wells = [AxisProgress("P24", AxisState.FAILED, error='<b>"no"</b>'), AxisProgress("A01"), AxisProgress("whole")]
    picture = well_map(wells)
    assert picture.count("<rect") == 2
    assert "&lt;b&gt;" in picture
    assert "<b>" not in picture
    assert ">24</text>" in picture or ">23</text>" in picture
    assert well_map([AxisProgress("whole")]) == ""


IN_A_CELL = """
from openhcs_runtime import *
from openhcs_runtime.notebook import run

def kept(stack):
    return stack

def tried(function, *modes):
    try:
        for mode in modes:
            config = GlobalConfig(num_workers=1, mode=mode)
            with PipelineOrchestrator(PLATE, [FunctionStep(function)], config) as orchestrator:
                print(mode, orchestrator.run().status)
    except CompileError as error:
        print(error)
    try:
        with ZMQExecutionClient(persistent=False) as client:
            print("server", client.execute_pipeline(PLATE, [FunctionStep(function)]).status)
    except PipelineError as error:
        print(error)

tried(kept, "threads", "processes")
"""
REMEDY = """%%writefile steps.py
from openhcs_runtime import per_plane

@per_plane
def brighten(plane):
    return plane + 1
"""
RUN = """
with PipelineOrchestrator(PLATE, load_pipeline(HOLD), GlobalConfig(num_workers=1)) as orchestrator:
    run(orchestrator)
"""


@pytest.mark.usefixtures("isolated_home", "no_leaks")
def test_the_cells_of_a_notebook(new_plate: Callable[..., Path], gate: Gate, tmp_path: Path) -> None:
    values = {"PLATE": repr(str(new_plate(wells=2))), "HOLD": repr(gate.pipeline.read_text())}
    cells = [IN_A_CELL, REMEDY, "import steps; tried(steps.brighten, 'processes')", RUN]
    for name, value in values.items():
        cells = [cell.replace(name, value) for cell in cells]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])

    async def execute() -> None:
        client = NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(tmp_path)}})
        async with client.async_setup_kernel():
            for number in range(3):
                await client.async_execute_cell(notebook.cells[number], number)
            cell = asyncio.create_task(client.async_execute_cell(notebook.cells[3], 3))
            well = asyncio.create_task(asyncio.to_thread(gate.wait_for_well))
            await asyncio.wait({cell, well}, return_when=asyncio.FIRST_COMPLETED)
            if cell.done():
                gate.open()
                await asyncio.wait({well})
                await cell
            assert client.km is not None
            await ensure_async(client.km.interrupt_kernel())
            with pytest.raises(CellExecutionError, match="KeyboardInterrupt"):
                await cell

    asyncio.run(execute())
    refused, _, works, shown = (cell.outputs for cell in notebook.cells)
    check_functions_of_cells(text_of(refused), text_of(works))
    check_interrupted_run([output for output in shown if output.output_type == "display_data"])


def text_of(outputs: Any) -> str:
    return "".join(output.get("text", "") for output in outputs)


def check_functions_of_cells(refused: str, works: str) -> None:
    """A function of a cell is refused with a remedy that works in every mode."""
    assert refused.splitlines()[0] == "threads complete"
    assert refused.count("%%writefile steps.py") == 2
    assert refused.count("or use mode 'threads'") == 1, "which is no remedy for a server"
    assert works.splitlines() == ["processes complete", "server complete"]


def check_interrupted_run(shown: Any) -> None:
    """A run is one output that is replaced; an interrupt cancels it, and its wells are kept."""
    assert len(shown) == 1
    html = shown[0].data["text/html"]
    assert "cancelled" in html
    assert "plate_results" in html
    assert "0 of 2 wells" in shown[0].data["text/plain"]
