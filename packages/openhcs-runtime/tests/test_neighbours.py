"""Modules beside a pipeline file: found in both modes and over the server, and forgotten with their pipeline."""

import importlib
import sys
from pathlib import Path

import msgspec
import pytest

from openhcs_runtime.config import ExecutionMode, GlobalConfig, PipelineConfig
from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.pipeline.neighbour_modules import borrowed
from openhcs_runtime.pipeline.source import load_pipeline
from openhcs_runtime.results import PlateResult, ResultStatus
from openhcs_runtime.service.client import ZMQExecutionClient
from openhcs_runtime.service.worker import run_plate_task
from openhcs_runtime.tasks import PlateTask, read_result
from openhcs_runtime.testing import CommandLine
from zmqruntime.execution import local_task

PIPELINE = """
from lab_functions import measure
from openhcs_runtime import FunctionStep

pipeline_steps = [FunctionStep(measure)]
"""

FUNCTIONS = """
from openhcs_runtime import Measurements, OutputKind, special_outputs

@special_outputs(OutputKind.MEASUREMENTS)
def measure(stack):
    import lab_numbers  # only when it runs
    return stack, [Measurements({{"{name}_count": lab_numbers.NUMBER}}) for _ in stack]
"""


@pytest.fixture
def pipeline_file(tmp_path: Path) -> Path:
    return write(tmp_path / "lab", "first", 1)


def write(folder: Path, name: str, number: int) -> Path:
    """A pipeline with two modules beside it, which counts `number` for each image."""
    folder.mkdir(exist_ok=True)
    (folder / "lab_functions.py").write_text(FUNCTIONS.format(name=name), encoding="utf-8")
    (folder / "lab_numbers.py").write_text(f"NUMBER = {number}\n", encoding="utf-8")
    file = folder / "pipeline.py"
    file.write_text(PIPELINE, encoding="utf-8")
    return file


def run(file: Path, plate: Path, output: Path, mode: ExecutionMode) -> PlateResult:
    task = PlateTask(
        plate_path=str(plate),
        source=file.read_text(),
        source_name=file.name,
        source_dir=str(file.parent),
        global_config=GlobalConfig(num_workers=1, mode=mode),
        pipeline_config=PipelineConfig(output_dir=str(output), wells=("A01",)),
    )
    with local_task():
        result = read_result(run_plate_task(msgspec.to_builtins(task)))
    assert isinstance(result, PlateResult)
    assert result.status is ResultStatus.COMPLETE, result
    return result

    return msgspec.to_builtins(task)


@pytest.mark.parametrize("mode", list(ExecutionMode))
def test_each_pipeline_has_its_own(plate: Path, pipeline_file: Path, tmp_path: Path, mode: ExecutionMode) -> None:
    other = write(tmp_path / "other", "second", 3)
    before = list(sys.path)
    assert run(pipeline_file, plate, tmp_path / "out1", mode).counts == {"first_count": 1}
    assert run(other, plate, tmp_path / "out2", mode).counts == {"second_count": 3}
    write(pipeline_file.parent, "edited", 12345)
    assert run(pipeline_file, plate, tmp_path / "out3", mode).counts == {"edited_count": 12345}
    assert sys.path == before
    assert "lab_functions" not in sys.modules


@pytest.mark.parametrize("mode", list(ExecutionMode))
def test_a_notebook_names_the_folder(plate: Path, pipeline_file: Path, tmp_path: Path, mode: ExecutionMode) -> None:
    text = pipeline_file.read_text()
    with pytest.raises(PipelineError, match="ModuleNotFoundError: No module named 'lab_functions'"):
        load_pipeline(text)
    with borrowed(str(pipeline_file.parent)):
        pipeline = load_pipeline(text, "pipeline.py", str(pipeline_file.parent))
        sys.path.remove(str(pipeline_file.parent))
        config = PipelineConfig(output_dir=str(tmp_path / "out"), wells=("A01",))
        with PipelineOrchestrator(plate, pipeline, GlobalConfig(1, mode), config) as orchestrator:
            assert orchestrator.run().counts == {"first_count": 1}


def test_installed_modules_come_first_and_stay(tmp_path: Path) -> None:
    (tmp_path / "msgspec.py").write_text("raise RuntimeError('not me')")
    (tmp_path / "mine.py").write_text("")
    known = sys.modules["msgspec"]
    with borrowed(str(tmp_path)):
        import mine  # type: ignore[import-not-found]

        assert sys.modules["mine"] is mine
        assert importlib.import_module("msgspec") is known
    assert "mine" not in sys.modules
    assert sys.modules["msgspec"] is known


def test_over_the_server(shared_home: CommandLine, plate: Path, pipeline_file: Path, tmp_path: Path) -> None:
    config = PipelineConfig(results_dir=str(tmp_path / "out"), wells=("A01",))
    with ZMQExecutionClient(persistent=True) as client:
        first = client.execute_pipeline(plate, pipeline_file, pipeline_config=config)
        assert first.plate is not None, first.message
        assert first.plate.counts == {"first_count": 1}
        write(pipeline_file.parent, "edited", 12345)
        second = client.execute_pipeline(plate, str(pipeline_file), pipeline_config=config)
        assert second.plate is not None, second.message
        assert second.plate.counts == {"edited_count": 12345}


def test_on_the_command_line(shared_command: CommandLine, plate: Path, pipeline_file: Path, tmp_path: Path) -> None:
    finished = shared_command(
        "run", plate, "--pipeline", "lab/pipeline.py", "--output", "out", "--workers", "1", cwd=tmp_path
    )
    assert finished.code == 0, finished.stderr
    assert "First" in finished.stdout
