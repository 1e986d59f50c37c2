"""How a new step is written: with the channel and the components that the other steps of the pipeline have."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from openhcs_gui_services.services.pipeline.components import is_by_channel
from openhcs_gui_services.services.pipeline.edits import with_entry
from openhcs_gui_services.services.pipeline.step_form import FunctionInfo
from openhcs_gui_services.services.pipeline.text import (
    PLATE_STEP,
    STEP,
    PipelineOutline,
    StepEntry,
    StepKind,
    outline_of,
)

__all__ = ["StepImages", "group_by_source", "images_for", "with_step"]

_BY_CHANNEL: Final = '"channel"'
_CHANNELS: Final = {"channels", "object_sets"}
"""What a function takes from the engine if its stack is to have all channels of a site."""


@dataclass(frozen=True, slots=True)
class StepImages:
    """The images that a step works on, as source: its channel (None for all), ``group_by``, ``variable_components``."""

    channel: str | None = None
    group_by: str | None = None
    variable_components: str | None = None


def with_step(text: str, info: FunctionInfo, after: int | None = None) -> str:
    """Return the text with an additional step, and with the imports that it needs.

    It works on the channel that the other steps name. Required arguments are written with a placeholder value.

    Args:
        text: the text.
        info: the function of the new step.
        after: number of the step that it follows [default: the last one].

    Raises:
        PipelineTextError: the text has a syntax error, or ``pipeline_steps`` is not written as a list.
    """
    outline = outline_of(text)
    images = images_for(info, outline, after)

    def make(call: str) -> str:
        func = call if images.channel is None else f"{{{images.channel}: {call}}}"
        given = {"variable_components": images.variable_components, "group_by": images.group_by}
        told = "".join(f", {name}={source}" for name, source in given.items() if source is not None)
        return f"{PLATE_STEP if info.is_over_plate else STEP}({func}{told})"

    return with_entry(text, info, make, after)


def images_for(info: FunctionInfo, outline: PipelineOutline, after: int | None = None) -> StepImages:
    """Return the images that a new step with this function is for.

    Args:
        info: the function.
        outline: the pipeline.
        after: number of the step that it follows [default: the last one].
    """
    if info.is_over_plate:
        return StepImages()
    if info.inputs >= _CHANNELS:
        return StepImages(variable_components='["channel"]')
    named = [step for step in outline.steps if step.kind is StepKind.WELLS and is_by_channel(step, outline)]
    model = _model(info, [step for step in named if after is None or step.number <= after]) or _model(info, named)
    if model is None:
        return StepImages()
    components = model.keywords.get("variable_components")
    if "timepoints" in info.inputs:
        components = '["timepoint"]'
    key = next((branch.key for branch in model.branches if branch.key is not None), None)
    return StepImages(key, model.keywords.get("group_by", _BY_CHANNEL), components)


def group_by_source(outline: PipelineOutline) -> str:
    """Return how the pipeline writes that a step is by channel."""
    written = (step.keywords.get("group_by") for step in outline.steps if is_by_channel(step, outline))
    return next((source for source in written if source), _BY_CHANNEL)


def _model(info: FunctionInfo, named: Sequence[StepEntry]) -> StepEntry | None:
    """Return the step whose channel a new one takes: the last of those that name one.

    A function that needs labels prefers the last step with one channel, as those with several measure other things.
    """
    single = [step for step in named if len(step.branches) == 1]
    wanted = single if "labels" in info.inputs and single else named
    return wanted[-1] if wanted else None
