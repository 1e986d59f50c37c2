"""Pipelines as Python text: loading, what goes wrong, and back."""

import functools
import inspect
import math
import re
import subprocess
import sys
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import ndimage
from skimage import filters

from openhcs_runtime import functions
from openhcs_runtime.builtin import builtin_pipeline, builtin_source
from openhcs_runtime.components import Component
from openhcs_runtime.config import ExecutionMode, GlobalConfig, PipelineConfig
from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.functions import GridOrder, ThresholdMethod
from openhcs_runtime.pipeline.source import Pipeline, load_pipeline
from openhcs_runtime.pipeline.step import FunctionStep, InputSource
from openhcs_runtime.pipeline.to_source import to_source

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
            r"entry 1 .*: step of denoise: name must be a string",
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
    assert [step.name for step in pipeline.steps] == ["Project", "Segment", "Correct", "Measure"]
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


SLICES = st.builds(slice, st.none() | st.integers(-9, 9), st.none() | st.integers(-9, 9))
NUMBERS = st.integers() | st.floats(allow_nan=False) | st.complex_numbers(allow_nan=False)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text() | st.binary()
NUMPY = st.floats(allow_nan=False, width=32).map(np.float32) | st.integers(-9, 9).map(np.int16) | st.just(np.True_)
MEMBERS = st.sampled_from([*ThresholdMethod, *GridOrder, *Component, *re.RegexFlag, re.I | re.M, re.RegexFlag(0)])
NAMED = st.sampled_from([np.float32, np.dtype("uint16"), max, np.max, len, math.pi, ndimage.sobel, filters.sobel])
KEYS = st.text() | st.integers() | st.sampled_from(ThresholdMethod)
HASHABLE = st.recursive(st.integers() | st.text() | MEMBERS, lambda inner: st.tuples(inner, inner), max_leaves=4)
VALUES = st.recursive(
    SCALARS | NUMPY | MEMBERS | NAMED | st.text().map(Path) | st.builds(range, st.integers(0, 9)) | SLICES,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(KEYS, inner)
        | st.sets(HASHABLE)
        | st.frozensets(HASHABLE)
        | st.builds(PipelineConfig, allow_gaps=st.booleans())
    ),
    max_leaves=8,
)
LIBRARY = [value for name in dir(functions) if inspect.isfunction(value := getattr(functions, name))]
FUNCTIONS = st.sampled_from([*LIBRARY, filters.gaussian, ndimage.median_filter, np.sqrt, np.median, filters.median])
CALLS = FUNCTIONS | st.tuples(FUNCTIONS, st.dictionaries(st.text(min_size=1), VALUES, max_size=3))
FORMS = CALLS | st.lists(CALLS, min_size=1, max_size=3)
COMPONENTS = st.sampled_from(list(Component))
STEPS = st.builds(
    FunctionStep,
    FORMS | st.dictionaries(st.integers(1, 9) | st.text(), FORMS, min_size=1, max_size=3),
    name=st.text(max_size=10),
    variable_components=st.lists(COMPONENTS, max_size=3),
    group_by=st.none() | COMPONENTS,
    input_source=st.sampled_from(InputSource),
    enabled=st.booleans(),
    materialize=st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=4), st.none() | st.builds(PipelineConfig, allow_gaps=st.booleans()))
def test_source_gives_an_equal_pipeline(steps: list[FunctionStep], config: PipelineConfig | None) -> None:
    pipeline = Pipeline(tuple(steps), pipeline_config=config)
    source = to_source(pipeline)
    again = load_pipeline(source)
    assert again == pipeline
    assert to_source(Pipeline(again.steps, pipeline_config=config)) == source, "equal pipelines have equal sources"


def test_source_is_readable() -> None:
    step = FunctionStep((filters.gaussian, {"sigma": 2}), name="Blur", variable_components=(Component.Z_INDEX,))
    assert to_source([step]) == (
        "from openhcs_runtime import Component, FunctionStep\n"
        "from skimage.filters import gaussian\n\n"
        "pipeline_steps = [\n"
        '    FunctionStep((gaussian, {"sigma": 2}), name="Blur", variable_components=(Component.Z_INDEX,)),\n'
        "]\n"
    )


def test_long_lines_are_broken_as_by_hand() -> None:
    measure = (functions.measure_objects, {"name": "nuclei"})
    segment = (functions.segment_nuclei, {"diameter_px": 18.5, "method": ThresholdMethod.LI, "factor": 0.75})
    step = FunctionStep(
        {1: [functions.denoise, segment, (functions.segment_cells, {}), measure], 2: functions.denoise},
        group_by=Component.CHANNEL,
        name='Say "nuclei"',
        input_source=InputSource.PLATE,
    )
    assert (
        to_source([FunctionStep((np.max, {"where": re.I})), step])
        == """\
from re import RegexFlag

from numpy import max as numpy_max
from openhcs_runtime import Component, FunctionStep, InputSource
from openhcs_runtime.functions import ThresholdMethod, denoise, measure_objects, segment_cells, segment_nuclei

pipeline_steps = [
    FunctionStep((numpy_max, {"where": RegexFlag.IGNORECASE})),
    FunctionStep(
        {
            1: [
                denoise,
                (segment_nuclei, {"diameter_px": 18.5, "method": ThresholdMethod.LI, "factor": 0.75}),
                (segment_cells, {}),
                (measure_objects, {"name": "nuclei"}),
            ],
            2: denoise,
        },
        name='Say "nuclei"',
        group_by=Component.CHANNEL,
        input_source=InputSource.PLATE,
    ),
]
"""
    )


def test_equal_names_of_different_modules_are_told_apart() -> None:
    steps = (FunctionStep(filters.median), FunctionStep(np.median))
    assert load_pipeline(to_source(steps)).steps == steps


class Local(str):
    __slots__ = ()

    def method(self, stack: Any) -> Any:
        return stack


SELF: list[Any] = []
SELF.append(SELF)


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


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (object(), "an object can't be written"),
        (Local("a"), "a Local can't be written"),
        (np.datetime64("2020-01-01"), "a date can't be written"),
        (PureWindowsPath("C:/a"), "a PureWindowsPath can't be written"),
        (functools.partial(functions.denoise), "has no name by which another process could import it"),
        (Local("x").method, "is not the function"),
        (SELF, "an argument that contains itself"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_without_a_literal_are_refused(value: Any, words: str) -> None:
    with pytest.raises(PipelineError, match=words):
        to_source([FunctionStep((functions.denoise, {"a": value}))])


def test_functions_of_the_main_script_are_refused(tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(
        "from openhcs_runtime import FunctionStep, OpenHCSError, to_source\ndef mine(stack):\n    return stack\n"
        "try:\n    to_source([FunctionStep(mine)])\nexcept OpenHCSError as error:\n    print(error)\n"
    )
    said = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True, timeout=60)
    assert said.stdout == (
        "step 1 'mine': mine is defined in the main script: move it to a module or into the pipeline file\n"
    )


def test_numbers_that_have_no_literal() -> None:
    step = FunctionStep((functions.denoise, {"a": math.inf, "b": np.float32(0.5), "c": {1}, "d": frozenset()}))
    assert load_pipeline(to_source([step])).steps == (step,)
