"""One line for each step of a list: its channel, its functions with what differs from the defaults, what it saves."""

from collections.abc import Mapping
from typing import Final

from openhcs_gui_services.services.pipeline.channels import branch_title
from openhcs_gui_services.services.pipeline.library import Library
from openhcs_gui_services.services.pipeline.step_form import in_words
from openhcs_gui_services.services.pipeline.text import CallEntry, PipelineOutline, StepEntry, StepKind

__all__ = ["step_summary"]

_BETWEEN: Final = " · "


def step_summary(step: StepEntry, outline: PipelineOutline, library: Library, names: Mapping[int, str]) -> str:
    """Return the line below the title of a step.

    Args:
        step: the step.
        outline: the pipeline.
        library: the functions.
        names: the channels of the plate by number.
    """
    if step.kind is StepKind.PYTHON:
        return "written in Python; edit it there"
    parts = ["once for the whole plate"] if step.kind is StepKind.PLATE else []
    is_title_enough = not step.is_named
    for branch in step.branches:
        told = [_call(call, outline, library, is_title_enough=is_title_enough) for call in branch.calls]
        words = ", ".join(word for word in told if word)
        where = "" if step.kind is StepKind.PLATE else branch_title(step, branch, outline, names)
        parts.append(": ".join(part for part in (where[:1].upper() + where[1:], words) if part))
    if step.keywords.get("materialize") == "True":
        parts.append("saves images")
    if step.keywords.get("keep", "None") not in ("None", "False"):
        parts.append("kept for later runs")
    return _BETWEEN.join(parts)


def _call(call: CallEntry, outline: PipelineOutline, library: Library, *, is_title_enough: bool) -> str:
    info = library.info_of(call.function, outline)
    known = {} if info is None else {each.name: each for each in info.parameters}
    told = []
    for name, source in call.arguments.items():
        value = _value(source, outline)
        if value:
            parameter = known.get(name)
            words, unit = (in_words(name), "") if parameter is None else (parameter.words, parameter.unit)
            told.append(f"{words.lower()} {value} {unit}".rstrip())
    arguments = ", ".join(told)
    if is_title_enough:
        return arguments
    return f"{call.title} ({arguments})" if arguments else call.title


def _value(source: str, outline: PipelineOutline) -> str:
    """Return a value as people write it; "" for None, which is the default of all parameters that allow it."""
    value = outline.value_of(source)
    if value is None:
        return "" if source == "None" or outline.constant(source) else source
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
