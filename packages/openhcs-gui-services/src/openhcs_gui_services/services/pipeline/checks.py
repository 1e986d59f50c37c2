"""Checks of a pipeline while it is typed, from its text alone: nothing is run, and a compilation finds the rest."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from openhcs_gui_services.services.pipeline.components import is_by_channel
from openhcs_gui_services.services.pipeline.library import Library
from openhcs_gui_services.services.pipeline.problems import NUCLEI, Problem
from openhcs_gui_services.services.pipeline.step_form import FunctionInfo
from openhcs_gui_services.services.pipeline.text import CallEntry, PipelineOutline, StepEntry, StepKind

__all__ = ["check_text", "steps_by_channel"]

_LABELS: Final = {"labels", "shared_labels", "object_sets", "set_names"}
_FINDS: Final = "add a step that finds objects before it, such as Segment nuclei"


def check_text(outline: PipelineOutline, library: Library, channels: Mapping[int, str]) -> tuple[Problem, ...]:
    """Return the problems that can be seen in the text, each with its remedy.

    Args:
        outline: the pipeline.
        library: the functions.
        channels: channels of the plate, names by number; empty if no plate is shown.
    """
    if outline.problem is not None:
        return (outline.problem,)
    return tuple(_problems(outline, library, channels))


def steps_by_channel(outline: PipelineOutline) -> Mapping[str, int]:
    """Return the number of the first step that names a channel, by its name in lower case."""
    found: dict[str, int] = {}
    for step in outline.steps:
        if step.is_enabled and is_by_channel(step, outline):
            for branch in step.branches:
                value = None if branch.key is None else outline.value_of(branch.key)
                if value is not None:
                    found.setdefault(str(value).casefold(), step.number)
    return found


def _problems(outline: PipelineOutline, library: Library, channels: Mapping[int, str]) -> Iterator[Problem]:
    has_labels = False
    for step in outline.steps:
        if step.kind is StepKind.PYTHON:
            has_labels = True  # what it does is not known
            continue
        infos = [(call, library.info_of(call.function, outline)) for call in step.calls]
        if step.is_enabled:
            messages = [*_of_step(step, outline, channels)]
            for call, info in infos:
                messages += _of_call(call, info, step, outline, library)
                if info is not None and info.inputs & _LABELS and not has_labels:
                    messages.append(f"{call.title} needs objects, but no step before it finds any: {_FINDS}")
                has_labels = has_labels or info is None or bool(info.finds)
            yield from (Problem(message, step.line, step=step.number) for message in dict.fromkeys(messages))


def _of_step(step: StepEntry, outline: PipelineOutline, channels: Mapping[int, str]) -> Iterator[str]:
    keys = [branch.key for branch in step.branches if branch.key is not None]
    if keys and step.keywords.get("group_by", "None") == "None":
        yield 'the functions are given by channel, but group_by is missing: add group_by="channel"'
    if not step.calls:
        yield "the step has no function: add one"
    if not channels or not is_by_channel(step, outline):
        return
    known = {str(number) for number in channels} | {name.casefold() for name in channels.values()} | {NUCLEI}
    for key in keys:
        value = outline.value_of(key)
        if value is not None and str(value).casefold() not in known:
            listed = ", ".join(f"{number}: {name}" if name else str(number) for number, name in channels.items())
            yield f"the plate has no channel {value!r}: choose one of {listed}"


def _of_call(
    call: CallEntry, info: FunctionInfo | None, step: StepEntry, outline: PipelineOutline, library: Library
) -> Iterator[str]:
    if info is None:
        if library.is_missing(call.function, outline):
            name = call.function.rpartition(".")[2]
            likely = _likely(name, [each.name for each in library.functions_for(outline)])
            yield f"there is no function {call.function}: {likely or 'import it, or define it above'}"
        return
    if info.is_over_plate is not (step.kind is StepKind.PLATE):
        yield (
            f"{info.title} works on the whole plate: write PlateStep instead of FunctionStep"
            if info.is_over_plate
            else f"{info.title} works on wells: write FunctionStep instead of PlateStep"
        )
    if call.is_editable:
        yield from _of_arguments(call, info, outline)


def _of_arguments(call: CallEntry, info: FunctionInfo, outline: PipelineOutline) -> Iterator[str]:
    known = {each.name: each for each in info.parameters}
    for name, source in call.arguments.items():
        if name in info.inputs:
            yield f"{info.title}: {name} is set by the program: remove it"
        elif name not in known:
            likely = _likely(name, list(known))
            yield f"{info.title} has no parameter {name}: {likely or 'remove it'}"
        elif known[name].choices:
            value = outline.value_of(source)
            if value is not None and value not in known[name].choices:
                choices = ", ".join(str(choice) for choice in known[name].choices if choice is not None)
                yield f"{info.title}: {known[name].label} can't be {value!r}: choose {choices}"
    for parameter in info.parameters:
        if parameter.is_required and parameter.name not in call.arguments:
            yield f"{info.title} needs {parameter.label}: set it in the form"


def _likely(name: str, known: Sequence[str]) -> str:
    found = difflib.get_close_matches(name, known, 1)
    return f"did you mean {found[0]}?" if found else ""
