"""Edits of a pipeline's text that a list of steps makes: what they change, and that they change nothing else."""

from collections.abc import Callable

import pytest

from openhcs_gui_services.exceptions import PipelineTextError
from openhcs_gui_services.services.pipeline.channels import channel_choices
from openhcs_gui_services.services.pipeline.checks import check_text
from openhcs_gui_services.services.pipeline.components import components_of
from openhcs_gui_services.services.pipeline.docstrings import inline_html, plain, to_html
from openhcs_gui_services.services.pipeline.edits import (
    with_call,
    with_calls_in_order,
    with_channel,
    with_constant,
    with_keyword,
    with_step_copied,
    with_steps_in_order,
)
from openhcs_gui_services.services.pipeline.function_search import FunctionIndex
from openhcs_gui_services.services.pipeline.library import Library
from openhcs_gui_services.services.pipeline.new_step import with_step
from openhcs_gui_services.services.pipeline.step_form import read_library
from openhcs_gui_services.services.pipeline.summaries import step_summary
from openhcs_gui_services.services.pipeline.text import StepKind, outline_of
from openhcs_runtime.builtin import BuiltinPipeline, builtin_source
from openhcs_runtime.pipeline.source import load_pipeline

LIBRARY = Library(read_library())
INDEX = FunctionIndex(LIBRARY.functions)
INFOS = {info.name: info for info in LIBRARY.functions}
ONE_LINE = """from openhcs_runtime import FunctionStep
from openhcs_runtime.functions import clear_border, denoise, segment_nuclei

pipeline_steps = [FunctionStep(denoise), FunctionStep(segment_nuclei, name="Süß"), FunctionStep(clear_border)]
"""
COMMENTS = """from openhcs_runtime import FunctionStep
from openhcs_runtime.functions import denoise, segment_nuclei

pipeline_steps = [  # all of them
    # first, a comment with a comma, and one
    FunctionStep(denoise),  # smooth

    FunctionStep(
        segment_nuclei,  # the best
        name="Find",
    )  # last
    # the end
]
print(len(pipeline_steps))
"""
TEXTS = [*(builtin_source(name) for name in BuiltinPipeline), ONE_LINE, COMMENTS]


def _plain(text: str) -> str:
    """Return a text without spaces, and without the commas that may end an argument list."""
    return "".join(text.split()).replace(",)", ")")


def names(text: str) -> list[str]:
    return [step.name for step in load_pipeline(text).steps]


@pytest.mark.parametrize("text", TEXTS)
def test_every_edit_can_be_undone_by_its_opposite(text: str) -> None:
    steps = outline_of(text).steps
    there = [step.number for step in steps]
    last = with_steps_in_order(text, there)  # which adds a comma after the last step at most
    for step in steps:
        off = with_keyword(text, step.number, "enabled", "False")
        assert [each.enabled for each in load_pipeline(off).steps] == [each is not step for each in steps]
        assert _plain(with_keyword(off, step.number, "enabled", None)) == _plain(text)
        copied = with_step_copied(text, step.number)
        assert len(names(copied)) == len(steps) + 1
        kept = [number for number in range(1, len(steps) + 2) if number != step.number + 1]
        assert with_steps_in_order(copied, kept) == last
    turned = with_steps_in_order(text, there[::-1])
    assert names(turned) == names(text)[::-1]
    assert with_steps_in_order(turned, there[::-1]) == last


def test_comments_go_with_their_step() -> None:
    turned = with_steps_in_order(COMMENTS, [2, 1])
    found = turned[turned.index("[") :]
    assert found == (
        "[  # all of them\n\n    FunctionStep(\n        segment_nuclei,  # the best\n"
        '        name="Find",\n    ),  # last\n    # first, a comment with a comma, and one\n'
        "    FunctionStep(denoise),  # smooth\n    # the end\n]\nprint(len(pipeline_steps))\n"
    )
    assert with_steps_in_order(ONE_LINE, [3, 1]).endswith("[FunctionStep(clear_border), FunctionStep(denoise)]\n")
    assert with_steps_in_order(ONE_LINE, []).endswith("pipeline_steps = []\n")


def test_the_functions_of_a_step() -> None:
    text = builtin_source()
    more = with_call(text, 2, 0, INFOS["measure_texture"])
    chain = [call.name for call in load_pipeline(more).steps[1].branches()["nuclei"]]
    assert chain == ["segment_nuclei", "check_nuclei", "measure_texture"]
    fewer = with_calls_in_order(more, 2, 0, [2, 0])
    chain = [call.name for call in load_pipeline(fewer).steps[1].branches()["nuclei"]]
    assert chain == ["measure_texture", "segment_nuclei"]
    single = with_calls_in_order(more, 2, 0, [1])
    assert "{CHANNEL: check_nuclei}" in single
    assert "{CHANNEL: [check_nuclei, denoise]}" in with_call(single, 2, 0, INFOS["denoise"])
    assert "from openhcs_runtime.functions import (" in more  # the import got too long for a line


def test_the_channel_of_a_step() -> None:
    text = builtin_source()
    assert load_pipeline(with_channel(text, 3, 0, "2", "BY")).steps[2].branches().keys() == {"2"}
    everywhere = with_channel(text, 3, 0, None, "BY")
    step = load_pipeline(everywhere).steps[2]
    assert (step.is_dispatched, step.group_by) == (False, None)
    again = load_pipeline(with_channel(everywhere, 3, 0, "CHANNEL", "BY")).steps[2]
    assert again == load_pipeline(text).steps[2]
    two = "pipeline_steps = [FunctionStep({1: f, 2: g}, group_by='channel')]\n"
    with pytest.raises(PipelineTextError, match="several channels"):
        with_channel(two, 1, 0, None, "BY")
    choices = channel_choices(outline_of(text), {1: "DAPI", 2: ""})
    assert [(choice.source, choice.title) for choice in choices] == [
        (None, "All channels"),
        ("CHANNEL", "nuclei, found by name (CHANNEL)"),
        ("1", "1: DAPI"),
        ("2", "channel 2"),
    ]


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("measure_texture", "FunctionStep({NUCLEI: measure_texture}, group_by=BY)"),
        ("measure_features", 'FunctionStep(measure_features, variable_components=["channel"])'),
        ("find_quality_limits", "PlateStep(find_quality_limits)"),
        (
            "track_objects",
            'FunctionStep({NUCLEI: track_objects}, variable_components=["timepoint"], group_by=BY)',
        ),
        ("threshold_fixed", 'FunctionStep({NUCLEI: (threshold_fixed, {"level": 1.0})}, group_by=BY)'),
    ],
)
def test_a_new_step_has_the_channel_of_the_others(function: str, told: str) -> None:
    text = with_step(builtin_source("nuclei_cells_cytoplasm"), INFOS[function])
    assert f"    {told},\n]\n" in text
    assert len(load_pipeline(text).steps) == 7
    second = with_step(builtin_source("nuclei_cells_cytoplasm"), INFOS[function], after=2)
    assert outline_of(second).steps[2].calls[0].function == function


def test_settings_and_components() -> None:
    text = builtin_source()
    outline = outline_of(text)
    assert [(each.name, each.value, each.uses) for each in outline.constants] == [
        ("CHANNEL", "nuclei", 4),
        ("DIAMETER_UM", None, 1),
        ("DIAMETER_PX", None, 1),
    ]
    assert "found by its name" in outline.constants[0].comment
    assert components_of("Z", outline) == ("z_index",)
    assert components_of("[Component.SITE, 'channel']", outline) == ("site", "channel")
    assert components_of("wanted()", outline) is None
    assert 'CHANNEL = "DAPI"  # found' in with_constant(text, "CHANNEL", '"DAPI"')


def test_what_a_list_cannot_show_is_said() -> None:
    made = "pipeline_steps = [make(1), *more, FunctionStep(f)]\npipeline_steps += others\n"
    outline = outline_of(made)
    assert [(step.kind, step.name) for step in outline.steps] == [
        (StepKind.PYTHON, "make(1)"),
        (StepKind.PYTHON, "*more"),
        (StepKind.WELLS, "f"),
    ]
    assert outline.python_line == 2
    assert outline_of("pipeline_steps = [f(x) for x in y]\n").python_line == 1
    assert outline_of(builtin_source()).python_line is None
    assert with_steps_in_order(made, [3, 1]).startswith("pipeline_steps = [FunctionStep(f), make(1)]\n")
    with pytest.raises(PipelineTextError, match="written in Python"):
        with_keyword(made, 1, "enabled", "False")


def test_summaries() -> None:
    outline = outline_of(builtin_source("cell_painting"))
    told = [step_summary(step, outline, LIBRARY, {1: "DNA", 4: "AGP"}) for step in outline.steps]
    assert told[2] == "once for the whole plate · Estimate illumination"
    assert told[4] == "Nuclei, found by name: Segment nuclei, Check nuclei, Measure neighbours"
    assert told[5] == "4: AGP: Segment cells (factor 0.6)"
    step = outline_of("pipeline_steps = [FunctionStep((denoise, {'sigma_px': 2.0}), materialize=True)]").steps[0]
    assert step.title == "Denoise"
    by_site = outline_of("pipeline_steps = [FunctionStep({1: denoise}, group_by='site', name='A')]")
    assert step_summary(by_site.steps[0], by_site, LIBRARY, {1: "DNA"}) == "Site 1: Denoise"
    assert [choice.source for choice in channel_choices(by_site, {})] == [None]


Edit = Callable[[str], str]


@pytest.mark.parametrize(
    ("edit", "step", "words"),
    [
        (lambda text: text, None, ""),
        (lambda text: text.replace("max_projection}", "abs}"), None, ""),
        (lambda text: "from mine import *\n" + text.replace("max_projection}", "their_own}"), None, ""),
        (lambda text: text.replace("check_nuclei]", "chek_nuclei]"), 2, "did you mean check_nuclei?"),
        (lambda text: text.replace('"radius_px"', '"radius"'), 3, "no parameter radius: did you mean radius_px?"),
        (lambda text: text.replace('"nuclei"  #', '"Cy5"  #'), 1, "no channel 'Cy5': choose one of 1: DAPI"),
        (lambda text: text.replace(", group_by=BY", ""), 1, "group_by is missing"),
        (lambda text: with_keyword(text, 2, "enabled", "False"), 4, "add a step that finds objects before it"),
        (lambda text: with_step(text, INFOS["threshold_fixed"]).replace(', {"level": 1.0}', ", {}"), 5, "needs Level"),
        (lambda text: with_call(text, 1, 0, INFOS["estimate_illumination"]), 1, "write PlateStep"),
        (lambda text: text.replace("DIAMETER_PX}", 'DIAMETER_PX, "method": "best"}'), 2, "choose otsu, li, triangle"),
    ],
)
def test_checks_while_typing(edit: Edit, step: int | None, words: str) -> None:
    found = check_text(outline_of(edit(builtin_source())), LIBRARY, {1: "DAPI"})
    if step is None:
        assert not found
    else:
        assert (found[0].step, words in found[0].message) == (step, True), found


def test_every_template_passes_the_checks() -> None:
    channels = dict.fromkeys(range(1, 6), "")
    for name in BuiltinPipeline:
        assert not check_text(outline_of(builtin_source(name)), LIBRARY, channels)


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("spots", "detect_spots"),
        ("foci", "detect_spots"),
        ("nuclei", "segment_nuclei"),
        ("track", "track_objects"),
        ("migration", "track_objects"),
        ("shading", "correct_illumination"),
        ("subtract background", "subtract_background"),
        ("haralick", "measure_haralick"),
    ],
)
def test_functions_are_found_by_what_they_are_for(query: str, first: str) -> None:
    assert INDEX.find(query)[0].name == first


def test_functions_are_found_by_other_words() -> None:
    blur = {info.name for info in INDEX.find("blur")}
    assert {"denoise", "denoise_median"} <= blur
    count = {info.name for info in INDEX.find("count")[:6]}
    assert {"segment_nuclei", "detect_spots"} & count
    assert INDEX.find("") == list(LIBRARY.functions)
    assert INDEX.find("xyzzy") == []


def test_docstrings_are_text_for_readers() -> None:
    assert plain("Subtract ``radius_px``; the stack is passed on.") == "Subtract radius_px."
    assert inline_html("a < ``b<c>``") == "a &lt; <code>b&lt;c&gt;</code>"
    info = INFOS["detect_spots"]
    shown = to_html(info.help, [each.name for each in info.parameters])
    assert "<code>min_snr</code>: How far" in shown
    for hidden in ("`", "Returns", "ValueError", "pixel_size_um", "the stack is passed on"):
        assert hidden not in shown
    assert all(each.name not in {"shared_labels", "channels"} for each in INFOS["measure_features"].parameters)
