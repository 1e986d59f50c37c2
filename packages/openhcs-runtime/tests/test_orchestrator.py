"""Whole runs with threads and with processes: success, failures, lost processes, cancelling, progress, second runs."""

import csv
import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tifffile

from openhcs_runtime.builtin import builtin_pipeline
from openhcs_runtime.config import ExecutionMode, GlobalConfig, PipelineConfig
from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.engine.plate_run import RunChoice
from openhcs_runtime.exceptions import LifecycleError, WorkerError
from openhcs_runtime.pipeline.source import load_pipeline
from openhcs_runtime.results import PlateResult, ResultStatus
from openhcs_runtime.tables.read import open_results
from zmqruntime.execution import current_task, local_task
from zmqruntime.messages import ProgressUpdate

MODES = [ExecutionMode.THREADS, ExecutionMode.PROCESSES]
COMPLETE, FAILED, CANCELLED = ResultStatus.COMPLETE, ResultStatus.FAILED, ResultStatus.CANCELLED

HEAD = """
import os, signal, threading
import numpy as np
from openhcs_runtime import Component, FunctionStep, Measurements, OutputKind, special_outputs
from zmqruntime.execution import current_task

def plus(stack, n=1):
    return stack + n

@special_outputs(OutputKind.MEASUREMENTS)
def mean(stack):
    return stack, [Measurements({"mean_count": int(plane.mean())}) for plane in stack]

def fail(stack):
    raise ValueError("this well is odd")

def leave(stack):
    os._exit(7)

def killed(stack):
    os.kill(os.getpid(), signal.SIGKILL)

def until_cancelled(stack, well=None):
    while not current_task().is_cancelled(well):
        threading.Event().wait(0.01)
    return stack

BY_SITE = {"variable_components": (Component.Z_INDEX,)}
BY_WELL = {**BY_SITE, "group_by": Component.WELL}
"""

Events = list[tuple[str, str, str, dict[str, Any]]]


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> ExecutionMode:
    value = request.param
    assert isinstance(value, ExecutionMode)
    return value


@pytest.fixture
def start(tmp_path: Path, mode: ExecutionMode) -> Any:
    """Make an orchestrator with two workers for a pipeline given as the text after HEAD."""
    made: list[PipelineOrchestrator] = []

    def make(plate: Path, text: str, callback: Any = None, output: str = "out", **config: Any) -> PipelineOrchestrator:
        orchestrator = PipelineOrchestrator(
            plate,
            load_pipeline(HEAD + text),
            GlobalConfig(num_workers=2, mode=mode),
            PipelineConfig(output_dir=str(tmp_path / output), **config),
            callback,
        )
        made.append(orchestrator)
        return orchestrator

    yield make
    for orchestrator in made:
        orchestrator.close()
        orchestrator.close()


def statuses(result: PlateResult) -> dict[str, ResultStatus]:
    return {well.well: well.status for well in result.wells}


def table(path: str) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def no_half_files(folder: Path) -> bool:
    return not list(folder.rglob("*.openhcs-part"))


def test_a_run_gives_labels_tables_and_counts(small_plate: Path, tmp_path: Path, mode: ExecutionMode) -> None:
    config = GlobalConfig(num_workers=2, mode=mode)
    output = tmp_path / "out"
    with PipelineOrchestrator(small_plate, builtin_pipeline(), config, PipelineConfig(str(output))) as orchestrator:
        result = orchestrator.run()
    assert result.status is COMPLETE
    assert sorted(path.name for path in (output / "labels").iterdir()) == [
        f"A0{well}_s{site}_w1.tif" for well in (1, 2, 3, 4) for site in (1, 2)
    ]
    rows = table(result.measurements)
    assert [(row["well"], row["site"]) for row in rows] == [(f"A0{w}", s) for w in (1, 2, 3, 4) for s in ("1", "2")]
    for row in rows:
        labels = tifffile.imread(output / "labels" / f"{row['well']}_s{row['site']}_w1.tif")
        assert int(row["nuclei_count"]) == labels.max()
    objects = open_results(output).arrow("nuclei")
    assert result.counts["nuclei_count"] == sum(int(row["nuclei_count"]) for row in rows) == len(objects)
    assert no_half_files(output)


def test_both_modes_give_the_same_bytes(small_plate: Path, tmp_path: Path) -> None:
    for mode in MODES:
        with PipelineOrchestrator(
            small_plate, builtin_pipeline(), GlobalConfig(2, mode), PipelineConfig(str(tmp_path / mode))
        ) as orchestrator:
            assert orchestrator.run().status is COMPLETE
    one, other = (
        {
            path.relative_to(tmp_path / mode): path.read_bytes()
            for path in (tmp_path / mode).rglob("*.[ct]*")
            if path.is_file()
        }
        for mode in MODES
    )
    assert one == other


def test_progress_of_each_well_is_complete_and_in_order(small_plate: Path, start: Any) -> None:
    events: Events = []
    text = "pipeline_steps = [FunctionStep(plus, name='Add', **BY_SITE), FunctionStep(mean, name='Mean')]"
    start(small_plate, text, lambda *event: events.append(event)).run()
    assert [(event[3]["phase"], event[2]) for event in events if event[0] == ""] == [
        ("init", "started"),
        ("init", "completed"),
        ("compile", "started"),
        ("compile", "completed"),
    ]
    for well in ("A01", "A02", "A03", "A04"):
        updates = [event[3] for event in events if event[0] == well]
        seen = [(u["step_name"], u["step_index"], u["phase"], u["status"], u["completed"], u["total"]) for u in updates]
        assert seen == [
            ("pipeline", 0, "axis_started", "started", 0, 2),
            ("Add", 0, "step_started", "started", 0, 4),
            *(("Add", 0, "pattern_group", "running", done, 4) for done in (1, 2, 3, 4)),
            ("Add", 0, "step_completed", "completed", 4, 4),
            ("Mean", 1, "step_started", "started", 0, 2),
            *(("Mean", 1, "pattern_group", "running", done, 2) for done in (1, 2)),
            ("Mean", 1, "step_completed", "completed", 2, 2),
            ("pipeline", 1, "axis_completed", "completed", 2, 2),
        ]
        assert {u["total_steps"] for u in updates} == {2}
        assert [u["pattern"] for u in updates if u["step_name"] == "Mean" and u["pattern"]] == [
            "s*_w1_z1_t1",
            "s*_w2_z1_t1",
        ]
    numbers = [event[3]["sequence"] for event in events if event[0]]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_failed_well_stops_no_other(small_plate: Path, start: Any) -> None:
    events: Events = []
    text = (
        "pipeline_steps = [FunctionStep(plus), FunctionStep({'A02': fail}, name='Odd', **BY_WELL), FunctionStep(mean)]"
    )
    result = start(small_plate, text, lambda *event: events.append(event)).run()
    assert result.status is FAILED
    assert statuses(result) == {"A01": COMPLETE, "A02": FAILED, "A03": COMPLETE, "A04": COMPLETE}
    bad = result.wells[1]
    assert bad.step == "Odd"
    assert "fail failed on s1_w1_z*_t1: ValueError: this well is odd" in bad.error
    assert "in fail" in bad.traceback
    assert {row["well"] for row in table(result.measurements)} == {"A01", "A03", "A04"}
    last = [event[3] for event in events if event[0] == "A02"][-2:]
    assert [(u["phase"], u["status"]) for u in last] == [("step_completed", "error"), ("axis_completed", "error")]
    assert last[1]["error"] == bad.error


def test_bad_images_fail_their_wells_with_their_names(new_plate: Callable[..., Path], start: Any) -> None:
    plate = new_plate(wells=5, sites=2)
    cut, gone, shape, whole = (next(plate.rglob(f"*_{name}_s2_w1.tif")) for name in ("A01", "A02", "A03", "A04"))
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    gone.unlink()
    tifffile.imwrite(shape, np.zeros((32, 48), np.uint16))
    for site in (1, 2):
        tifffile.imwrite(plate / "TimePoint_1" / f"plate_A04_s{site}_w1.tif", np.ones((40, 72), np.uint16))
    result = start(plate, "pipeline_steps = [FunctionStep(mean)]").run()
    errors = {well.well: well.error for well in result.wells}
    assert cut.name in errors["A01"]
    assert result.wells[0].file == str(cut)
    assert errors["A02"].startswith("missing image: well A02, site 2")
    assert "different sizes (32x48, 64x64 pixels)" in errors["A03"]
    assert errors["A04"] == errors["A05"] == ""
    assert all(not well.traceback for well in result.wells)
    assert whole.exists()


@pytest.mark.parametrize(("how", "words"), [("leave", "exit code 7"), ("killed", "killed by SIGKILL")])
def test_a_process_that_dies_costs_its_well_only(small_plate: Path, tmp_path: Path, how: str, words: str) -> None:
    events: Events = []
    text = f"pipeline_steps = [FunctionStep({{'A01': {how}, 'A03': {how}}}, name='Die', **BY_WELL), FunctionStep(mean)]"
    with PipelineOrchestrator(
        small_plate,
        load_pipeline(HEAD + text),
        GlobalConfig(num_workers=2),
        PipelineConfig(str(tmp_path / "out")),
        lambda *event: events.append(event),
    ) as orchestrator:
        result = orchestrator.run()
    assert result.status is FAILED
    assert statuses(result) == {"A01": FAILED, "A02": COMPLETE, "A03": FAILED, "A04": COMPLETE}
    assert words in result.wells[0].error
    assert "A01" in result.wells[0].error
    assert [event[2] for event in events if event[0] == "A03"][-1] == "error"


def test_cancel_in_the_middle_of_a_step(new_plate: Callable[..., Path], start: Any, tmp_path: Path) -> None:
    """In each worker the third pattern group ends only when it sees the cancel: a fourth must never begin."""
    events: Events = []

    def callback(*event: Any) -> None:
        events.append(event)
        if event[3]["phase"] == "pattern_group":
            orchestrator.cancel()

    text = """
begun = []
def third_waits(stack):
    begun.append(stack)
    return until_cancelled(stack) if len(begun) > 2 else stack
pipeline_steps = [FunctionStep(third_waits, name='Wait', materialize=True, **BY_SITE), FunctionStep(mean)]
"""
    orchestrator = start(new_plate(wells=6, sites=4), text, callback)
    result = orchestrator.run()
    assert result.status is CANCELLED
    assert set(statuses(result).values()) == {CANCELLED}
    assert max(event[3]["completed"] for event in events if event[3]["phase"] == "pattern_group") <= 3
    for well in statuses(result):
        last = [(event[3]["phase"], event[2]) for event in events if event[0] == well][-1]
        assert last == ("axis_completed", "cancelled")
    assert {well.step for well in result.wells} == {"Wait", ""}
    assert table(result.measurements) == []
    assert no_half_files(tmp_path / "out")
    assert len(list((tmp_path / "out" / "images").iterdir())) == sum(well.outputs for well in result.wells) > 0


def test_cancel_of_one_well_leaves_the_others(small_plate: Path, start: Any) -> None:
    def callback(well: str, step: str, status: str, metadata: dict[str, Any]) -> None:
        if well == "A02" and metadata["phase"] == "step_started":
            orchestrator.cancel("A02")

    waits = "FunctionStep({'A02': (until_cancelled, {'well': 'A02'})}, name='W', **BY_WELL)"
    text = f"pipeline_steps = [{waits}, FunctionStep(mean)]"
    orchestrator = start(small_plate, text, callback)
    result = orchestrator.run()
    assert statuses(result) == {"A01": COMPLETE, "A02": CANCELLED, "A03": COMPLETE, "A04": COMPLETE}
    assert result.status is CANCELLED
    assert result.wells[1].step == "W"


def test_cancel_before_a_run_holds_until_it_is_reset(small_plate: Path, start: Any) -> None:
    orchestrator = start(small_plate, "pipeline_steps = [FunctionStep(mean)]")
    orchestrator.initialize()
    orchestrator.compile()
    orchestrator.cancel()
    assert set(statuses(orchestrator.execute()).values()) == {CANCELLED}
    orchestrator.reset_cancellation()
    assert orchestrator.execute(resume=True).status is COMPLETE


def test_a_run_can_not_be_uncancelled(small_plate: Path, start: Any) -> None:
    errors: list[Exception] = []

    def callback(*event: Any) -> None:
        if event[3]["phase"] == "axis_started":
            try:
                orchestrator.reset_cancellation()
            except LifecycleError as error:
                errors.append(error)

    orchestrator = start(small_plate, "pipeline_steps = [FunctionStep(mean)]", callback)
    assert orchestrator.run().status is COMPLETE
    assert len(errors) == 4


def test_a_second_run_replaces_the_first_one_if_told_to(small_plate: Path, start: Any, tmp_path: Path) -> None:
    text = "pipeline_steps = [FunctionStep(plus, materialize=True, **BY_SITE), FunctionStep(mean)]"
    first = start(small_plate, text).run()
    images = sorted((tmp_path / "out" / "images").iterdir())
    assert len(images) == 16
    again = start(small_plate, text, wells=("A01", "A02"))
    replace = RunChoice(replace=True)
    assert again.run(replace).status is COMPLETE
    second = again.run(replace)
    assert {row["well"] for row in table(second.measurements)} == {"A01", "A02"}
    plain = start(small_plate, "pipeline_steps = [FunctionStep(plus)]").run(replace)
    assert plain.measurements == ""
    assert not Path(first.measurements).exists()
    assert not (tmp_path / "out" / "images").exists()


def test_a_callback_that_raises_harms_nothing(small_plate: Path, start: Any) -> None:
    def callback(*event: Any) -> None:
        raise RuntimeError("not my day")

    assert start(small_plate, "pipeline_steps = [FunctionStep(mean)]", callback).run().status is COMPLETE


@pytest.mark.parametrize("with_callback", [False, True])
def test_inside_a_task_progress_and_cancel_are_the_tasks(small_plate: Path, start: Any, with_callback: bool) -> None:
    reports: list[ProgressUpdate] = []
    events: Events = []
    text = "pipeline_steps = [FunctionStep(mean), FunctionStep(until_cancelled, name='Wait', **BY_SITE)]"

    def on_event(event: object) -> None:
        if isinstance(event, ProgressUpdate):
            reports.append(event)
            if event.step_name == "Wait":
                task.request_cancel()

    with local_task(on_event, plate_id="mine") as task:
        callback = (lambda *event: events.append(event)) if with_callback else None
        if with_callback:
            text = "pipeline_steps = [FunctionStep(mean), FunctionStep(plus, name='Wait', **BY_SITE)]"
        result = start(small_plate, text, callback).run()
        assert current_task() is task
    assert {report.execution_id for report in reports} == {task.execution_id}
    assert {report.plate_id for report in reports} == {"mine"}
    assert {report.axis_id for report in reports} >= {"", "A01"}
    if with_callback:
        assert len(events) == len(reports)
    else:
        assert result.status is CANCELLED


def test_every_special_output_must_fit(small_plate: Path, start: Any) -> None:
    result = start(small_plate, "pipeline_steps = [FunctionStep(mean), FunctionStep(mean, name='Again')]").run()
    assert set(statuses(result).values()) == {FAILED}
    assert "column mean_count was measured twice" in result.wells[0].error


def test_the_result_is_plain_data(small_plate: Path, start: Any) -> None:
    plain = start(small_plate, "pipeline_steps = [FunctionStep(mean)]").run().to_dict()
    assert plain["status"] == "complete"
    assert plain["wells_total"] == plain["wells_complete"] == 4
    assert plain["wells"][0]["counts"] == {"mean_count": plain["wells"][0]["counts"]["mean_count"]}
    assert type(plain["status"]) is str


def test_workers_are_kept_between_runs_and_gone_after_close(small_plate: Path, tmp_path: Path) -> None:
    text = HEAD + "pipeline_steps = [FunctionStep(mean)]"
    with PipelineOrchestrator(
        small_plate, load_pipeline(text), GlobalConfig(num_workers=2), PipelineConfig(str(tmp_path / "out"))
    ) as orchestrator:
        orchestrator.run()
        workers = {process.pid for process in multiprocessing.active_children()}
        assert len(workers) == 2
        orchestrator.execute(RunChoice(replace=True, fresh=True))
        assert {process.pid for process in multiprocessing.active_children()} == workers
    assert not any(psutil.pid_exists(pid) for pid in workers if pid)


def start_script(script: Path, *arguments: str | Path, home: Path | None = None) -> subprocess.Popen[str]:
    environment = {**os.environ, "HOME": str(home)} if home else None
    command = [sys.executable, str(script), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def end_of(script: subprocess.Popen[str]) -> tuple[int, str, str]:
    with script:
        stdout, stderr = script.communicate(timeout=60)
    return script.returncode, stdout, stderr


SCRIPT = """
import logging, sys
from openhcs_runtime import *
from openhcs_runtime.functions import denoise

def mine(stack):
    print("in mine")
    logging.getLogger("mine").warning("beware")
    return stack + 1

def main():
    steps = [FunctionStep(mine), FunctionStep(denoise)]
    with PipelineOrchestrator(sys.argv[1], steps, GlobalConfig(2), PipelineConfig(sys.argv[2])) as orchestrator:
        print(orchestrator.run().status)

"""


def test_a_script_may_use_its_own_functions_but_needs_a_main_guard(small_plate: Path, tmp_path: Path) -> None:
    guarded, open_script = tmp_path / "guarded.py", tmp_path / "open.py"
    guarded.write_text(SCRIPT + "if __name__ == '__main__':\n    main()\n")
    open_script.write_text(SCRIPT + "main()\n")
    scripts = [start_script(script, small_plate, tmp_path / script.stem) for script in (guarded, open_script)]
    good, bad = map(end_of, scripts)
    assert (good[0], set(good[1].splitlines()), set(good[2].splitlines())) == (0, {"in mine", "complete"}, {"beware"})
    assert bad[0] == 1
    assert WorkerError.__name__ in bad[2].splitlines()[-1]
    assert "if __name__ ==" in bad[2].splitlines()[-1]


def test_workers_end_with_a_process_that_is_killed(
    small_plate: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    script = tmp_path / "script.py"
    text = "pipeline_steps = [FunctionStep(until_cancelled)]"
    script.write_text(f"""
import multiprocessing, os, signal, sys
from openhcs_runtime import *

def callback(well, step, status, metadata):
    if metadata["phase"] == "step_started":
        print(*[process.pid for process in multiprocessing.active_children()], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    pipeline = load_pipeline({HEAD + text!r})
    PipelineOrchestrator(sys.argv[1], pipeline, GlobalConfig(2), PipelineConfig(sys.argv[2]), callback).run()
""")
    home = tmp_path_factory.mktemp("h")  # a process that is killed leaves its socket
    _, stdout, _ = end_of(start_script(script, small_plate, tmp_path / "out", home=home))
    workers = [int(pid) for pid in stdout.split()]
    assert workers
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in workers if psutil.pid_exists(pid)], timeout=10)
    assert alive == []


LIMITED = """
import resource, sys
from openhcs_runtime import *
from openhcs_runtime.config import ExecutionMode
HEAD = {head!r}
if __name__ == "__main__":
    pipeline = load_pipeline(HEAD + "pipeline_steps = [FunctionStep(plus, name='Add', materialize=True)]")
    config = GlobalConfig(2, ExecutionMode(sys.argv[3]))
    with PipelineOrchestrator(sys.argv[1], pipeline, config, PipelineConfig(sys.argv[2])) as orchestrator:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        try:
            print(orchestrator.run().status)
        except OpenHCSError as error:
            print("failed", error, sep="\\n")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_disk_that_takes_nothing_fails_the_run_with_its_name(small_plate: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(LIMITED.format(head=HEAD))
    outputs = {mode: tmp_path / mode for mode in MODES}
    scripts = [start_script(script, small_plate, output, mode) for mode, output in outputs.items()]
    for output, (code, stdout, stderr) in zip(outputs.values(), map(end_of, scripts), strict=True):
        lines = stdout.splitlines()
        assert (code, lines[0], len(lines)) == (0, "failed", 2), stderr
        assert f"no space left in {output}" in lines[1]
        assert "Traceback" not in stdout + stderr
        assert {path.name for path in output.rglob("*")} <= {".lock", "run.log"}


def test_a_disk_that_fills_up_fails_the_wells(small_plate: Path, tiny_disk: Path, start: Any) -> None:
    text = "pipeline_steps = [FunctionStep(plus, name='Add', materialize=True)]"
    result = start(small_plate, text, output=str(tiny_disk)).run()
    assert result.status is FAILED
    assert all(f"no space left in {tiny_disk}" in well.error for well in result.wells_with(FAILED))
    assert not any(well.traceback for well in result.wells)
    assert no_half_files(tiny_disk)


def test_the_default_output_is_beside_the_plate(small_plate: Path, tmp_path: Path) -> None:
    plate = shutil.copytree(small_plate, tmp_path / "copied")
    text = HEAD + "pipeline_steps = [FunctionStep(mean)]"
    config = GlobalConfig(mode=ExecutionMode.THREADS)
    result = PipelineOrchestrator(plate, load_pipeline(text), config).run()
    assert Path(result.output_dir).parent == tmp_path / "copied_results"
    assert Path(result.output_dir).name.endswith("_pipeline")


def test_workers_use_one_thread_for_linear_algebra_and_opencv(small_plate: Path, tmp_path: Path) -> None:
    text = HEAD + (
        "import threadpoolctl\n@special_outputs(OutputKind.MEASUREMENTS)\ndef threads(stack):\n"
        "    most = max(pool['num_threads'] for pool in threadpoolctl.threadpool_info())\n"
        "    import cv2  # has a library for linear algebra of its own\n"
        "    most = max(most, cv2.getNumThreads())\n"
        "    return stack, [Measurements({'thread_count': most}) for _ in stack]\n"
        "pipeline_steps = [FunctionStep({1: threads}, group_by=Component.CHANNEL)]"
    )
    config = PipelineConfig(str(tmp_path / "out"), wells=("A01",))
    with PipelineOrchestrator(small_plate, load_pipeline(text), GlobalConfig(2), config) as orchestrator:
        rows = table(orchestrator.run().measurements)
    assert {row["thread_count"] for row in rows} == {"1"}
