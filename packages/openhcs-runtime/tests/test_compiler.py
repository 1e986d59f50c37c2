"""Compiling: every problem before an image is read, plans and signatures."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from openhcs_runtime.builtin import builtin_pipeline
from openhcs_runtime.compiler import compile_plate
from openhcs_runtime.components import Component
from openhcs_runtime.config import ExecutionMode, GlobalConfig, PipelineConfig
from openhcs_runtime.exceptions import CompileError, LifecycleError, PipelineError
from openhcs_runtime.functions import denoise, max_projection, measure_objects, segment_nuclei
from openhcs_runtime.orchestrator import PipelineOrchestrator
from openhcs_runtime.pipeline.source import load_pipeline
from openhcs_runtime.pipeline.step import FunctionStep
from openhcs_runtime.plan import CompiledPlate
from openhcs_runtime.plates import open_plate

C = Component


def compiled(
    plate: Path, steps: Sequence[FunctionStep], mode: ExecutionMode = ExecutionMode.PROCESSES, **config: Any
) -> CompiledPlate:
    return compile_plate(
        open_plate(plate), steps, GlobalConfig(mode=mode), PipelineConfig(**config), plate.parent / "out"
    )


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
        (FunctionStep((measure_objects, {"labels": 1})), "argument 'labels' comes from the engine"),
        (FunctionStep(measure_objects), "measure_objects needs labels, but no earlier step makes any"),
        (FunctionStep({1: denoise}), "group_by must say"),
        (FunctionStep({7: denoise}, group_by=C.CHANNEL), "value '7' for channel, which the plate lacks (it has 1, 2)"),
        (FunctionStep({1: denoise}, group_by=C.SITE), "group_by site is one of variable_components"),
        (FunctionStep(denoise, variable_components=(C.WELL,)), "can't hold well"),
        (FunctionStep(denoise, variable_components=(C.SITE, C.SITE)), "names a component twice"),
        (FunctionStep(lambda stack: stack), "another process can't import it"),
        (FunctionStep(denoise, enabled=False), "the pipeline has no enabled step"),
    ],
)
def test_a_problem_is_named(small_plate: Path, step: FunctionStep, words: str) -> None:
    assert words in problems(small_plate, step)


def test_all_problems_are_reported_together_with_their_steps(small_plate: Path) -> None:
    text = problems(
        small_plate,
        FunctionStep((denoise, {"sigma": 1}), name="Smooth"),
        FunctionStep({9: denoise}, name="Pick", group_by=C.CHANNEL, variable_components=(C.Z_INDEX,)),
        wells=("A01", "H12"),
    )
    assert "step 1 'Smooth': denoise" in text
    assert "step 2 'Pick': func has a value '9'" in text
    assert "no images of well(s) H12" in text


def test_labels_must_come_from_the_same_images(small_plate: Path) -> None:
    segment = FunctionStep({1: segment_nuclei}, name="Segment", group_by=C.CHANNEL)
    assert "step 2 'measure_objects', well A01" in problems(small_plate, segment, FunctionStep(measure_objects))


def test_a_local_function_is_fine_in_threads(small_plate: Path) -> None:
    assert compiled(small_plate, [FunctionStep(lambda stack: stack)], ExecutionMode.THREADS).wells


def test_output_inside_the_plate_or_not_writable_is_found(small_plate: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for output, words in {
        small_plate / "out": "is in the plate itself",
        tmp_path / "file" / "out": "can't be written",
    }.items():
        with PipelineOrchestrator(
            small_plate, builtin_pipeline(), pipeline_config=PipelineConfig(output_dir=str(output))
        ) as orchestrator:
            orchestrator.initialize()
            with pytest.raises(CompileError, match=words):
                orchestrator.compile()
    assert not (small_plate / "out").exists()


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
