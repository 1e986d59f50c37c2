"""Reading and changing the text of a pipeline without running it."""

import pytest

from openhcs_gui_services.services.pipeline.new_step import with_step
from openhcs_gui_services.services.pipeline.problems import Problem, locate_problems, syntax_problem
from openhcs_gui_services.services.pipeline.source_file import read_templates
from openhcs_gui_services.services.pipeline.step_form import FunctionInfo, read_library
from openhcs_gui_services.services.pipeline.text import outline_of, with_arguments
from openhcs_runtime.builtin import BuiltinPipeline, builtin_source
from openhcs_runtime.pipeline.source import load_pipeline

LIBRARY = {info.name: info for info in read_library()}
MANY = """
from openhcs_runtime import FunctionStep
from openhcs_runtime import functions as f  # all of them

ARGUMENTS = {"factor": 0.5}

pipeline_steps = [
    FunctionStep(f.denoise, name="Süß"),  # a comment, with a comma
    FunctionStep({1: [f.denoise, (f.segment_nuclei, {"diameter_px": 12.0})], 2: f.max_projection}, group_by="channel"),
    FunctionStep(func=(f.segment_nuclei, ARGUMENTS))
]
"""


def own(name: str = "mine") -> FunctionInfo:
    return FunctionInfo(name, "", "This file", "", "", ())


def test_the_built_in_pipeline_as_steps() -> None:
    outline = outline_of(builtin_source())
    assert [(step.number, step.name, step.line, step.end_line) for step in outline.steps] == [
        (1, "Project", 13, 13),
        (2, "Segment", 14, 19),
        (3, "Correct", 20, 22),
        (4, "Measure", 23, 23),
    ]
    assert [call.function for call in outline.steps[1].calls] == ["segment_nuclei", "check_nuclei"]
    assert outline.steps[3].calls[0].arguments == {"name": '"nuclei"'}
    assert outline.imports is not None
    assert outline.imports["check_nuclei"] == "openhcs_runtime.functions.check_nuclei"
    step = outline.step_at(23)
    assert step is not None
    assert step.number == 4
    assert outline.step_at(1) is None


def test_every_form_of_a_step() -> None:
    steps = outline_of(MANY).steps
    assert [step.name for step in steps] == ["Süß", "denoise + segment_nuclei + max_projection", "segment_nuclei"]
    assert [call.is_editable for step in steps for call in step.calls] == [True, True, True, True, False]
    for step in steps:
        for call in step.calls:
            assert MANY[call.start : call.end].lstrip("(").startswith(call.function)


def test_names_are_as_the_runtime_gives_them() -> None:
    assert [step.name for step in outline_of(MANY).steps] == [step.name for step in load_pipeline(MANY).steps]


def test_arguments_are_changed_in_place() -> None:
    call = outline_of(MANY).steps[1].calls[1]
    changed = with_arguments(MANY, call, {"factor": "0.4"})
    assert '(f.segment_nuclei, {"diameter_px": 12.0, "factor": 0.4})' in changed
    assert load_pipeline(changed).steps[1].branches()["1"][1].kwargs == {"diameter_px": 12.0, "factor": 0.4}
    assert changed.replace('{"diameter_px": 12.0, "factor": 0.4}', '{"diameter_px": 12.0}') == MANY
    call = outline_of(changed).steps[1].calls[1]
    bare = with_arguments(changed, call, {"factor": None, "diameter_px": None})
    assert "[f.denoise, f.segment_nuclei]" in bare


@pytest.mark.parametrize(
    "text",
    [
        builtin_source(),
        MANY,
        "",
        '"""Only a docstring."""\n',
        "pipeline_steps = []\n",
        "from openhcs_runtime import FunctionStep\nfrom openhcs_runtime.functions import denoise\n"
        "pipeline_steps = [FunctionStep(denoise)]",
        "from openhcs_runtime import FunctionStep\nfrom openhcs_runtime.functions import (  # some\n    denoise,\n)\n"
        "pipeline_steps = [\n    FunctionStep(denoise)  # last, without a comma\n]\n",
    ],
)
def test_a_step_is_added_at_the_end_with_its_imports(text: str) -> None:
    before = len(outline_of(text).steps)
    for name in ("clear_border", "threshold_fixed"):
        text = with_step(text, LIBRARY[name])
    steps = load_pipeline(text).steps
    assert len(steps) == before + 2
    assert [step.name for step in steps[-2:]] == ["clear_border", "threshold_fixed"]
    (chain,) = steps[-1].branches().values()
    assert chain[0].kwargs == {"level": 1.0}
    assert text.endswith("\n") or "\n]" not in text


def test_a_function_over_the_plate_gets_a_step_over_the_plate() -> None:
    text = with_step("", LIBRARY["estimate_illumination"])
    text = with_step(text, LIBRARY["divide_by_illumination"])
    first, second = load_pipeline(text).steps
    assert (type(first).__name__, type(second).__name__) == ("PlateStep", "FunctionStep")
    assert [step.name for step in outline_of(text).steps] == ["estimate_illumination", "divide_by_illumination"]
    assert [each.name for each in LIBRARY["divide_by_illumination"].parameters] == ["offset"]


def test_a_function_of_the_file_needs_no_import() -> None:
    text = "def mine(stack):\n    return stack\n"
    assert load_pipeline(with_step(text, own())).steps[0].name == "mine"


@pytest.mark.parametrize(
    ("text", "words"), [("pipeline_steps = [", "line 1"), ("pipeline_steps = make()\n", "not written as a list")]
)
def test_where_a_step_cannot_be_added(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        with_step(text, own())


def test_syntax_errors_have_a_place() -> None:
    assert syntax_problem("a = 1\n") is None
    assert syntax_problem("a = 1\nb = (2\nc = 3\n") == Problem("syntax error: '(' was never closed", 2, 5)
    found = syntax_problem("\0")
    assert found is not None
    assert found.line == 1
    assert outline_of("x = (").problem is not None


def test_what_a_compilation_says_has_a_place() -> None:
    steps = outline_of(builtin_source()).steps
    messages = [
        "pipeline.py:9: NameError: name 'x' is not defined",
        "C:\\data\\pipeline.py:10: entry 2 of pipeline_steps: bad",
        "step 4 'Measure', well B06: takes labels",
        "step 'Segment': bad",
        "step 9 'Gone': bad",
        "the pipeline has no enabled steps",
    ]
    assert [problem.line for problem in locate_problems(messages, steps)] == [9, 10, 23, 14, None, None]
    assert locate_problems(messages[:1], steps)[0].message == "NameError: name 'x' is not defined"


def test_templates_are_the_built_in_pipelines() -> None:
    assert read_templates() == {
        "Count nuclei": builtin_source(),
        "Nuclei, cells and cytoplasm": builtin_source(BuiltinPipeline.NUCLEI_CELLS_CYTOPLASM),
        "Spots in cells": builtin_source(BuiltinPipeline.SPOTS_IN_CELLS),
        "Cell Painting": builtin_source(BuiltinPipeline.CELL_PAINTING),
    }
    assert next(iter(read_templates())) == "Count nuclei"
