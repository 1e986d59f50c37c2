"""What each step of a well costs, and where that is recorded."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from openhcs_runtime import GlobalConfig, PipelineConfig, PipelineOrchestrator, PlateResult, load_pipeline
from openhcs_runtime.config import ExecutionMode
from openhcs_runtime.outputs.costs import step_totals
from openhcs_runtime.outputs.provenance import read_provenance
from openhcs_runtime.outputs.wells import part_path, read_part
from openhcs_runtime.results import StepCost
from openhcs_runtime.testing import CommandLine

NewPlate = Callable[..., Path]
BIG_BYTES = 300 << 20
TEXT = f"""
import numpy as np
from openhcs_runtime import FunctionStep

def small(stack):
    return stack

def large(stack):
    np.ones({BIG_BYTES}, np.uint8)
    return stack

def last(stack):
    if stack[0, 0, 0] < 0:
        raise ValueError
    return stack

pipeline_steps = [FunctionStep(small), FunctionStep(large), FunctionStep(last)]
"""


def _run(plate: Path, folder: Path, text: str, mode: ExecutionMode) -> PlateResult:
    settings = GlobalConfig(num_workers=1, mode=mode)
    config = PipelineConfig(results_dir=str(folder / "results"))
    with PipelineOrchestrator(plate, load_pipeline(text), settings, config) as orchestrator:
        return orchestrator.run()


def test_each_step_has_its_seconds_and_its_memory_also_where_a_well_is_taken_over(
    new_plate: NewPlate, tmp_path: Path
) -> None:
    plate = new_plate(wells=1, size=64)
    (well,) = _run(plate, tmp_path, TEXT, ExecutionMode.PROCESSES).wells
    assert [cost.step for cost in well.steps] == ["small", "large", "last"]
    assert 0 < sum(cost.seconds for cost in well.steps) <= well.elapsed_s
    again = _run(plate, tmp_path, TEXT, ExecutionMode.PROCESSES)
    assert again.wells[0].taken_from
    assert again.wells[0].steps == well.steps
    assert read_provenance(Path(again.output_dir)).wells[0].steps == well.steps
    peaks = [cost.peak_memory_bytes for cost in well.steps]
    if None in peaks:
        pytest.skip("this system does not tell the memory of a process")
    small, large, last = (peak or 0 for peak in peaks)
    assert large > BIG_BYTES + max(small, last) // 2
    assert well.peak_memory_bytes == large


def test_a_failed_step_has_its_cost_too_and_threads_tell_no_memory(new_plate: NewPlate, tmp_path: Path) -> None:
    (well,) = _run(new_plate(wells=1, size=64), tmp_path, TEXT.replace("< 0", ">= 0"), ExecutionMode.THREADS).wells
    assert [(cost.step, cost.peak_memory_bytes) for cost in well.steps] == [
        ("small", None),
        ("large", None),
        ("last", None),
    ]


def test_a_record_without_costs_is_read(new_plate: NewPlate, tmp_path: Path) -> None:
    result = _run(new_plate(wells=1, size=64), tmp_path, TEXT, ExecutionMode.THREADS)
    path = part_path(Path(result.output_dir), "A01")
    record = msgspec.json.decode(path.read_bytes())
    del record["steps"]
    path.write_bytes(msgspec.json.encode(record))
    part = read_part(Path(result.output_dir), "A01")
    assert part is not None
    assert part.steps == ()


def test_totals_have_sums_means_shares_and_peaks() -> None:
    wells = [
        [StepCost("a", 1.0, 100), StepCost("b", 2.0, None), StepCost("a", 0.5, 50)],
        [StepCost("a", 2.0, 300), StepCost("b", 0.5, None)],
    ]
    totals = step_totals(wells)
    assert [(each.step, each.wells, each.seconds, each.peak_memory_bytes) for each in totals] == [
        ("a", 2, 3.0, 300),
        ("b", 2, 2.5, None),
        ("a", 1, 0.5, 50),
    ]
    assert totals[0].mean_seconds == 1.5
    assert sum(each.share for each in totals) == pytest.approx(1.0)
    assert step_totals([]) == ()


def test_the_command_line_shows_the_cost_of_each_step(shared_command: CommandLine, new_plate: NewPlate) -> None:
    plate = new_plate(wells=2)
    ran = shared_command("run", plate, "--time")
    table = ran.stdout[ran.stdout.index("Step") :].splitlines()
    assert table[0].split() == ["Step", "Wells", "Seconds", "Per", "well", "Share", "Peak", "memory"]
    assert [line.split()[:2] for line in table[1:5]] == [[n, "2"] for n in ("Project", "Segment", "Correct", "Measure")]
    costs = shared_command("results", plate, "--time", "--json").document["costs"]
    assert [cost["step"] for cost in costs] == ["Project", "Segment", "Correct", "Measure"]
    assert sum(cost["share"] for cost in costs) == pytest.approx(1.0)
