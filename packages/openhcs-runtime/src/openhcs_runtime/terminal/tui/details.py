"""The details of a well: its state, its steps, and why it failed."""

from collections.abc import Sequence

from rich.text import Text

from openhcs_runtime.terminal.bars import WELL_STYLES, WELL_WORDS, well_text
from openhcs_runtime.terminal.tui.steps import StepView
from zmqruntime.execution import AxisProgress, AxisState
from zmqruntime.execution.text import duration

__all__ = ["well_details"]

_SIGNS = {
    AxisState.WAITING: ("·", "dim"),
    AxisState.RUNNING: (">", "cyan"),
    AxisState.COMPLETE: ("■", "green"),
    AxisState.FAILED: ("×", "red"),  # noqa: RUF001  the same sign as in the grid
    AxisState.CANCELLED: ("-", "yellow"),
}


def well_details(well: AxisProgress, steps: Sequence[StepView], traceback: str) -> Text:
    """Return the details of a well."""
    style = WELL_STYLES[well.state]
    short = WELL_WORDS[well.state] if well.state is AxisState.FAILED else well_text(well)
    text = Text.assemble((well.axis_id, "bold"), "  ", (short, style), f"  {int(well.fraction * 100)} %\n\n")
    for step in steps:
        sign, colour = _SIGNS[step.state]
        text.append(f"{sign} ", colour)
        text.append(step.name, "" if step.state is not AxisState.WAITING else "dim")
        text.append(f"  {_how_far(step)}\n", "dim")
    if well.error:
        text.append(f"\n{well.error}\n", "red")
    if traceback:
        text.append(f"\n{traceback}", "dim")
    return text


def _how_far(step: StepView) -> str:
    if step.state is AxisState.WAITING:
        return ""
    groups = f"{step.completed} of {step.total}" if step.total > 1 else ""
    took = "" if step.seconds is None else duration(step.seconds)
    return "  ".join(part for part in (groups, took) if part)
