"""Runs that begin after the last step that did not change, with what an earlier run has kept."""

from collections.abc import Callable
from pathlib import Path

import pytest

from openhcs_runtime import FunctionStep, GlobalConfig, PipelineConfig, PipelineOrchestrator
from openhcs_runtime.config import ExecutionMode
from openhcs_runtime.engine.plate_run import RunChoice
from openhcs_runtime.exceptions import CompileError, PipelineError
from openhcs_runtime.functions import denoise
from openhcs_runtime.pipeline.reachable import reachable_source
from openhcs_runtime.pipeline.source import load_pipeline
from openhcs_runtime.results import PlateResult, ResultStatus
from openhcs_runtime.service.overrides import pipeline_config_of
from openhcs_runtime.tasks import PlateTask

NewPlate = Callable[..., Path]

PIPELINE = """
import numpy as np
from openhcs_runtime import FunctionStep, InputKind, Measurements, OutputKind, special_inputs, special_outputs
from openhcs_runtime.functions import denoise, measure_objects, segment_nuclei

NOISE = 1.0
CUT = 5

def with_noise(stack, *, seed_offset=0):
    return stack + np.random.normal(0, NOISE, stack.shape).astype(np.float32)

@special_inputs(InputKind.LABELS, InputKind.RNG)
@special_outputs(OutputKind.MEASUREMENTS)
def count(stack, *, labels, rng, least=10):
    sizes = [np.bincount(plane.ravel())[1:] for plane in labels]
    return stack, [
        Measurements({"kept_count": int((of_plane >= max(least, CUT)).sum()), "drawn": float(rng.normal()),
                      "noise": float(np.random.normal())}) for of_plane in sizes
    ]

pipeline_steps = [
    FunctionStep(with_noise),
    FunctionStep(segment_nuclei, keep=True),
    FunctionStep((measure_objects, {"name": "nuclei"})),
    FunctionStep((count, {"least": 10})),
]
"""


class Lab:
    """A plate and runs of pipelines over it, with the same seed."""

    def __init__(self, plate: Path, folder: Path) -> None:
        self.plate = plate
        self.folder = folder

    def run(
        self,
        text: str = PIPELINE,
        *,
        fresh: bool = False,
        mode: str = "threads",
        **config: object,
    ) -> PlateResult:
        pipeline = load_pipeline(text, "pipe.py", str(self.folder))
        settings = PipelineConfig(results_dir=str(self.folder / "results"), **config)  # type: ignore[arg-type]
        machine = GlobalConfig(num_workers=1 if mode == "threads" else 2, mode=ExecutionMode(mode))
        with PipelineOrchestrator(self.plate, pipeline, machine, settings) as orchestrator:
            result = orchestrator.run(RunChoice(fresh=fresh))
        assert result.status is ResultStatus.COMPLETE, result
        return result


@pytest.fixture
def lab(new_plate: NewPlate, tmp_path: Path) -> Lab:
    return Lab(new_plate(wells=2, sites=2, size=96), tmp_path)


def _reused(result: PlateResult) -> set[int]:
    return {well.reused_steps for well in result.wells}


def _files(result: PlateResult) -> dict[str, bytes]:
    """Every result file but those that tell times."""
    folder = Path(result.output_dir)
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".json", ".log", ".state")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("mode", [ExecutionMode.THREADS, ExecutionMode.PROCESSES])
def test_only_the_changed_last_step_is_computed(lab: Lab, mode: ExecutionMode) -> None:
    first = lab.run(mode=mode)
    changed = PIPELINE.replace('"least": 10', '"least": 400')
    second = lab.run(changed, mode=mode)
    assert _reused(second) == {2}
    assert {well.reused_from for well in second.wells} == {Path(first.output_dir).name}
    assert [cost.step for cost in second.wells[0].steps] == ["measure_objects", "count"]
    assert _files(second).keys() == _files(first).keys()


def test_random_numbers_are_the_same_wherever_a_run_begins(lab: Lab) -> None:
    lab.run()
    changed = PIPELINE.replace('"least": 10', '"least": 400')
    second = lab.run(changed)
    assert _reused(second) == {2}
    pipeline = load_pipeline(changed, "pipe.py", str(lab.folder))
    machine = GlobalConfig(num_workers=1, mode=ExecutionMode.THREADS, seed=second.seed)
    settings = PipelineConfig(output_dir=str(lab.folder / "whole"))
    with PipelineOrchestrator(lab.plate, pipeline, machine, settings) as orchestrator:
        whole = orchestrator.run(RunChoice(fresh=True))
    assert _reused(whole) == {0}
    assert _files(whole) == _files(second)


@pytest.mark.parametrize(
    ("old", "new", "reused"),
    [
        ('"least": 10', '"least": 11', 2),
        ("CUT = 5", "CUT = 6", 2),
        ('"kept_count"', '"left_count"', 2),
        ('    FunctionStep((measure_objects, {"name": "nuclei"})),\n', "", 2),
        ("NOISE = 1.0", "NOISE = 1.5", 0),
        ("FunctionStep(with_noise)", 'FunctionStep((with_noise, {"seed_offset": 1}))', 0),
        ("    FunctionStep(with_noise),\n", "    FunctionStep(with_noise),\n    FunctionStep(denoise),\n", 0),
        ("segment_nuclei, keep=True", "segment_nuclei", 2),
    ],
)
def test_what_a_change_costs(lab: Lab, old: str, new: str, reused: int) -> None:
    assert old in PIPELINE
    lab.run()
    assert _reused(lab.run(PIPELINE.replace(old, new))) == {reused}


def test_the_settings_name_steps_to_keep_and_fresh_computes_all(lab: Lab) -> None:
    text = PIPELINE.replace(", keep=True", "")
    lab.run(text, keep=("measure_objects",))
    assert _reused(lab.run(text.replace('"least": 10', '"least": 11'))) == {3}
    assert _reused(lab.run(text.replace('"least": 10', '"least": 12'), fresh=True)) == {0}
    with pytest.raises(CompileError, match="keep in PipelineConfig names 'nobody'"):
        lab.run(text, keep=("nobody",))
    with pytest.raises(PipelineError, match="unknown keep 'all'; choose images or labels"):
        FunctionStep(denoise, keep="all")  # type: ignore[arg-type]


@pytest.mark.parametrize("damage", ["cut", "flip", "file"])
def test_damaged_states_are_computed_again(lab: Lab, damage: str) -> None:
    first = lab.run()
    folder = Path(first.output_dir)
    path = folder / "kept" / "02_segment_nuclei" / "A01.state"
    data = bytearray(path.read_bytes())
    match damage:
        case "cut":
            path.write_bytes(data[: len(data) // 2])
        case "flip":
            data[len(data) // 2] ^= 0xFF
            path.write_bytes(data)
        case "file":
            (folder / "labels" / "A01_s1_w1.tif").write_bytes(b"nothing")
    second = lab.run(PIPELINE.replace('"least": 10', '"least": 11'))
    assert [well.reused_steps for well in second.wells] == [0, 2]
    other = lab.run(PIPELINE.replace('"least": 10', '"least": 12'))
    assert [Path(other.output_dir, "labels", name).is_file() for name in ("A01_s1_w1.tif", "A02_s2_w1.tif")] == [
        True
    ] * 2


def test_labels_alone_are_enough_if_the_next_step_takes_the_images_of_the_plate(lab: Lab) -> None:
    text = PIPELINE.replace("keep=True", 'keep="labels"')
    with pytest.raises(CompileError, match="keeps only its labels"):
        lab.run(text)
    text = text.replace('{"name": "nuclei"}))', '{"name": "nuclei"}), input_source="plate")')
    lab.run(text)
    assert _reused(lab.run(text.replace('"least": 10', '"least": 11'))) == {2}
    assert _reused(lab.run(text.replace(', input_source="plate"', "").replace('keep="labels"', "keep=True"))) == {0}


SOURCE = """
import os
from helper import *
A = 1
B = A + 1
def used(x): return inner(x) + B
def inner(x): return x
def other(x): return A
C = setup()
pipeline_steps = [other]
pipeline_steps.append(used)
"""


def test_the_part_of_a_source_that_a_function_depends_on() -> None:
    found = reachable_source(SOURCE, {"used"})
    assert "def other" not in found
    assert "pipeline_steps" not in found
    assert all(part in found for part in ("import *", "A = 1", "B = A", "def inner", "C = setup()"))
    assert reachable_source(SOURCE, {"nowhere"}) == SOURCE
    assert reachable_source("def f(x): return globals()['A']\nA = 1\nB = 2\n", {"f"}).endswith("B = 2\n")
    assert reachable_source("def f(:", {"f"}) == "def f(:"


def test_a_task_names_steps_in_addition_to_the_settings() -> None:
    pipeline = load_pipeline(PIPELINE)
    task = PlateTask(
        plate_path="plate", source=PIPELINE, keep=("with_noise",), pipeline_config=PipelineConfig(keep=("count",))
    )
    assert pipeline_config_of(pipeline, task).keep == ("count", "with_noise")
