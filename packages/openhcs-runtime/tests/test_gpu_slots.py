"""Wells that share a GPU, with threads, processes and Dask; the GPU is only named, so no card is needed."""

import csv
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from openhcs_runtime import GlobalConfig, PipelineConfig, PipelineOrchestrator, PlateResult, load_pipeline
from openhcs_runtime.config import ExecutionMode
from openhcs_runtime.outputs.provenance import read_provenance
from openhcs_runtime.outputs.run_log import LOG_NAME
from openhcs_runtime.results import ResultStatus
from openhcs_runtime.testing import CommandLine

THREADS, PROCESSES, DASK = ExecutionMode.THREADS, ExecutionMode.PROCESSES, ExecutionMode.DASK
NewPlate = Callable[..., Path]

HEAD = """
import os, pathlib, signal, threading, time
import threadpoolctl
from openhcs_runtime import FunctionStep, Measurements, OutputKind, current_place, special_inputs, special_outputs

HERE = pathlib.Path({folder!r})
WELLS = {wells}

def begun():
    return len(list(HERE.glob("begun-*")))

def begin():
    '''Take the next number.'''
    number = 1
    while True:
        try:
            with (HERE / f"begun-{{number}}").open("x") as file:
                file.write(f"{{os.environ.get('CUDA_VISIBLE_DEVICES')}} {{current_place().torch_device}}")
            return number
        except FileExistsError:
            number += 1

def wait_until(holds):
    while not holds():
        threading.Event().wait(0.005)

def infer(stack):
    number = begin()
    with (HERE / "held").open("x"):  # fails if another well is here
        threading.Event().wait(0.02)
    (HERE / "held").unlink()
    return stack * 0 + number

def post(stack):
    '''End when the GPU is at work for the next well.'''
    until = time.monotonic() + 10  # Dask may have given both wells to one worker
    wait_until(lambda: begun() > stack.max() or begun() == WELLS or time.monotonic() > until)
    return stack
"""


@pytest.fixture
def start(new_plate: NewPlate, tmp_path: Path) -> Iterator[Any]:
    """Make an orchestrator for a pipeline, given as the text after HEAD, with two workers and one GPU."""
    made: list[PipelineOrchestrator] = []

    def make(
        text: str, mode: ExecutionMode, callback: Any = None, *, wells: int = 3, gpus: str = "0"
    ) -> PipelineOrchestrator:
        source = HEAD.format(folder=str(tmp_path), wells=wells) + text
        config = PipelineConfig(output_dir=str(tmp_path / f"out{len(made)}"))
        plate = tmp_path / "plate" if (tmp_path / "plate").exists() else new_plate(wells=wells)
        settings = GlobalConfig(num_workers=2, mode=mode, gpus=gpus)
        made.append(PipelineOrchestrator(plate, load_pipeline(source), settings, config, callback))
        return made[-1]

    yield make
    for orchestrator in made:
        orchestrator.close()


def statuses(result: PlateResult) -> Counter[ResultStatus]:
    return Counter(well.status for well in result.wells)


def values(result: PlateResult) -> list[str]:
    with open(result.measurements, newline="") as file:
        return [row["value"] for row in csv.DictReader(file)]


@pytest.mark.parametrize("mode", [THREADS, PROCESSES, DASK])
def test_one_well_at_a_time_has_the_gpu_and_others_go_on_without_it(
    start: Any, tmp_path: Path, mode: ExecutionMode
) -> None:
    orchestrator = start("pipeline_steps = [FunctionStep(infer, gpu=1, memory='1 GB'), FunctionStep(post)]", mode)
    result = orchestrator.run()
    assert statuses(result) == {ResultStatus.COMPLETE: 3}, result.wells
    assert [[cost.device for cost in well.steps] for well in result.wells] == [["GPU 0", ""]] * 3
    recorded = read_provenance(Path(result.output_dir)).wells
    assert [well.steps for well in recorded] == [well.steps for well in result.wells]
    assert "infer: 0." in (log := (Path(result.output_dir) / LOG_NAME).read_text())
    assert " s, GPU 0" in log
    sees = "None cuda:0" if mode is THREADS else "0 cuda:0"
    assert [(tmp_path / f"begun-{number}").read_text() for number in (1, 2, 3)] == [sees] * 3
    assert result.without_gpu == ()


@pytest.mark.parametrize("mode", [THREADS, PROCESSES])
def test_two_wells_share_a_gpu_at_the_same_time(start: Any, mode: ExecutionMode) -> None:
    text = """
def both(stack):
    begin()
    wait_until(lambda: begun() >= 2)
    return stack

pipeline_steps = [FunctionStep(both, gpu=0.5)]
"""
    assert statuses(start(text, mode, wells=2).run()) == {ResultStatus.COMPLETE: 2}


@pytest.mark.parametrize("mode", [THREADS, PROCESSES, DASK])
def test_a_well_that_waits_for_the_gpu_says_so_and_can_be_cancelled(
    start: Any, tmp_path: Path, mode: ExecutionMode
) -> None:
    text = """
def hold(stack):
    begin()
    wait_until((HERE / "go").exists)
    return stack

pipeline_steps = [FunctionStep(hold, gpu=1)]
"""
    waiting: list[str] = []
    was_cancelled = threading.Event()

    def on_event(well: str, step: str, status: str, update: dict[str, Any]) -> None:
        if update["message"] == "waiting for a GPU" and not waiting:
            waiting.append(well)
            orchestrator.cancel(well)
        if well in waiting and update["phase"] == "axis_completed":
            was_cancelled.set()
            (tmp_path / "go").touch()

    orchestrator = start(text, mode, on_event)
    result = orchestrator.run()
    assert was_cancelled.is_set()
    assert [well.well for well in result.wells_with(ResultStatus.CANCELLED)] == waiting
    assert statuses(result)[ResultStatus.COMPLETE] == 2


@pytest.mark.parametrize(("mode", "complete"), [(PROCESSES, 2), (DASK, 3)])
def test_a_worker_that_is_killed_gives_its_gpu_back(start: Any, mode: ExecutionMode, complete: int) -> None:
    text = """
def killed(stack):
    if begin() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return stack

pipeline_steps = [FunctionStep(killed, gpu=1)]
"""
    result = start(text, mode).run()
    assert statuses(result)[ResultStatus.COMPLETE] == complete, result.wells
    assert len(result.wells) == 3


MEMORY = """
class OutOfMemoryError(RuntimeError):
    pass

@special_inputs("rng")
@special_outputs("measurements")
def infer(stack, rng, failing=0):
    '''Change the stack in place, use a random number, and run out of memory in the first attempts of a well.'''
    drawn = float(rng.random())
    stack += 1
    number = begin()
    mark = HERE / f"in-{number}"
    mark.touch()
    try:
        attempts = HERE / f"attempts-{int(stack.sum())}"
        with attempts.open("a") as file:
            file.write("x")
        done = attempts.stat().st_size
        if done <= failing:
            raise OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        if failing:
            threading.Event().wait(0.02)
            assert [path.name for path in HERE.glob("in-*")] == [mark.name]
        return stack, [Measurements({"value": drawn + float(stack.mean())}) for _ in stack]
    finally:
        mark.unlink()

"""


@pytest.mark.parametrize("mode", [THREADS, PROCESSES])
def test_a_well_that_is_out_of_memory_is_tried_once_more_alone(start: Any, tmp_path: Path, mode: ExecutionMode) -> None:
    plain = start(MEMORY + "pipeline_steps = [FunctionStep(infer, gpu=0.5)]", mode)
    plain.global_config = GlobalConfig(num_workers=2, mode=mode, gpus="0", seed=3)
    expected = plain.run()
    for path in tmp_path.glob("attempts-*"):
        path.unlink()
    retried = start(MEMORY + "pipeline_steps = [FunctionStep((infer, {'failing': 1}), gpu=0.5)]", mode)
    retried.global_config = plain.global_config
    result = retried.run()
    assert statuses(expected) == statuses(result) == {ResultStatus.COMPLETE: 3}, result.wells
    assert values(result) == values(expected)
    log = (Path(result.output_dir) / LOG_NAME).read_text()
    assert log.count("GPU 0 is out of memory, trying once more alone on it") == 3


def test_a_well_that_is_out_of_memory_twice_fails_with_a_remedy(start: Any) -> None:
    result = start(MEMORY + "pipeline_steps = [FunctionStep((infer, {'failing': 2}), gpu=1)]", THREADS).run()
    assert statuses(result) == {ResultStatus.FAILED: 3}
    assert "although no other well used it: use smaller stacks" in result.wells[0].error
    assert result.wells[0].steps[0].device == "GPU 0"
    assert start(MEMORY + "pipeline_steps = [FunctionStep((infer, {'failing': 3}))]", THREADS).run().wells[0].error


def test_a_step_has_the_threads_it_asks_for_and_the_next_one_has_not(start: Any) -> None:
    text = """
def threads(stack):
    with (HERE / "threads").open("a") as file:
        file.write("%d " % max(library["num_threads"] for library in threadpoolctl.threadpool_info()))
    return stack

pipeline_steps = [FunctionStep(threads), FunctionStep(threads, threads=2), FunctionStep(threads)]
"""
    orchestrator = start(text, PROCESSES, wells=1)
    assert statuses(orchestrator.run()) == {ResultStatus.COMPLETE: 1}
    assert Path(orchestrator.pipeline_config.output_dir).with_name("threads").read_text() == "1 2 1 "


def test_a_step_without_its_gpu_is_a_warning_at_the_end_of_the_run(
    command: CommandLine, new_plate: NewPlate, tmp_path: Path
) -> None:
    text = "pipeline_steps = [FunctionStep(infer, gpu=1)]"
    pipeline = tmp_path / "infer.py"
    pipeline.write_text(HEAD.format(folder=str(tmp_path), wells=2) + text)
    command.environment["OPENHCS_USE_ZMQ_EXECUTION"] = "false"
    output = tmp_path / "out"
    options = ("--pipeline", pipeline, "--output", output, "--workers", "1")
    ended = command("run", new_plate(wells=2), *options, "--gpus", "none")
    assert ended.code == 0, ended.stderr
    said = "step 'infer' asked for a GPU and ran on the CPU in 2 wells: gpus is 'none'"
    assert f"Warning: {said}" in ended.stdout
    assert said in (output / LOG_NAME).read_text()
    assert (tmp_path / "begun-1").read_text() == "-1 cpu"
    refused = command("run", tmp_path / "plate", *options, "--gpus", "many")
    assert refused.code == 2
    assert "numbers or UUIDs of GPUs" in " ".join(refused.stderr.split())
