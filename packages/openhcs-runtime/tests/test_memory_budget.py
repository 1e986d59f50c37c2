"""How many wells run at the same time when memory is short, by what the first ones have needed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from openhcs_runtime.config import GlobalConfig, PipelineConfig
from openhcs_runtime.engine.compiler import compile_plate
from openhcs_runtime.engine.executors.budget import MemoryBudget
from openhcs_runtime.engine.executors.crowding import Crowding, WellAttempt
from openhcs_runtime.engine.executors.processes import ProcessExecutor
from openhcs_runtime.engine.executors.threads import ThreadExecutor
from openhcs_runtime.pipeline.source import load_pipeline
from openhcs_runtime.plates import open_plate
from openhcs_runtime.results import ResultStatus, WellResult
from zmqruntime.execution import local_task
from zmqruntime.messages import LogLine, ProgressUpdate

GB = 1_000_000_000


def test_the_rule() -> None:
    left = 5 * GB
    with local_task() as task:
        budget = MemoryBudget(task, lambda: left)
        assert budget.allows([GB] * 7)  # they are as large as the largest: a new one needs 1
        assert not budget.allows([GB, 3 * GB, 2 * GB])  # 2 + 1 + 3
        budget.note(2 * GB)
        budget.note(None)
        budget.note(GB)
        assert budget.allows([GB, 2 * GB], held=GB)  # 1.2 + 0.2 + 1.2
        assert not budget.allows([GB, GB, GB], held=0)  # 3 x 1.2 + 2.2
        assert budget.is_short
        left = 0
        assert budget.allows([])  # one always runs
        assert not budget.is_short


PIPELINE = """
import os
import time
import numpy as np
from openhcs_runtime import FunctionStep

def note(stack):
    name = os.path.join({folder!r}, str(time.monotonic_ns()))
    open(name + ".running", "w").close()
    together = sum(entry.endswith(".running") for entry in os.listdir({folder!r}))
    end = time.monotonic() + 0.03  # shorter wells are not measured
    while time.monotonic() < end:
        np.ones(30_000_000, np.uint8)
    os.rename(name + ".running", name + f".{{together}}")
    return stack

pipeline_steps = [FunctionStep(note)]
"""


def run(
    executor: ProcessExecutor | ThreadExecutor, source: str, folder: Path, plate: Path, output: Path
) -> tuple[list[WellResult], list[str]]:
    """Run a pipeline whose functions write notes into a folder; return the results and the lines of the log."""
    pipeline = load_pipeline(source.format(folder=str(folder)))
    compiled = compile_plate(
        open_plate(plate), pipeline.steps, GlobalConfig(), PipelineConfig(), output, file=pipeline.file
    )
    (output / "wells").mkdir(parents=True)
    lines: list[str] = []

    def take(event: ProgressUpdate | LogLine) -> None:
        if isinstance(event, LogLine):
            lines.append(event.text)

    try:
        with local_task(take) as task:
            return list(executor.run(task, compiled.job, compiled.wells, lambda name, counts: None)), lines
    finally:
        executor.close()


@pytest.mark.parametrize(("kind", "available"), [(ProcessExecutor, 0), (ThreadExecutor, 0), (ThreadExecutor, 1 << 60)])
def test_wells_wait_for_each_other_if_memory_is_short(
    new_plate: Callable[..., Path],
    tmp_path: Path,
    kind: type[ProcessExecutor | ThreadExecutor],
    available: int,
) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    results, lines = run(kind(2, available=lambda: available), PIPELINE, folder, new_plate(wells=8), tmp_path / "out")
    assert [result.status for result in results] == [ResultStatus.COMPLETE] * 8, results
    together = [int(path.suffix[1:]) for path in sorted(folder.iterdir())]
    told = [line for line in lines if line.startswith("memory limits how many wells")]
    if available:
        assert told == []
    else:
        assert (
            together[3:] == [1] * 5
        )  # a second may begin while the first holds nothing, a third with the first result
        assert len(told) == 1


TOO_LARGE = """
import os
import signal
import time
from openhcs_runtime import FunctionStep

def grow(stack):
    number = len(os.listdir({folder!r}))
    while True:
        try:
            open(os.path.join({folder!r}, str(number)), "x").close()
            break
        except FileExistsError:
            number += 1
    if number < DEATHS:
        end = time.monotonic() + 60
        while len(os.listdir({folder!r})) < 2 and time.monotonic() < end:
            pass
        os.kill(os.getpid(), signal.SIGKILL)
    return stack

pipeline_steps = [FunctionStep(grow)]
"""


@pytest.mark.parametrize(("deaths", "is_known", "attempts"), [(2, True, 4), (99, True, 4), (2, False, 2)])
def test_wells_killed_because_memory_ran_out_are_repeated_one_at_a_time(
    new_plate: Callable[..., Path], tmp_path: Path, deaths: int, is_known: bool, attempts: int
) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    executor = ProcessExecutor(
        2, available=lambda: 1 << 60, kills=lambda: len(list(folder.iterdir())) if is_known else 0
    )
    source = TOO_LARGE.replace("DEATHS", str(deaths))
    results, lines = run(executor, source, folder, new_plate(wells=2), tmp_path / "out")
    told = sorted(line for line in lines if "because memory ran out" in line)
    assert len(list(folder.iterdir())) == attempts
    assert len(results) == 2
    if is_known:
        assert len(told) == 2
        assert all("at most 1 well is processed" in line for line in told)
    if not is_known:
        assert told == []
        assert all("ended unexpectedly" in (result.error or "") for result in results)
    elif deaths == 2:
        assert [result.status for result in results] == [ResultStatus.COMPLETE] * 2, results
    else:
        assert all("fewer images per stack, or use a machine" in (result.error or "") for result in results)


def test_wells_killed_together_halve_the_number_once() -> None:
    with local_task() as task:
        crowding = Crowding(task, 6, lambda: 0)
        running: list[WellAttempt] = []
        for _ in range(6):
            running.append(crowding.begin(running))
        for left in (6, 5, 4, 3):
            crowding.lower("well A01", running.pop(), left)
            assert crowding.limit == 3
        again = crowding.begin(running)
        crowding.lower("well A01", again, 3)
        assert crowding.limit == 1
        assert crowding.begin([]).was_alone
        assert not any(attempt.was_alone for attempt in [*running, again])
