"""Random numbers: different in every well, the same again for the same seed, whatever the mode and the worker."""

import csv
import logging
from pathlib import Path

import numpy as np
import pytest

from openhcs_runtime.config import ExecutionMode, GlobalConfig, PipelineConfig
from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.outputs.wells import part_path, read_part
from openhcs_runtime.pipeline.source import load_pipeline
from openhcs_runtime.results import PlateResult, ResultStatus

HEAD = """
import random
import numpy as np
from openhcs_runtime import FunctionStep, InputKind, Measurements, OutputKind, special_inputs, special_outputs

@special_inputs(InputKind.RNG)
@special_outputs(OutputKind.MEASUREMENTS)
def given(stack, *, rng, name="rng"):
    return stack, [Measurements({name: rng.random()}) for _ in stack]

@special_outputs(OutputKind.MEASUREMENTS)
def globals_(stack):
    return stack, [Measurements({"np": np.random.random(), "py": random.random()}) for _ in stack]

def draws(stack):
    np.random.random()
    return stack
"""
GIVEN = "pipeline_steps = [FunctionStep(given), FunctionStep((given, {'name': 'again'}))]"
GLOBALS = "pipeline_steps = [FunctionStep(globals_), FunctionStep(given)]"


def run(
    plate: Path,
    output: Path,
    text: str,
    seed: int | None,
    mode: ExecutionMode = ExecutionMode.PROCESSES,
    workers: int = 2,
    *,
    resume: bool = False,
) -> tuple[PlateResult, dict[str, list[str]]]:
    """The result, and by column what was measured in all images."""
    config = GlobalConfig(workers, mode, seed=seed)
    pipeline = load_pipeline(HEAD + text)
    with PipelineOrchestrator(plate, pipeline, config, PipelineConfig(str(output))) as orchestrator:
        result = orchestrator.run(resume=resume)
    assert (result.status, result.error) == (ResultStatus.COMPLETE, "")
    with open(result.measurements, newline="") as file:
        rows = list(csv.DictReader(file))
    return result, {name: [row[name] for row in rows] for name in rows[0] if name in ("rng", "again", "np", "py")}


def test_the_same_seed_gives_the_same_numbers_in_every_mode(small_plate: Path, tmp_path: Path) -> None:
    tries = [(ExecutionMode.PROCESSES, 2), (ExecutionMode.PROCESSES, 1), (ExecutionMode.THREADS, 1)]
    found = [
        run(small_plate, tmp_path / f"{number}", GLOBALS, 5, mode, workers)
        for number, (mode, workers) in enumerate(tries)
    ]
    assert found[0][1] == found[1][1] == found[2][1]
    assert {result.seed for result, _ in found} == {5}
    for values in found[0][1].values():
        assert len(set(values)) == len(values) == 16  # 4 wells, 2 sites, 2 channels
    _, of_other_seed = run(small_plate, tmp_path / "other", GLOBALS, 6)
    for name, values in of_other_seed.items():
        assert not set(values) & set(found[0][1][name])


def test_numbers_of_the_engine_are_the_same_in_threads(small_plate: Path, tmp_path: Path) -> None:
    _, one = run(small_plate, tmp_path / "one", GIVEN, 5, ExecutionMode.PROCESSES)
    _, other = run(small_plate, tmp_path / "other", GIVEN, 5, ExecutionMode.THREADS)
    assert one == other
    assert len({*one["rng"], *one["again"]}) == 32


def test_shared_numbers_in_threads_are_told(
    small_plate: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for text, is_told in (
        ("pipeline_steps = [FunctionStep(draws), FunctionStep(given)]", True),
        ("pipeline_steps = [FunctionStep(given)]", False),
    ):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            run(small_plate, tmp_path / f"{is_told}", text, 5, ExecutionMode.THREADS)
        assert ("not reproducible with the same seed" in caplog.text) is is_told


def test_a_run_without_a_seed_takes_a_fresh_one_and_keeps_it(small_plate: Path, tmp_path: Path) -> None:
    first, values = run(small_plate, tmp_path / "one", GLOBALS, None)
    second, others = run(small_plate, tmp_path / "two", GLOBALS, None)
    assert first.seed != second.seed
    assert not set(values["np"]) & set(others["np"])
    assert first.signature == second.signature
    part = read_part(tmp_path / "one", "A01")
    assert part is not None
    assert part.seed == first.seed == first.to_dict()["seed"]
    repeated, same = run(small_plate, tmp_path / "three", GLOBALS, first.seed)
    assert same == values
    assert repeated.signature != first.signature  # that a seed was asked for is a setting


def test_what_is_resumed_has_the_numbers_of_its_run(small_plate: Path, tmp_path: Path) -> None:
    first, values = run(small_plate, tmp_path, GLOBALS, None)
    part_path(tmp_path, "A02").unlink()
    resumed, same = run(small_plate, tmp_path, GLOBALS, None, resume=True)
    assert [well.reused for well in resumed.wells] == [True, False, True, True]
    assert (resumed.seed, same) == (first.seed, values)


@pytest.mark.parametrize("seed", [-1, 2**53, 1.5, True, "1", np.int64(3)])
def test_what_is_no_seed(seed: object) -> None:
    with pytest.raises(PipelineError, match="is not a whole number from 0"):
        GlobalConfig(seed=seed)  # type: ignore[arg-type]
