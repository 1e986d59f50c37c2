"""How many wells run at the same time when memory is short, by what the first ones have needed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from openhcs_runtime.config import GlobalConfig, PipelineConfig
from openhcs_runtime.engine.compiler import compile_plate
from openhcs_runtime.engine.executors.budget import MemoryBudget
from openhcs_runtime.engine.executors.processes import ProcessExecutor
from openhcs_runtime.engine.executors.threads import ThreadExecutor
from openhcs_runtime.pipeline.source import load_pipeline
from openhcs_runtime.plates import open_plate
from openhcs_runtime.results import ResultStatus
from zmqruntime.execution import local_task
from zmqruntime.messages import LogLine, ProgressUpdate

GB = 1_000_000_000


def test_the_rule() -> None:
    left = 5 * GB
    with local_task() as task:
        budget = MemoryBudget(task, lambda: left)
        assert budget.allows([GB] * 7)  # nothing is known yet
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


@pytest.mark.parametrize(("kind", "available"), [(ProcessExecutor, 0), (ThreadExecutor, 0), (ThreadExecutor, 1 << 60)])
def test_wells_wait_for_each_other_if_memory_is_short(
    new_plate: Callable[..., Path],
    tmp_path: Path,
    kind: type[ProcessExecutor | ThreadExecutor],
    available: int,
) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    pipeline = load_pipeline(PIPELINE.format(folder=str(folder)))
    plate = open_plate(new_plate(wells=8))
    compiled = compile_plate(
        plate, pipeline.steps, GlobalConfig(), PipelineConfig(), tmp_path / "out", file=pipeline.file
    )
    (tmp_path / "out" / "wells").mkdir(parents=True)
    lines: list[str] = []

    def take(event: ProgressUpdate | LogLine) -> None:
        if isinstance(event, LogLine):
            lines.append(event.text)

    executor = kind(2, available=lambda: available)
    try:
        with local_task(take) as task:
            results = list(executor.run(task, compiled.job, compiled.wells, lambda name, counts: None))
    finally:
        executor.close()
    assert [result.status for result in results] == [ResultStatus.COMPLETE] * 8, results
    together = [int(path.suffix[1:]) for path in sorted(folder.iterdir())]
    told = [line for line in lines if line.startswith("memory limits how many wells")]
    if available:
        assert told == []
    else:
        assert together[3:] == [1] * 5  # two begin before anything is known, a third with the first result
        assert len(told) == 1
