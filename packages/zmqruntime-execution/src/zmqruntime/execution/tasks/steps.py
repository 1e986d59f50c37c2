"""A step of a task as one value, for a report in a single argument."""

from typing import TypedDict

import msgspec

from zmqruntime.execution.tasks.amounts import Amount, Number, text_of
from zmqruntime.messages import ProgressPhase, ProgressStatus

__all__ = ["ProgressFields", "Step", "fields_of", "step_of"]


class Step(msgspec.Struct, frozen=True):
    """Where a task is: a step of one of its axes, and how much of that step is done.

    Make one for each step and report copies of it with another ``done``, or make a new one for each report.

    Attributes:
        name: Name of the step.
        index: Index of the step, from 0.
        of: Number of steps.
        done: Number of units of work that are done; rounded and limited as for :func:`report`.
        total: Number of units of work of the step; None if it is unknown.
        axis: Axis that the step belongs to, such as one of several files; empty for the whole task.
        message: Text for the user.
    """

    name: str
    index: int = 0
    of: int = 1
    done: float = 0
    total: float | None = None
    axis: str = ""
    message: str | None = None


class ProgressFields(TypedDict, total=False):
    """The fields of a progress update that a task fills in, except the total; see :meth:`Task.report`."""

    axis_id: str
    step_name: str
    step_index: int
    total_steps: int
    phase: ProgressPhase
    status: ProgressStatus
    completed: int
    pattern: str | None
    component: str | None
    message: str | None
    error: str | None
    traceback: str | None


def step_of(done: Number, total: Number | None, text: str) -> Step:
    """Return the step for a task that consists of a single one without a name."""
    return Step("", done=done, total=total, message=text or None)  # type: ignore[arg-type]  # rounded where it is sent


def fields_of(step: Step, amount: Amount) -> ProgressFields:
    """Return the fields of the progress update for a step, except its total.

    If the total is unknown, the number of completed units is part of the message.

    Raises:
        TypeError: Its message is not a text.
    """
    done, message = amount.done, text_of(step.message) or None
    if amount.total is None:
        done, message = 0, f"{amount.done:,}: {message}" if message else f"{amount.done:,} done"
    return ProgressFields(
        axis_id=step.axis,
        step_name=step.name,
        step_index=step.index,
        total_steps=step.of,
        phase=ProgressPhase.PATTERN_GROUP,
        status=ProgressStatus.RUNNING,
        completed=done,
        message=message,
    )
