"""Runs that go on where an earlier one ended, compilations that are run later, folders that say how they were made."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from openhcs_runtime import FunctionStep, GlobalConfig, PipelineConfig, PipelineOrchestrator, PlateResult
from openhcs_runtime.config import ExecutionMode
from openhcs_runtime.exceptions import CompileError, OutputError
from openhcs_runtime.functions import denoise, measure_objects, segment_nuclei
from openhcs_runtime.outputs.provenance import FILE_NAME, read_provenance
from openhcs_runtime.outputs.runs import RUNNING
from openhcs_runtime.results import ResultStatus
from openhcs_runtime.service.client import PlateExecution, ZMQExecutionClient
from openhcs_runtime.tasks import RefusalKind
from openhcs_runtime.testing import Gate
from zmqruntime.messages import ExecutionStatus, ProgressPhase

STEPS = [FunctionStep(segment_nuclei), FunctionStep((measure_objects, {"name": "nuclei"}), materialize=True)]
OTHER = [FunctionStep(denoise), *STEPS]
NewPlate = Callable[..., Path]


def _run(plate: Path, output: Path, steps: list[FunctionStep] = STEPS, *, resume: bool = True) -> PlateResult:
    settings = GlobalConfig(num_workers=2, mode=ExecutionMode.THREADS)
    with PipelineOrchestrator(plate, steps, settings, PipelineConfig(output_dir=str(output))) as orchestrator:
        return orchestrator.run(resume=resume)


def _reused(result: PlateResult) -> list[str]:
    return [well.well for well in result.wells if well.reused]


def _bytes_of(folder: Path) -> dict[str, bytes]:
    """The content of every result file but those that tell times."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".json", ".log")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_only_what_is_missing_is_done_again(new_plate: NewPlate, tmp_path: Path) -> None:
    plate = new_plate()
    image = next(plate.rglob("*_A03_*.tif"))
    whole = image.read_bytes()
    kept_times = image.stat()
    image.write_bytes(whole[:100])
    first = _run(plate, tmp_path / "out")
    assert [well.status for well in first.wells] == ["complete", "complete", "failed", "complete"]
    image.write_bytes(whole)
    os.utime(image, ns=(kept_times.st_atime_ns, kept_times.st_mtime_ns))
    second = _run(plate, tmp_path / "out")
    assert second.status is ResultStatus.COMPLETE
    assert _reused(second) == ["A01", "A02", "A04"]
    undisturbed = _run(plate, tmp_path / "other")
    assert second.counts == undisturbed.counts
    assert _bytes_of(tmp_path / "out") == _bytes_of(tmp_path / "other")


def test_a_lost_file_or_another_image_does_a_well_again_and_another_pipeline_is_refused(
    new_plate: NewPlate, tmp_path: Path
) -> None:
    plate, output = new_plate(), tmp_path / "out"
    _run(plate, output)
    assert _reused(_run(plate, output)) == ["A01", "A02", "A03", "A04"]
    next(output.rglob("A02*.tif")).unlink()
    assert _reused(_run(plate, output)) == ["A01", "A03", "A04"]
    os.utime(next(plate.rglob("*_A04_*.tif")))
    assert _reused(_run(plate, output)) == ["A01", "A02", "A03"]
    with pytest.raises(OutputError, match=r"cannot be resumed because it was begun with another .*steps"):
        _run(plate, output, OTHER)


HELD_STEPS = """
from openhcs_runtime.functions import measure_objects, segment_nuclei
pipeline_steps += [FunctionStep(segment_nuclei), FunctionStep((measure_objects, {"name": "nuclei"}), materialize=True)]
"""


def test_a_killed_server_and_its_successor_compute_no_well_twice(
    isolated_home: Path, new_plate: NewPlate, gate: Gate, tmp_path: Path
) -> None:
    plate = new_plate(wells=12)
    undisturbed = _run(plate, tmp_path / "undisturbed")
    pipeline = gate.pipeline.read_text(encoding="utf-8") + HELD_STEPS
    with ZMQExecutionClient(port=7777, persistent=True) as client:
        settings = GlobalConfig(num_workers=2), PipelineConfig(output_dir=str(tmp_path / "out"))
        execution_id = client.submit_pipeline(plate, pipeline, *settings).execution_id
        for _ in range(3):
            gate.let_one_through()
        done: set[str] = set()
        for event in client.events(execution_id):
            if getattr(event, "phase", None) is ProgressPhase.AXIS_COMPLETED:
                done.add(event.axis_id)  # type: ignore[union-attr]
            if len(done) == 3:
                break
        family = psutil.Process(client.server.pid).children(recursive=True)
        os.kill(client.server.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(family, 10)
        assert not alive
        gate.open()
        client.connect()
        execution = client.wait(execution_id, 60)
        assert execution.status is ExecutionStatus.COMPLETE
        assert execution.attempts == 2
        assert execution.plate is not None
        assert set(_reused(execution.plate)) == done
        assert execution.plate.counts == undisturbed.counts
        client.shutdown_server()
    assert _bytes_of(tmp_path / "out") == _bytes_of(tmp_path / "undisturbed")


def test_resume_of_a_failed_execution_is_a_new_one_that_keeps_what_is_done(
    isolated_home: Path, half_plate: Path, tmp_path: Path
) -> None:
    with ZMQExecutionClient(port=7777, persistent=False) as client:
        config = PipelineConfig(output_dir=str(tmp_path / "out"))
        failed = client.execute_pipeline(half_plate, STEPS, pipeline_config=config)
        again = client.wait(client.resume(failed.execution_id).execution_id, 60)
        assert again.execution_id != failed.execution_id
        assert again.status is ExecutionStatus.FAILED
        assert again.plate is not None
        assert _reused(again.plate) == ["A01", "A03"]


def test_what_was_compiled_is_run_by_its_id(isolated_home: Path, new_plate: NewPlate, tmp_path: Path) -> None:
    plate = new_plate()
    with ZMQExecutionClient(port=7777, persistent=False) as client:
        config = PipelineConfig(output_dir=str(tmp_path / "out"))
        compilation = client.wait(client.compile_pipeline(plate, STEPS, pipeline_config=config).execution_id, 60)
        report = compilation.compiled
        assert report is not None
        assert report.wells == ("A01", "A02", "A03", "A04")
        assert report.compile_artifact_id == compilation.execution_id
        assert list((tmp_path / "out").glob("**/*.tif")) == []
        done = client.wait(client.submit_compiled(report.compile_artifact_id).execution_id, 60)
        assert done.plate is not None
        assert done.plate.signature == report.signature
        os.utime(next(plate.rglob("*_A04_*.tif")))
        changed: PlateExecution = client.wait(client.submit_compiled(report.compile_artifact_id).execution_id, 60)
        assert changed.refusal is not None
        assert changed.refusal.refused is RefusalKind.CHANGED
        with pytest.raises(CompileError, match="not a complete compilation"):
            client.submit_compiled(done.execution_id)
        bad = client.wait(client.compile_pipeline(plate, "pipeline_steps = []").execution_id, 60)
        assert bad.refusal is not None
        assert bad.refusal.refused is RefusalKind.COMPILE


def test_a_folder_says_how_it_was_made_and_is_made_again(
    isolated_home: Path, new_plate: NewPlate, tmp_path: Path
) -> None:
    plate = new_plate()
    with ZMQExecutionClient(port=7777, persistent=False) as client:
        config = PipelineConfig(output_dir=str(tmp_path / "out"))
        first = client.execute_pipeline(plate, STEPS, GlobalConfig(num_workers=2), config)
        assert first.plate is not None
        known = read_provenance(tmp_path / "out")
        assert known.status == "complete"
        assert known.signature == first.plate.signature
        assert known.packages["openhcs-runtime"]
        assert known.pipeline_config == config
        assert [well.well for well in known.wells] == ["A01", "A02", "A03", "A04"]
        assert all((plate / each.path).stat().st_size == each.size for each in known.inputs)
        again = client.wait(client.rerun(tmp_path / "out").execution_id, 60)
        assert again.plate is not None
        assert again.plate.output_dir == str(tmp_path / "out_rerun")
    assert _bytes_of(tmp_path / "out") == _bytes_of(tmp_path / "out_rerun")


def test_a_run_that_was_killed_left_a_document_that_says_so(new_plate: NewPlate, tmp_path: Path) -> None:
    plate = new_plate(wells=1)
    _run(plate, tmp_path / "out")
    path = tmp_path / "out" / FILE_NAME
    path.write_text(path.read_text().replace('"status": "complete",\n "begun', f'"status": "{RUNNING}",\n "begun'))
    assert read_provenance(tmp_path / "out").status == RUNNING


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "has no provenance.json"), ("{", "is damaged"), ('{"format_version": 99}', "newer release")],
)
def test_a_folder_without_a_document_that_can_be_read(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(OutputError, match=words):
        read_provenance(tmp_path)


def test_functions_without_source_are_told(new_plate: NewPlate, tmp_path: Path) -> None:
    plate = new_plate(wells=1)
    _run(plate, tmp_path / "out", [FunctionStep(lambda stack: stack, name="local")])
    known = read_provenance(tmp_path / "out")
    assert known.pipeline_source == ""
    assert "lambda" in known.no_source
    shutil.rmtree(tmp_path / "out")
