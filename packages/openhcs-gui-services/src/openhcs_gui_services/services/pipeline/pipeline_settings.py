"""The settings that the steps of a pipeline share, as parameters of a form."""

from collections.abc import Mapping
from typing import Final

from openhcs_gui_services.services.pipeline.channels import written_channels
from openhcs_gui_services.services.pipeline.step_form import FunctionInfo, ParameterKind, StepParameter
from openhcs_gui_services.services.pipeline.text import Constant, PipelineOutline

__all__ = ["constants_info"]

_NUCLEI: Final = "nuclei"


def constants_info(outline: PipelineOutline, names: Mapping[int, str]) -> tuple[FunctionInfo, Mapping[str, str]]:
    """Return the settings as parameters, which all have to be given, and the source of each.

    Args:
        outline: the pipeline.
        names: the channels of the plate by number, which are the choices of settings that name a channel.
    """
    keys = set(written_channels(outline))
    parameters = tuple(_parameter(each, names if each.name in keys else None) for each in outline.constants)
    return FunctionInfo("settings", "", "", "", "", parameters), {each.name: each.source for each in outline.constants}


def _parameter(constant: Constant, names: Mapping[int, str] | None) -> StepParameter:
    if names is not None:
        channels = [name or number for number, name in names.items()]
        choices = tuple(dict.fromkeys([constant.value, _NUCLEI, *channels]))
        kind = ParameterKind.CHOICE
    else:
        choices, kind = (), _kind(constant.value)
    return StepParameter(constant.name, kind, None, is_required=True, choices=choices, help=_help(constant))


def _kind(value: object) -> ParameterKind:
    if isinstance(value, bool):
        return ParameterKind.SWITCH
    if isinstance(value, str):
        return ParameterKind.TEXT
    # A length may become a number where it was None.
    return ParameterKind.NUMBER if isinstance(value, float) else ParameterKind.LITERAL


def _help(constant: Constant) -> str:
    used = f"Used {constant.uses} times." if constant.uses != 1 else "Used once."
    comment = constant.comment[:1].upper() + constant.comment[1:]
    return f"{comment.rstrip('.')}. {used}" if comment else used
