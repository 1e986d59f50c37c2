"""Compiling: every problem before an image is read, plans and signatures."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from openhcs_runtime.builtin import builtin_pipeline
from openhcs_runtime.components import Component
from openhcs_runtime.config import ExecutionMode, GlobalConfig, PipelineConfig
from openhcs_runtime.engine.compiler import compile_plate
from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.exceptions import (
    CompileError,
    DiskFullError,
    LifecycleError,
    OpenHCSError,
    OutputError,
    PipelineError,
)
from openhcs_runtime.functions import (
    correct_flat_field,
    denoise,
    max_projection,
    measure_objects,
    segment_nuclei,
    stitch_sites,
)
from openhcs_runtime.pipeline.decorators import Stack
from openhcs_runtime.pipeline.plan import CompiledPlate
from openhcs_runtime.pipeline.plate_step import Step
from openhcs_runtime.pipeline.source import load_pipeline
from openhcs_runtime.pipeline.step import FunctionStep
from openhcs_runtime.plates import open_plate

C = Component


def compiled(
    plate: Path, steps: Sequence[Step], mode: ExecutionMode = ExecutionMode.PROCESSES, **config: Any
) -> CompiledPlate:
    return compile_plate(
        open_plate(plate), steps, GlobalConfig(mode=mode), PipelineConfig(**config), plate.parent / "out"
    )


def takes_names_only(*, stack: Stack) -> Stack:
    return stack


def takes_two(stack: Stack, other: Stack) -> Stack:
    return stack + other


def gives_a_number(stack: Stack) -> float:
    return float(stack.mean())


def prints(stack: Stack) -> "None":
    print(stack)


def problems(plate: Path, *steps: FunctionStep, **config: Any) -> str:
    with pytest.raises(CompileError) as caught:
        compiled(plate, steps, **config)
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (
            FunctionStep((denoise, {"sigma": 1})),
            "denoise: got an unexpected keyword argument 'sigma' (its arguments: sig",
        ),
        (FunctionStep((segment_nuclei, {"stack": 1})), "segment_nuclei: multiple values for argument 'stack'"),
        (FunctionStep((measure_objects, {"labels": 1})), "argument 'labels' is set by the engine"),
        (FunctionStep(measure_objects), "measure_objects needs labels, but no earlier step makes any"),
        (FunctionStep({1: denoise}), "group_by must name"),
        (
            FunctionStep({7: denoise}, group_by=C.CHANNEL),
            "func has a key '7', but the plate has no such channel (it has 1, 2)",
        ),
        (FunctionStep({1: denoise}, group_by=C.SITE), "group_by site is in variable_components"),
        (FunctionStep(denoise, variable_components=(C.WELL,)), "can't include well"),
        (FunctionStep(denoise, variable_components=(C.SITE, C.SITE)), "contains a component twice"),
        (FunctionStep(lambda stack: stack), "another process can't import it"),
        (FunctionStep(denoise, enabled=False), "the pipeline has no enabled steps"),
        (FunctionStep(len), "len is a Python built-in that does not return a stack"),
        (FunctionStep(int), "int is a Python built-in that does not return a stack"),
        (FunctionStep(np.add), "add takes or returns several arrays"),
        (FunctionStep(np.modf), "modf takes or returns several arrays"),
        (
            FunctionStep(takes_names_only),
            "takes_names_only does not take a stack: its first argument must be positional",
        ),
        (FunctionStep(takes_two), "takes_two: missing a required argument: 'other'"),
        (FunctionStep(gives_a_number), "gives_a_number is declared to return float, not a stack"),
        (FunctionStep(prints), "prints is declared to return None, not a stack"),
    ],
)
def test_a_problem_is_named(small_plate: Path, step: FunctionStep, words: str) -> None:
    assert words in problems(small_plate, step)


def test_functions_that_do_not_tell_their_arguments_may_be_used(small_plate: Path) -> None:
    steps = [FunctionStep(function) for function in (np.sqrt, np.float32, abs, (pow, {"exp": 2}))]
    assert compiled(small_plate, steps).wells


def test_steps_are_numbered_as_they_are_listed(small_plate: Path) -> None:
    off = FunctionStep(denoise, enabled=False)
    assert problems(small_plate, off, FunctionStep(len)).startswith("step 2 'len'")
    assert problems(small_plate, off, FunctionStep(measure_objects)).startswith("step 2 'measure_objects', well A01")


def test_all_problems_are_reported_together_with_their_steps(small_plate: Path) -> None:
    text = problems(
        small_plate,
        FunctionStep((denoise, {"sigma": 1}), name="Smooth"),
        FunctionStep({9: denoise}, name="Pick", group_by=C.CHANNEL, variable_components=(C.Z_INDEX,)),
        wells=("A01", "H12"),
    )
    assert "step 1 'Smooth': denoise" in text
    assert "step 2 'Pick': func has a key '9'" in text
    assert "no images of H12" in text


def test_labels_must_come_from_the_same_images(small_plate: Path) -> None:
    segment = FunctionStep({1: segment_nuclei}, name="Segment", group_by=C.CHANNEL)
    assert "step 2 'measure_objects', well A01" in problems(small_plate, segment, FunctionStep(measure_objects))


def test_a_local_function_is_fine_in_threads(small_plate: Path) -> None:
    assert compiled(small_plate, [FunctionStep(lambda stack: stack)], ExecutionMode.THREADS).wells


def failure_of(plate: Path, output: Path, *steps: FunctionStep) -> OpenHCSError:
    config = PipelineConfig(output_dir=str(output))
    with PipelineOrchestrator(plate, steps or builtin_pipeline(), pipeline_config=config) as orchestrator:
        orchestrator.initialize()
        with pytest.raises(OpenHCSError) as caught:
            orchestrator.compile()
    return caught.value


def test_output_inside_the_plate_or_not_writable_is_found(small_plate: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    inside = failure_of(small_plate, small_plate / "out")
    assert isinstance(inside, CompileError)
    assert "is inside the plate folder" in str(inside)
    assert not (small_plate / "out").exists()

    below = failure_of(small_plate, tmp_path / "file" / "out")
    assert type(below) is OutputError
    assert str(below).startswith(f"output folder {tmp_path / 'file' / 'out'} can't be written: ")
    assert str(below).endswith("(choose another output folder)")

    both = failure_of(small_plate, tmp_path / "file", FunctionStep(len))
    assert isinstance(both, CompileError)
    assert [problem.partition(" ")[0] for problem in both.problems] == ["output", "step"]


def test_a_full_disk_is_no_wrong_use(small_plate: Path, tiny_disk: Path) -> None:
    with contextlib.suppress(OSError), (tiny_disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    full = failure_of(small_plate, tiny_disk / "out")
    assert isinstance(full, DiskFullError)
    assert str(full) == f"no space left in {tiny_disk / 'out'}: free some space or choose another output folder"
    assert isinstance(failure_of(small_plate, tiny_disk, FunctionStep(len)), CompileError)


def test_plans_follow_the_plate_order_and_name_what_is_missing(new_plate: Callable[..., Path]) -> None:
    folder = new_plate(wells=5, channels=2)
    next(folder.rglob("*_A02_s1_w2.tif")).unlink()
    steps = builtin_pipeline().steps
    plans = compiled(folder, steps).wells
    assert [plan.well for plan in plans] == ["A01", "A02", "A03", "A04", "A05"]
    assert [len(plan.missing) for plan in plans] == [0, 1, 0, 0, 0]
    assert [plan.missing for plan in compiled(folder, steps, allow_gaps=True).wells] == [()] * 5
    assert [plan.well for plan in compiled(folder, steps, wells=("A04", "A01")).wells] == ["A01", "A04"]


def test_signatures_change_with_what_decides_the_result_and_with_nothing_else(new_plate: Callable[..., Path]) -> None:
    folder = new_plate(wells=2)
    steps = [FunctionStep((denoise, {"sigma_px": 1.0}))]
    first = compiled(folder, steps)
    assert compiled(folder, steps) == first
    assert compiled(folder, steps, ExecutionMode.THREADS).signature == first.signature
    assert compiled(folder, [FunctionStep((denoise, {"sigma_px": 2.0}))]).signature != first.signature
    image = next(folder.rglob("*_A02_*.tif"))
    image.write_bytes(image.read_bytes() + b"\0")
    second = compiled(folder, steps)
    assert second.wells[0].signature == first.wells[0].signature
    assert second.wells[1].signature != first.wells[1].signature


def test_files_that_arguments_name_must_be_there_and_are_in_the_signature(small_plate: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat.tif"
    step = FunctionStep((correct_flat_field, {"flat_field": str(flat)}))
    assert f"step 1 'correct_flat_field': correct_flat_field: {flat}, given as" in problems(small_plate, step)
    flat.write_bytes(b"even light")
    before = compiled(small_plate, [step])
    assert compiled(small_plate, [step]).signature == before.signature
    flat.write_bytes(b"another light")
    assert compiled(small_plate, [step]).signature != before.signature


def test_a_plate_without_positions_can_be_stitched_only_as_a_grid(small_plate: Path) -> None:
    assert "does not specify the positions of its sites" in problems(small_plate, FunctionStep(stitch_sites))
    compiled(small_plate, [FunctionStep((stitch_sites, {"grid": (1, 2)}))])


def test_a_length_in_micrometres_needs_the_size_of_a_pixel(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "p_A01_s1_w1.tif", np.zeros((64, 64), np.uint16))
    step = FunctionStep((segment_nuclei, {"diameter_um": 12.0}))
    assert "give segment_nuclei a length in pixels, not diameter_um" in problems(tmp_path, step)
    compiled(tmp_path, [FunctionStep((segment_nuclei, {"diameter_px": 12.0}))])


def test_the_signature_holds_the_text_of_functions_of_a_file(small_plate: Path) -> None:
    text = "from openhcs_runtime import FunctionStep\ndef f(stack):\n    return stack + {}\n"
    text += "pipeline_steps = [FunctionStep(f)]"
    one, other = (compiled(small_plate, load_pipeline(text.format(n)).steps).signature for n in (1, 2))
    assert one != other


def test_labels_of_two_steps_go_to_folders_of_their_own(small_plate: Path) -> None:
    steps = [FunctionStep(segment_nuclei, name="Nuclei"), FunctionStep(segment_nuclei, name="Big ones")]
    assert compiled(small_plate, steps).job.folders == ("Nuclei", "Big_ones")
    assert compiled(small_plate, steps[:1]).job.folders == ("",)


def test_calls_out_of_order_are_refused(small_plate: Path) -> None:
    with PipelineOrchestrator(small_plate, [FunctionStep(max_projection)]) as orchestrator:
        for call in (orchestrator.compile, orchestrator.execute):
            with pytest.raises(LifecycleError, match="the order is"):
                call()
    with pytest.raises(LifecycleError, match="closed"):
        orchestrator.initialize()


@pytest.mark.parametrize(
    "settings", [{"num_workers": 0}, {"num_workers": "many"}, {"mode": "gpu"}, {"num_workers": True}]
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(PipelineError, match="GlobalConfig"):
        GlobalConfig(**settings)


def test_workers_are_no_more_than_wells() -> None:
    assert GlobalConfig(num_workers=8).workers_for(3) == 3
    assert GlobalConfig().workers_for(1000) >= 1
