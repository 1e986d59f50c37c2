"""What a step has in addition to its functions, as parameters of a form: name, images, what it saves, resources."""

import re
from collections.abc import Mapping
from typing import Final

from openhcs_gui_services.services.pipeline.step_form import FunctionInfo, ParameterKind, StepParameter
from openhcs_gui_services.services.pipeline.text import PLATE_STEP, STEP, PipelineOutline, StepEntry, StepKind

__all__ = ["MORE_SETTINGS", "PLATE_STEP_SETTINGS", "STEP_SETTINGS", "settings_info", "settings_of"]

_MEMBER: Final = re.compile(r"(?:\w+\.)*(?:InputSource|Keep)\.([A-Z_]+)")

_NAME: Final = StepParameter(
    "name", ParameterKind.TEXT, "", help="Shown in progress and messages; by default it is made from the functions."
)
STEP_SETTINGS: Final = (
    _NAME,
    StepParameter(
        "input_source",
        ParameterKind.CHOICE,
        "previous_step",
        choices=("previous_step", "plate"),
        title="Works on",
        help="The images to work on: those that the step before returns, or those of the plate again.",
    ),
    StepParameter(
        "materialize",
        ParameterKind.SWITCH,
        default=False,
        help="Save the images that this step returns, as TIFF in the results.",
        title="Save images",
    ),
    StepParameter(
        "keep",
        ParameterKind.CHOICE,
        None,
        choices=(None, "images", "labels"),
        title="Keep for later runs",
        none_title="nothing",
        help="Keep the result of this step: a later run in which only later steps differ begins after it.",
    ),
)
MORE_SETTINGS: Final = (
    StepParameter(
        "stream",
        ParameterKind.SWITCH,
        default=False,
        help="Show the images of this step in the viewer as they appear, if the run has one.",
        title="Show live",
    ),
    StepParameter(
        "gpu",
        ParameterKind.NUMBER,
        default=0.0,
        title="GPU",
        help="Share of a GPU that a well uses: 1 for a whole one, 0.5 if two wells can use it at a time.",
    ),
    StepParameter("memory", ParameterKind.LITERAL, None, help='Memory that a well needs at most, such as "4 GB".'),
    StepParameter(
        "threads", ParameterKind.INTEGER, None, help="Threads of the numeric libraries for each well.", is_optional=True
    ),
)
PLATE_STEP_SETTINGS: Final = (_NAME,)


def settings_info(step: StepEntry, *, more: bool = False) -> FunctionInfo:
    """Return the settings of a step as the parameters of a form; the rarer ones with ``more``."""
    if step.kind is StepKind.PLATE:
        return FunctionInfo(PLATE_STEP, "", "", "", "", () if more else PLATE_STEP_SETTINGS)
    return FunctionInfo(STEP, "", "", "", "", MORE_SETTINGS if more else STEP_SETTINGS)


def settings_of(step: StepEntry, outline: PipelineOutline) -> Mapping[str, str]:
    """Return the source of each setting, with members of enums as the strings that they stand for."""
    found: dict[str, str] = {}
    for name, written in step.keywords.items():
        source = outline.aliases.get(written, written) if outline.constant(written) is None else written
        member = _MEMBER.fullmatch(source)
        found[name] = f'"{member[1].lower()}"' if member else source
    if found.get("keep") in ("True", "False"):
        found["keep"] = '"images"' if found["keep"] == "True" else "None"
    return found
