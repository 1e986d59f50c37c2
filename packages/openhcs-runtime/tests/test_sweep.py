"""Sweeps: a run for each value, compared in one table and one picture; what is done is kept if it is broken off."""

import csv
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from openhcs_runtime.cli.endpoint import PlateEndpoint
from openhcs_runtime.cli.plate_tasks import RunOptions
from openhcs_runtime.cli.sweeping import check_sweep
from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.pipeline.set_parameters import steps_before
from openhcs_runtime.pipeline.source import load_pipeline
from openhcs_runtime.service.client import ZMQExecutionClient
from openhcs_runtime.service.local import run_locally
from openhcs_runtime.sweep import SweepFolder, SweepParameter, SweepRecord, combinations, run_sweep
from openhcs_runtime.tasks import Follow, PlateTask
from openhcs_runtime.testing import CommandLine, Gate
from zmqruntime.execution.cli.failures import CommandError

NewPlate = Callable[..., Path]
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a POSIX signal")
TEXT = """
from openhcs_runtime import FunctionStep, GlobalConfig
from openhcs_runtime.functions import measure_objects, max_projection, segment_nuclei
pipeline_steps = [
    FunctionStep(max_projection, name="Project", variable_components=("z_index",)),
    FunctionStep(segment_nuclei, name="Segment"),
    FunctionStep((measure_objects, {"name": "nuclei"}), name="Measure"),
]
global_config = GlobalConfig(1, "threads")
"""
DIAMETER = SweepParameter.parse("Segment.diameter_um=6,20")


def _sweep_here(task: PlateTask, *parameters: SweepParameter) -> SweepRecord:
    folder = SweepFolder([parameter.name for parameter in parameters], datetime.now().astimezone())
    for combination in combinations(parameters):
        execution = run_locally(combination.task(task), lambda event: None)
        folder.add(combination, execution.plate, execution.message)
    record = folder.finish()
    assert record is not None
    return record


def _rows(record: SweepRecord) -> list[dict[str, str]]:
    with Path(record.table).open(newline="") as file:
        return list(csv.DictReader(file))


def test_values_and_their_combinations() -> None:
    assert SweepParameter.parse("a.b=8, 10,12.5").texts == ("8", "10", "12.5")
    assert SweepParameter.parse("method=otsu,li").texts == ("otsu", "li")
    assert SweepParameter.parse("sizes=(1, 2),(3, 4),None").texts == ("(1, 2)", "(3, 4)", "None")
    found = combinations([SweepParameter("a", ("1", "2")), SweepParameter("b", ("x", "y"))])
    assert list(map(str, found)) == ["a=1 b=x", "a=1 b=y", "a=2 b=x", "a=2 b=y"]
    for text in ("a", "a=", "a=1,1", "a=x,,y"):
        with pytest.raises(PipelineError):
            SweepParameter.parse(text)
    with pytest.raises(PipelineError, match="swept twice"):
        combinations([DIAMETER, DIAMETER])
    with pytest.raises(PipelineError, match="more than 200 runs"):
        combinations([SweepParameter(name, tuple(map(str, range(15)))) for name in "ab"])


def test_the_step_before_a_swept_one_is_kept() -> None:
    pipeline = load_pipeline(TEXT)
    assert steps_before(pipeline, ["Segment.diameter_um"]) == ("Project",)
    assert steps_before(pipeline, ["name", "diameter_um"]) == ("Segment", "Project")
    with pytest.raises(PipelineError, match="no function or step 'x'"):
        steps_before(pipeline, ["x.y"])


def test_one_table_and_one_picture(new_plate: NewPlate) -> None:
    plate = new_plate(wells=2, size=128, z=2)
    task = PlateTask(plate_path=str(plate), source=TEXT, wells=("A01-A02",))
    record = _sweep_here(task, DIAMETER)
    rows = _rows(record)
    assert [(row["Segment.diameter_um"], row["well"], row["status"]) for row in rows] == [
        (value, well, "complete") for value in ("6", "20") for well in ("A01", "A02")
    ]
    small, large = (run.counts["nuclei_count"] for run in record.runs)
    assert small == sum(int(row["nuclei_count"]) for row in rows[:2]) > large
    assert all(float(row["nuclei_area_mean_px2"]) > 0 < float(row["seconds"]) for row in rows)
    assert [row["run"] for row in rows[::2]] == [Path(run.folder).name for run in record.runs]
    assert Path(record.folder).parent == plate.parent / "plate_results"
    assert Path(record.folder).name.endswith("_sweep_Segment_diameter_um")
    assert msgspec.json.decode(Path(record.folder, "sweep.json").read_bytes(), type=SweepRecord) == record
    with Image.open(record.picture) as picture:
        pixels = np.asarray(picture)
    assert max(pixels.shape) < 1600
    outlined = (pixels == (255, 220, 0)).all(axis=2)
    left, right = np.array_split(outlined[:, 110:], 2, axis=1)
    assert left.sum() > right.sum() > 0  # smaller objects have more outlines


def test_runs_share_the_steps_that_are_equal_and_the_same_sweep_again_takes_over(new_plate: NewPlate) -> None:
    plate = new_plate(wells=1)
    task = PlateTask(plate_path=str(plate), source=TEXT)
    folder = SweepFolder([DIAMETER.name], datetime.now().astimezone())
    first, second = combinations([DIAMETER])
    computed = run_locally(first.task(task), lambda event: None).plate
    shared = run_locally(second.task(task), lambda event: None).plate
    assert computed is not None
    assert shared is not None
    assert [cost.step for cost in computed.wells[0].steps] == ["Project", "Segment", "Measure"]
    assert [cost.step for cost in shared.wells[0].steps] == ["Segment", "Measure"]
    for combination, known in ((first, computed), (second, shared)):
        again = run_locally(combination.task(task), lambda event: None).plate
        assert again is not None
        assert again.wells[0].taken_from == Path(known.output_dir).name
        assert again.counts == known.counts
    folder.add(first, None, "the run was cancelled")
    assert folder.finish() is None  # nothing was processed, so there is nothing to write


def test_failed_wells_are_in_the_table_and_a_pipeline_without_labels_has_no_picture(new_plate: NewPlate) -> None:
    plate = new_plate(wells=2)
    image = next(plate.rglob("*_A02_*.tif"))
    image.write_bytes(image.read_bytes()[:100])
    text = """
from openhcs_runtime import FunctionStep, GlobalConfig
from openhcs_runtime.functions import denoise
pipeline_steps = [FunctionStep(denoise)]
global_config = GlobalConfig(1, "threads")
"""
    record = _sweep_here(PlateTask(plate_path=str(plate), source=text), SweepParameter("sigma_px", ("1", "2")))
    assert (record.picture, record.no_picture) == ("", "no run has made labels to draw")
    assert [(row["status"], bool(row["error"])) for row in _rows(record)] == [("complete", False), ("failed", True)] * 2


def test_what_does_not_go_with_a_sweep_is_refused() -> None:
    here = PlateEndpoint(7777, None)
    for options, texts, problem in (
        (RunOptions(plate="p", endpoint=here, output=Path("x")), ["a=1,2"], "does not go with --output"),
        (RunOptions(plate="p", endpoint=here, follow=Follow()), ["a=1,2"], "does not go with --follow"),
        (RunOptions(plate="p", endpoint=PlateEndpoint(7777, "far")), ["a=1,2"], "on the machine of the server"),
        (RunOptions(plate="p", endpoint=here), ["a"], "does not set a parameter"),
    ):
        with pytest.raises(CommandError, match=problem):
            check_sweep(options, texts)


@pytest.mark.usefixtures("shared_home")
def test_a_sweep_on_a_server(shared_command: CommandLine, new_plate: NewPlate, tmp_path: Path) -> None:
    plate, pipeline = new_plate(wells=2), tmp_path / "count.py"
    pipeline.write_text(TEXT)
    options = ("--pipeline", pipeline, "--sweep", "Segment.diameter_um=6,20", "--wells", "A02")
    ran = shared_command("run", plate, *options)
    assert ran.stdout.startswith(f"Sweep of Segment.diameter_um=6,20 over {plate}: 2 runs x 1 well\n")
    assert ran.stdout.count("1 of 2 wells: A02\n") == 2
    assert [line.split()[:2] for line in ran.stdout.split("VALUES")[1].splitlines()[1:3]] == [
        ["Segment.diameter_um=6", "1"],
        ["Segment.diameter_um=20", "1"],
    ]
    wrong = shared_command("run", plate, "--pipeline", pipeline, "--sweep", "diameter_um=6,wide", "--json")
    message = "diameter_um=wide: diameter_um takes a number or None"
    assert (wrong.code, wrong.document["error"]["message"]) == (2, message)
    with ZMQExecutionClient() as client:
        record = run_sweep(client, client.plate_task(plate, pipeline, wells=("A02",)), [DIAMETER])
    assert record is not None
    assert {Path(run.folder).parent for run in record.runs} == {plate.parent / "plate_results"}
    assert Path(record.picture).is_file()


@posix_only
def test_what_is_done_is_kept_if_a_sweep_is_broken_off(
    shared_command: CommandLine, new_plate: NewPlate, gate: Gate, tmp_path: Path
) -> None:
    plate = new_plate(wells=1)
    text = gate.pipeline.read_text()
    text += "\ndef tagged(stack, tag=0):\n    return stack\n\npipeline_steps.insert(0, FunctionStep(tagged))\n"
    gate.pipeline.write_text(text)
    arguments = ("run", plate, "--pipeline", gate.pipeline, "--sweep", "tag=1,2,3", "--json")
    run = shared_command.start(*arguments)
    gate.let_one_through()
    gate.wait_for_well()
    run.send_signal(signal.SIGINT)
    stopped = shared_command.finish(run)
    document: dict[str, Any] = stopped.document
    assert (stopped.code, document["error"]["message"]) == (130, "cancelled with Ctrl-C, 1 of 3 runs done")
    rows = _rows(msgspec.convert(document["sweep"], SweepRecord))
    assert (rows[0]["tag"], rows[0]["status"]) == ("1", "complete")
    assert "complete" not in {row["status"] for row in rows[1:]}
    gate.open()
    again = shared_command(*arguments).document
    assert [run["status"] for run in again["sweep"]["runs"]] == ["complete"] * 3
    assert len(list((plate.parent / "plate_results").glob("*_sweep_tag*/sweep.csv"))) == 2
