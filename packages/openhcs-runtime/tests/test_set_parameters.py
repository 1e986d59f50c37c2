"""Parameters that are set by name: found, converted, checked, recorded, and applied again."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import pytest

from openhcs_runtime import FunctionStep, Pipeline, PlateStep, Setting, load_pipeline, to_source, with_settings
from openhcs_runtime.builtin import builtin_pipeline
from openhcs_runtime.components import Component
from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.functions import measure_objects, segment_nuclei
from openhcs_runtime.outputs.provenance import read_provenance
from openhcs_runtime.pipeline.set_parameters import steps_before
from openhcs_runtime.service.client import rerun_task
from openhcs_runtime.service.worker import run_plate_task
from openhcs_runtime.tasks import PlateTask
from zmqruntime.execution import TaskFailed


class Kind(StrEnum):
    WHITE = "white"
    BLACK = "black"


def blur(
    stack: Any,
    sigma: float = 1.0,
    mode: Literal["a", "b"] = "a",
    kind: Kind = Kind.WHITE,
    size: "int | None" = None,
    sizes: tuple[int, ...] = (),
    name: str = "",
    weights: np.ndarray[Any, Any] | None = None,
) -> Any:
    return stack


def plain(stack, strength=3, flag=False, anything=None, **more):  # type: ignore[no-untyped-def]  # as users write it
    return stack


PIPELINE = Pipeline(
    (
        FunctionStep(blur, name="Smooth"),
        FunctionStep({"1": [blur, (plain, {"strength": 2})]}, name="Both", group_by=Component.CHANNEL),
        FunctionStep(segment_nuclei, enabled=False),
    )
)


def _set(*texts: str, pipeline: Pipeline = PIPELINE) -> list[dict[str, Any]]:
    changed = with_settings(pipeline, map(Setting.parse, texts))
    return [dict(call.kwargs) for step in changed.steps for chain in step.branches().values() for call in chain]


@pytest.mark.parametrize(
    ("text", "place", "arguments"),
    [
        ("Smooth.sigma=2.5", 0, {"sigma": 2.5}),
        ("1.sigma=2", 0, {"sigma": 2}),
        ("Both.blur.mode=b", 1, {"mode": "b"}),
        ("2.blur.kind=black", 1, {"kind": Kind.BLACK}),
        ("Smooth.size=None", 0, {"size": None}),
        ("Smooth.sizes=(1, 2)", 0, {"sizes": (1, 2)}),
        ("Smooth.name=12", 0, {"name": "12"}),
        ("Smooth.name='a=b'", 0, {"name": "a=b"}),
        ("strength=4.5", 2, {"strength": 4.5}),
        ("plain.flag=True", 2, {"strength": 2, "flag": True}),
        ("anything=any text", 2, {"strength": 2, "anything": "any text"}),
        ("plain.unheard_of=[1]", 2, {"strength": 2, "unheard_of": [1]}),
    ],
)
def test_a_value_reaches_its_function(text: str, place: int, arguments: dict[str, Any]) -> None:
    expected: list[dict[str, Any]] = [{}, {}, {"strength": 2}, {}]
    expected[place] = arguments
    found = _set(text)
    assert found == expected
    assert list(map(type, found[place].values())) == list(map(type, arguments.values()))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("blur.sigma=2", "blur.sigma: several functions have it: choose Smooth.sigma or Both.blur.sigma"),
        ("sigma=2", "sigma: several functions have it: choose Smooth.sigma or Both.blur.sigma"),
        ("Smoth.sigma=2", "no function or step 'Smoth': did you mean 'Smooth'? choose among blur, Smooth, Both, plain"),
        ("Smooth.sigm=2", "Smooth has no argument 'sigm': did you mean 'sigma'? choose among sigma, mode, kind"),
        ("strenght=2", "no function of the pipeline has an argument 'strenght': did you mean 'strength'?"),
        ("diameter_um=2", "no function of the pipeline has an argument 'diameter_um'"),
        ("Smooth.sigma=wide", "Smooth.sigma=wide: sigma takes a number"),
        ("Smooth.sigma=True", "sigma takes a number"),
        ("Smooth.mode=c", "mode takes 'a' or 'b'"),
        ("Smooth.kind=red", "kind takes 'white' or 'black'"),
        ("Smooth.size=1.5", "size takes a whole number or None"),
        ("plain.flag=1", "flag takes True or False"),
        ("plain.strength=x", "strength takes a number"),
        ("Smooth.stack=1", "Smooth has no argument 'stack'"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_exists(text: str, problem: str) -> None:
    with pytest.raises(PipelineError) as caught:
        _set(text)
    assert problem in str(caught.value)


def test_all_problems_are_told_and_the_form_is_checked() -> None:
    with pytest.raises(PipelineError) as caught:
        _set("Smooth.sigma=x", "y=1")
    assert len(caught.value.problems) == 2
    for text in ("sigma", "=1", "sigma=", " = "):
        with pytest.raises(PipelineError, match="does not set a parameter; expected a form like"):
            Setting.parse(text)
    assert Setting.of("a.b", "12") == Setting("a.b", "'12'")


def test_the_engine_s_arguments_can_not_be_set_and_the_built_in_count_can() -> None:
    with pytest.raises(PipelineError, match="has no argument 'shared_labels'"):
        _set("measure_objects.shared_labels=1", pipeline=Pipeline((FunctionStep(measure_objects),)))
    changed = with_settings(builtin_pipeline(), [Setting("diameter_um", "12")])
    assert '"diameter_um": 12,' in to_source(changed)


TEXT = """
from openhcs_runtime import FunctionStep, GlobalConfig
from openhcs_runtime.functions import measure_objects, segment_nuclei
pipeline_steps = [FunctionStep(segment_nuclei), FunctionStep((measure_objects, {"name": "nuclei"}))]
global_config = GlobalConfig(1, "threads")
"""


def test_settings_are_recorded_and_applied_again(new_plate: Callable[..., Path]) -> None:
    plate = new_plate(wells=1)

    def run(task: PlateTask) -> dict[str, Any]:
        return run_plate_task(msgspec.to_builtins(task))

    task = PlateTask(plate_path=str(plate), source=TEXT)
    settings = (Setting("diameter_um", "40"),)
    as_written = run(task)
    changed = run(msgspec.structs.replace(task, settings=settings))
    assert changed["wells"][0]["taken_from"] == ""
    assert changed["signature"] != as_written["signature"]
    assert read_provenance(Path(changed["output_dir"])).settings == settings
    again = rerun_task(Path(changed["output_dir"]))
    assert again.settings == settings
    repeated = run(msgspec.structs.replace(again, fresh=False))
    assert repeated["wells"][0]["taken_from"] == Path(changed["output_dir"]).name
    with pytest.raises(TaskFailed, match="diameter_um takes a number or None"):
        run(msgspec.structs.replace(task, settings=(Setting("diameter_um", "wide"),)))
    file = "import os\ndef masked(stack, mask: str | os.PathLike[str] = None):\n    return stack\n"
    with_file = TEXT.replace("pipeline_steps = [", f"{file}pipeline_steps = [FunctionStep(masked), ")
    with pytest.raises(TaskFailed, match=r"step 1 'masked': masked: gone\.tif, given as mask, does not exist"):
        run(msgspec.structs.replace(task, source=with_file, settings=(Setting("mask", "gone.tif"),)))


def test_steps_over_the_plate_have_parameters_too() -> None:
    def over_plate(data: Any, strength: int = 1) -> Any:
        return data

    pipeline = Pipeline((FunctionStep(blur), PlateStep(over_plate), FunctionStep(plain)))
    changed = with_settings(pipeline, [Setting("over_plate.strength", "3")])
    assert changed.steps[1] == PlateStep((over_plate, {"strength": 3}))
    assert steps_before(pipeline, ["over_plate.strength", "plain.strength"]) == ("blur",)


def test_source_of_a_changed_pipeline_has_the_values() -> None:
    changed = with_settings(load_pipeline(TEXT), [Setting("diameter_um", "40")])
    assert "(segment_nuclei, {'diameter_um': 40})" in to_source(changed).replace('"', "'")
