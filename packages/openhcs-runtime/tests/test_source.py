"""Pipelines as Python text: loading, what goes wrong, and back."""

import enum
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage import filters

from openhcs_runtime import functions
from openhcs_runtime.builtin import builtin_pipeline, builtin_source
from openhcs_runtime.components import Component
from openhcs_runtime.config import ExecutionMode, GlobalConfig, PipelineConfig
from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.functions.segment import ThresholdMethod
from openhcs_runtime.pipeline.source import Pipeline, load_pipeline
from openhcs_runtime.pipeline.step import FunctionStep
from openhcs_runtime.pipeline.writing import to_source

HEAD = "from openhcs_runtime import FunctionStep\nfrom openhcs_runtime.functions import denoise\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = (\n", r"^p\.py:1: syntax error: '\(' was never closed"),
        ("a = 1\nif a\n", r"^p\.py:2: syntax error: expected ':'"),
        ("x = 1\n", r"^p\.py: does not define pipeline_steps"),
        ("\npipeline_steps = 3\n", r"^p\.py:2: pipeline_steps is of type int"),
        ("pipeline_steps = [3]\n", r"^p\.py:1: entry 1 of pipeline_steps is of type int"),
        (HEAD + "pipeline_steps = [FunctionStep(blur)]\n", r"^p\.py:3: NameError: name 'blur' is not defined"),
        ("from openhcs_runtime.functions import blur\n", r"^p\.py:1: ImportError: cannot import name 'blur'"),
        ("import no_such_module\n", r"^p\.py:1: ModuleNotFoundError"),
        ("import math\nmath.blur\n", r"^p\.py:2: AttributeError"),
        (HEAD + "pipeline_steps = [FunctionStep(denoise, wells=1)]\n", r"^p\.py:3: TypeError: .*'wells'"),
        (
            HEAD + "pipeline_steps = [FunctionStep(denoise), FunctionStep(3)]\n",
            r"^p\.py:3: entry 2 of pipeline_steps: step without a function: func must be .*, not 3$",
        ),
        (
            HEAD + "pipeline_steps = [\n  FunctionStep(denoise),\n  FunctionStep(\n    [denoise, None]),\n]\n",
            r"^p\.py:5: entry 2 of pipeline_steps: step of denoise: func must be .*, not None$",
        ),
        (HEAD + "bad = FunctionStep({})\npipeline_steps = [bad]\n", r"^p\.py:3: step without a function: func is an"),
        (
            HEAD + "pipeline_steps = [FunctionStep(denoise, name=3)]\n",
            r"entry 1 .*: step of denoise: name must be a text",
        ),
        (
            HEAD + "pipeline_steps = []\nglobal_config = 5\n",
            r"^p\.py:4: global_config is of type int, not a GlobalConfig",
        ),
        ("def f():\n    raise SystemExit('bye')\nf()\n", r"^p\.py:2: SystemExit: bye"),
        ("\0", r"^p\.py:1: syntax error"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(text: str, words: str) -> None:
    with pytest.raises(PipelineError, match=words) as caught:
        load_pipeline(text, "p.py")
    assert "\n" not in str(caught.value)


def test_the_built_in_pipeline_is_an_ordinary_file() -> None:
    pipeline = builtin_pipeline()
    assert [step.name for step in pipeline.steps] == ["Project", "Correct", "Segment", "Measure"]
    assert to_source(pipeline) == builtin_source()


def test_settings_come_along() -> None:
    text = HEAD + (
        "from openhcs_runtime import GlobalConfig, PipelineConfig\npipeline_steps = [FunctionStep(denoise)]\n"
        "global_config = GlobalConfig(num_workers=3)\npipeline_config = PipelineConfig(wells=['A01'])\n"
    )
    pipeline = load_pipeline(text)
    assert pipeline.global_config == GlobalConfig(num_workers=3)
    assert pipeline.pipeline_config == PipelineConfig(wells=("A01",))
    changed = to_source(pipeline, global_config=GlobalConfig(num_workers=2, mode=ExecutionMode.THREADS))
    assert load_pipeline(changed).global_config == GlobalConfig(num_workers=2, mode=ExecutionMode.THREADS)


def test_functions_of_the_file_keep_its_text() -> None:
    text = "from openhcs_runtime import FunctionStep\n\ndef mine(stack, k=1):\n    return stack * k\n\n"
    text += "pipeline_steps = []\n"
    loaded = load_pipeline(text + "pipeline_steps = [FunctionStep(mine)]\n")
    mine = loaded.steps[0].func
    assert to_source(loaded) == loaded.file.text if loaded.file else False
    written = to_source([FunctionStep((mine, {"k": 3})), FunctionStep(functions.denoise)])  # type: ignore[arg-type]
    assert "def mine(stack, k=1):" in written
    again = load_pipeline(written)
    assert [step.name for step in again.steps] == ["mine", "denoise"]
    assert to_source(again) == written


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
VALUES = st.recursive(
    SCALARS | st.sampled_from([*ThresholdMethod, *Component]) | st.text().map(Path),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
FUNCTIONS = st.sampled_from(
    [functions.denoise, functions.max_projection, filters.gaussian, ndimage.median_filter, np.sqrt, functions.threshold]
)
CALLS = FUNCTIONS | st.tuples(FUNCTIONS, st.dictionaries(st.text(min_size=1), VALUES, max_size=3))
FORMS = CALLS | st.lists(CALLS, min_size=1, max_size=3)
COMPONENTS = st.sampled_from(list(Component))
STEPS = st.builds(
    FunctionStep,
    FORMS | st.dictionaries(st.integers(1, 9) | st.text(), FORMS, min_size=1, max_size=3),
    name=st.text(max_size=10),
    variable_components=st.lists(COMPONENTS, max_size=3),
    group_by=st.none() | COMPONENTS,
    enabled=st.booleans(),
    materialize=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=4), st.none() | st.builds(PipelineConfig, allow_gaps=st.booleans()))
def test_source_gives_an_equal_pipeline(steps: list[FunctionStep], config: PipelineConfig | None) -> None:
    pipeline = Pipeline(tuple(steps), pipeline_config=config)
    assert load_pipeline(to_source(pipeline)) == pipeline


def test_source_is_readable() -> None:
    step = FunctionStep((filters.gaussian, {"sigma": 2}), name="Blur", variable_components=(Component.Z_INDEX,))
    assert to_source([step]) == (
        "from openhcs_runtime import Component, FunctionStep\n"
        "from skimage.filters import gaussian\n\n"
        "pipeline_steps = [\n"
        "    FunctionStep((gaussian, {'sigma': 2}), name='Blur', variable_components=(Component.Z_INDEX,)),\n"
        "]\n"
    )


def test_equal_names_of_different_modules_are_told_apart() -> None:
    steps = (FunctionStep(filters.median), FunctionStep(np.median))
    assert load_pipeline(to_source(steps)).steps == steps


class Local(enum.Enum):
    A = 1


def test_what_can_not_be_written_is_named_all_at_once() -> None:
    def local(stack: Any) -> Any:
        return stack

    steps = [
        FunctionStep(lambda stack: stack, name="First"),
        FunctionStep(local, name="Second"),
        FunctionStep((functions.denoise, {"kernel": np.ones(3)}), name="Third"),
    ]
    with pytest.raises(PipelineError) as caught:
        to_source(steps)
    first, second, third = caught.value.problems
    assert "step 1 'First'" in first
    assert "lambda" in first
    assert "local is a local function" in second
    assert "step 3 'Third': a ndarray can't be written" in third


def test_numbers_that_have_no_literal() -> None:
    step = FunctionStep((functions.denoise, {"a": math.inf, "b": np.float32(0.5), "c": {1}, "d": frozenset()}))
    assert load_pipeline(to_source([step])).steps == (step,)
