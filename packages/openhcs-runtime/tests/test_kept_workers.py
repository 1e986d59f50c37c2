"""Worker processes that stay ready between runs: which are used again, and when they end."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
import scipy.ndimage

from openhcs_runtime.config import ExecutionMode, GlobalConfig, PipelineConfig
from openhcs_runtime.engine.executors.kept import KEEP_MEMORY, KEEP_SECONDS, KeepLimits, KeptWorkers
from openhcs_runtime.outputs.wells import read_part
from openhcs_runtime.pipeline.patches import Patches
from openhcs_runtime.results import PlateResult
from openhcs_runtime.service.worker import run_plate_task
from openhcs_runtime.tasks import PlateTask, read_result
from zmqruntime.execution import TaskFailed, local_task

PIPELINE = """
from lab_functions import measure
from openhcs_runtime import FunctionStep

pipeline_steps = [FunctionStep(measure)]
"""

FUNCTIONS = """
import functools
import os
from openhcs_runtime import Measurements, OutputKind, special_outputs

@functools.cache
def setting():
    with open({file!r}) as file:
        return int(file.read())

@special_outputs(OutputKind.MEASUREMENTS)
def measure(stack):
    return stack, [Measurements({{"pid": os.getpid(), "number": {number}, "setting": setting()}}) for _ in stack]
"""

OTHER = """
from openhcs_runtime import FunctionStep
from openhcs_runtime.functions import max_projection

pipeline_steps = [FunctionStep(max_projection)]
"""

Run = Callable[..., dict[str, int]]


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder with a pipeline and its module, which reads a file once per process."""
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "setting.txt").write_text("1")
    (folder / "pipeline.py").write_text(PIPELINE)
    write_module(folder, 1)
    return folder


def write_module(folder: Path, number: int) -> None:
    (folder / "lab_functions.py").write_text(FUNCTIONS.format(number=number, file=str(folder / "setting.txt")))


@pytest.fixture
def kept() -> Iterator[KeptWorkers]:
    with contextlib.closing(KeptWorkers()) as workers:
        yield workers


@pytest.fixture
def run(small_plate: Path, lab: Path, tmp_path: Path, kept: KeptWorkers) -> Run:
    """Runs the pipeline on one well, in one worker; returns what it measured."""
    numbers = iter(range(100))

    def go(
        workers: KeptWorkers = kept, source: str = PIPELINE, folder: Path = lab, *, is_reusable: bool = True
    ) -> dict[str, int]:
        output = tmp_path / f"out{next(numbers)}"
        task = PlateTask(
            plate_path=str(small_plate),
            source=source,
            source_name="pipeline.py",
            source_dir=str(folder),
            global_config=GlobalConfig(num_workers=1, mode=ExecutionMode.PROCESSES),
            pipeline_config=PipelineConfig(output_dir=str(output), wells=("A01",)),
            fresh=True,
        )
        with local_task():
            result = read_result(run_plate_task(msgspec.to_builtins(task), workers))
        assert isinstance(result, PlateResult)
        part = read_part(output, "A01")
        assert part is not None
        assert part.used.is_all is is_reusable
        values = part.measured[0].values if part.measured else {}
        return {name: value for name, value in values.items() if isinstance(value, int)}

    return go


def test_a_worker_serves_the_next_run_as_long_as_nothing_it_loaded_has_changed(
    run: Run, lab: Path, kept: KeptWorkers
) -> None:
    first = run()
    assert run() == first
    edited = PIPELINE + "\n# edited"
    (lab / "pipeline.py").write_text(edited)
    assert run(source=edited) == first
    (lab / "pipeline.py").write_text(PIPELINE)
    assert run() == first
    assert kept.pids == [first["pid"]]

    write_module(lab, 2)
    second = run()
    assert (second["number"], second["pid"]) == (2, kept.pids[0])
    assert second["pid"] != first["pid"]

    (lab / "setting.txt").write_text("2")
    third = run()
    assert third["setting"] == 2
    assert third["pid"] != second["pid"]


def test_files_that_another_pipeline_has_read_are_no_inputs_of_the_next(
    run: Run, lab: Path, kept: KeptWorkers, tmp_path: Path
) -> None:
    first = run()
    run(source=OTHER)  # its functions have read nothing, so it must not depend on the setting of the first
    assert kept.pids != [first["pid"]]
    after_other = kept.pids
    run(source=OTHER)
    assert kept.pids == after_other

    (tmp_path / "empty").mkdir()
    run(source=OTHER, folder=tmp_path / "empty")
    assert kept.pids != after_other


@pytest.mark.parametrize(
    ("limits", "available"),
    [
        (KeepLimits(seconds=0), 1 << 60),
        (KeepLimits(seconds=0.01), 1 << 60),
        (KeepLimits(worker_bytes=1), 1 << 60),
        (KeepLimits(), 0),
    ],
    ids=["not wanted", "idle", "memory of the worker", "memory of the machine"],
)
def test_workers_end_when_they_may_not_stay(run: Run, limits: KeepLimits, available: int) -> None:
    with contextlib.closing(KeptWorkers(lambda: limits, lambda: available)) as workers:
        process = run(workers)["pid"]
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(process).wait(timeout=30)
        assert workers.pids == []


def test_a_worker_with_processes_of_its_own_ends_with_the_run(run: Run, lab: Path, kept: KeptWorkers) -> None:
    text = FUNCTIONS.format(number=1, file=str(lab / "setting.txt"))
    start = "subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE).pid"
    text = text.replace('"number": 1', f'"number": {start}').replace("import os", "import os, subprocess, sys")
    (lab / "lab_functions.py").write_text(text)
    measured = run(is_reusable=False)
    assert kept.pids == []
    with contextlib.suppress(psutil.NoSuchProcess):
        left = psutil.Process(measured["number"])
        assert left.status() == psutil.STATUS_ZOMBIE or left.wait(timeout=30) is None


@pytest.mark.parametrize(("name", "value"), [(KEEP_SECONDS, "ten"), (KEEP_SECONDS, "-1"), (KEEP_MEMORY, "4 apples")])
def test_a_limit_that_makes_no_sense_is_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(TaskFailed, match=f"environment variable {name}: '{value}' is not"):
        run()


PATCHES = {
    "function": "scipy.ndimage.gaussian_filter = lambda *given, **named: None",
    "built-in": "math.sqrt = abs",
    "method": "json.JSONEncoder.default = lambda self, value: value",
    "another of the same package": "np.mean = np.median",
    "constant of C": "csv.field_size_limit(1000)",
    "rounding": "ctypes.CDLL('libm.so.6').fesetround(0x800)",
    "thread": "threading.Thread(target=goes_on, daemon=True).start()",
}

PATCHING = """
import csv, ctypes, json, math, threading
import numpy as np
import scipy.ndimage
from openhcs_runtime import FunctionStep

def goes_on():
    threading.Event().wait()

def patch(stack):
    {patch}
    return stack

pipeline_steps = [FunctionStep(patch)]
"""


@pytest.mark.parametrize("patch", PATCHES.values(), ids=PATCHES)
def test_a_worker_whose_libraries_were_changed_serves_no_other_run(run: Run, kept: KeptWorkers, patch: str) -> None:
    run(source=OTHER)
    before = kept.pids
    run(source=PATCHING.format(patch=patch))
    assert kept.pids == before
    run(source=OTHER)
    assert kept.pids
    assert kept.pids != before


def test_what_libraries_do_themselves_is_no_change() -> None:
    patches = Patches()
    assert patches.found() == ""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scipy.ndimage, "gaussian_filter", lambda *given: None)
        assert patches.found() == "scipy.ndimage.gaussian_filter was replaced"
    assert patches.found() == ""
