"""``@model``: what is loaded once, and what is loaded again."""

import contextlib
import os
import random
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
import pytest

from openhcs_runtime import drop_models, model
from openhcs_runtime.config import ExecutionMode, GlobalConfig, PipelineConfig
from openhcs_runtime.engine.executors.kept import KeptWorkers
from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.pipeline.models import ModelCounts, Models, ModelTraits, models_here
from openhcs_runtime.results import PlateResult, ResultStatus
from openhcs_runtime.service.worker import run_plate_task
from openhcs_runtime.tasks import PlateTask, read_result
from zmqruntime.execution import local_task
from zmqruntime.messages import LogLine, ProgressUpdate


class Net:
    """Stands for a model."""

    def __init__(self, weights: object = "") -> None:
        self.weights = weights


@model(size="10 MB")
def load_net(weights: object = "", layers: int = 2) -> Net:
    random.random()
    np.random.random()
    return Net(weights)


def plain_load(number: int) -> list[int]:
    return [number]


@model(device="gpu", size=1)
def load_on_card() -> Net:
    return Net()


@model
def fail_to_load() -> Net:
    raise OSError("no weights here")


@pytest.fixture(autouse=True)
def _no_models() -> Iterator[None]:
    drop_models()
    models_here().take_counts()
    yield
    drop_models()


def test_the_same_arguments_give_the_same_object_loaded_once() -> None:
    barrier = threading.Barrier(4)

    def load(_: int) -> Net:
        barrier.wait()
        return load_net("a", layers=2)

    with ThreadPoolExecutor(4) as pool:
        nets = set(pool.map(load, range(4)))
    assert nets == {load_net(weights="a")}
    assert load_net("a", 3) not in nets
    assert load_net("b") not in nets
    assert load_net(1) is not load_net(True)
    counts = models_here().take_counts()
    assert (counts.loaded, counts.reused) == (5, 4)


def test_a_failed_load_is_tried_again() -> None:
    for _ in range(2):
        with pytest.raises(OSError, match="no weights here"):
            fail_to_load()
    assert models_here().take_counts() == ModelCounts()


@pytest.mark.parametrize("as_text", [True, False])
@pytest.mark.parametrize("name", ["net.pt", "."])
def test_changed_weights_are_loaded_again(tmp_path: Path, as_text: bool, name: str) -> None:
    file = tmp_path / "net.pt"
    file.write_text("first")
    path = str(tmp_path / name) if as_text else tmp_path / name
    first = load_net(path)
    assert load_net(path) is first
    file.write_text("second")
    second = load_net(path)
    assert second is not first
    file.unlink()
    assert load_net(path) is not second


def test_models_are_dropped_within_limits() -> None:
    available = 1 << 50
    models = Models(available=lambda: available, most_bytes=25, most=3)

    def load(size: int, weights: int) -> object:
        return models.get(plain_load, ModelTraits(size), (weights,), {})

    first = load(10, 1)
    load(10, 2)
    assert load(10, 1) is first
    load(10, 3)  # drops 2, which was used longest ago
    assert len(models) == 2
    assert load(10, 1) is first
    load(100, 4)  # larger than all that may stay
    assert len(models) == 1
    for number in range(5, 9):
        load(0, number)
    assert len(models) <= 3
    available = 0
    load(1, 9)
    assert len(models) == 1


def test_a_model_whose_class_was_defined_again_is_loaded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_net()
    monkeypatch.setattr(sys.modules[__name__], "Net", type("Net", (), {"__init__": lambda self, weights: None}))
    assert load_net() is not first


def test_models_on_a_card_can_be_dropped_alone() -> None:
    net, on_card = load_net(), load_on_card()
    assert drop_models("gpu") == 1
    assert load_net() is net
    assert load_on_card() is not on_card


def test_random_numbers_do_not_depend_on_whether_a_model_was_loaded() -> None:
    def draw() -> tuple[float, float]:
        random.seed(1)
        np.random.seed(1)
        load_net()
        return random.random(), float(np.random.random())

    assert draw() == draw()


def test_arguments_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(PipelineError, match=r"load_net \(test_models.py\): argument weights is of type list"):
        load_net(["a"])


def test_a_limit_that_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENHCS_MODEL_MEMORY", "4 apples")
    models_here.cache_clear()
    with pytest.raises(PipelineError, match="environment variable OPENHCS_MODEL_MEMORY: '4 apples' is not"):
        load_net()
    monkeypatch.setenv("OPENHCS_MODEL_MEMORY", "4 GB")
    assert models_here().most_bytes == 4_000_000_000
    models_here.cache_clear()


def test_declarations_that_make_no_sense_are_refused() -> None:
    with pytest.raises(PipelineError, match="size '5 apples' is not an amount of memory"):
        model(size="5 apples")
    with pytest.raises(PipelineError, match="device 'tpu' is neither"):
        model(device="tpu")  # type: ignore[call-overload]
    with pytest.raises(PipelineError, match="is inside a function"):

        @model
        def inner() -> None: ...


MODULE = """
import os
from types import SimpleNamespace
from openhcs_runtime import Measurements, OutputKind, model, special_outputs

@model(size="1 MB")
def load_net():
    with open({log!r}, "a") as file:
        file.write(f"{{os.getpid()}}\\n")
    return SimpleNamespace(version={version})

@special_outputs(OutputKind.MEASUREMENTS)
def measure(stack):
    return stack, [Measurements({{"version_count": load_net().version}}) for _ in stack]
"""

PIPELINE = """
from nets import measure
from openhcs_runtime import FunctionStep
pipeline_steps = [FunctionStep(measure)]
"""


@pytest.mark.parametrize("mode", [ExecutionMode.PROCESSES, ExecutionMode.THREADS])
@pytest.mark.parametrize("place", ["pipeline", "module"])
def test_three_runs_load_a_model_once_per_process(
    small_plate: Path, tmp_path: Path, mode: ExecutionMode, place: str
) -> None:
    log = tmp_path / "loads.txt"

    def write(version: int) -> str:
        text = MODULE.format(version=version, log=str(log))
        if place == "pipeline":
            return f"{text}\nfrom openhcs_runtime import FunctionStep\npipeline_steps = [FunctionStep(measure)]\n"
        (tmp_path / "nets.py").write_text(text)
        return PIPELINE

    def run(number: int, source: str, kept: KeptWorkers) -> tuple[PlateResult, list[str]]:
        lines: list[str] = []

        def take(event: ProgressUpdate | LogLine) -> None:
            if isinstance(event, LogLine) and event.text.startswith("models_loaded"):
                lines.append(event.text)

        task = PlateTask(
            plate_path=str(small_plate),
            source=source,
            source_name="pipeline.py",
            source_dir=str(tmp_path),
            global_config=GlobalConfig(num_workers=2, mode=mode),
            pipeline_config=PipelineConfig(output_dir=str(tmp_path / f"out{number}")),
            fresh=True,
        )
        with local_task(take):
            result = read_result(run_plate_task(msgspec.to_builtins(task), kept))
        assert isinstance(result, PlateResult)
        assert result.status is ResultStatus.COMPLETE, result
        return result, lines

    with contextlib.closing(KeptWorkers()) as kept:
        source = write(1)
        told = [run(number, source, kept) for number in range(3)]
        pids = log.read_text().split()
        workers = kept.pids if mode is ExecutionMode.PROCESSES else [os.getpid()]
        assert len(pids) == len(set(pids))
        assert {int(pid) for pid in pids} <= set(workers)
        assert {result.counts["version_count"] for result, _ in told} == {16}
        assert sum(int(lines[0].split()[1].rstrip(",")) for _, lines in told) == len(pids)

        edited, _ = run(3, write(2), kept)
        assert edited.counts["version_count"] == 32
