"""Positions of problems in a pipeline's text: syntax errors, and compilation messages that name a line or a step."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

from openhcs_runtime.pipeline.parsing import parse_python

__all__ = ["NUCLEI", "Problem", "locate_problems", "syntax_problem"]

NUCLEI: Final = "nuclei"
"""The name of a channel that stands for the one that shows nuclei."""
_AT_LINE: Final = re.compile(r"^(?P<name>[^:\n]*(?::\\[^:\n]*)?):(?P<line>\d+):\s*(?P<rest>.*)", re.DOTALL)
_OF_STEP: Final = re.compile(r"^step (?P<number>\d+)\b")
_OF_CHANNEL: Final = re.compile(r"^(?:the plate has no channel|channels [\d, ]+ are all named) '(?P<name>[^']*)'")
_OF_NUCLEI: Final = re.compile(r"^(?:no channel name indicates nuclei|several channels may show nuclei)\b")
_WHICH_STEP: Final = re.compile(r"^step (?:\d+ )?'[^']*'[:,] ")
_OF_NAMED_STEP: Final = re.compile(r"^step '(?P<name>[^']*)'")


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem; ``line``, ``column`` and ``step`` count from 1 and are None if they are not known."""

    message: str
    line: int | None = None
    column: int | None = None
    step: int | None = None

    @property
    def short(self) -> str:
        """The message without the step that it begins with, for a place where that is known."""
        return _WHICH_STEP.sub("", self.message)


class NumberedStep(Protocol):
    """A step with the attributes that are needed to locate it."""

    @property
    def number(self) -> int:
        """Number of the step, from 1."""

    @property
    def name(self) -> str:
        """Name of the step in messages."""

    @property
    def line(self) -> int:
        """First line of the step, from 1."""

    @property
    def end_line(self) -> int:
        """Last line of the step, from 1."""


def syntax_problem(text: str) -> Problem | None:
    """Return the first syntax error of a text; None if there is none. The text is not run."""
    try:
        parse_python(text)
    except SyntaxError as error:
        last = text.count("\n") + 1
        return Problem(f"syntax error: {error.msg}", min(max(1, error.lineno or 1), last), error.offset or None)
    except ValueError as error:
        return Problem(f"not Python: {error}", 1)
    return None


def locate_problems(
    messages: Iterable[str], steps: Sequence[NumberedStep], by_channel: Mapping[str, int] = MappingProxyType({})
) -> tuple[Problem, ...]:
    """Return the messages of a compilation with their lines.

    Args:
        messages: the messages; those with a position start with ``pipeline.py:12:``, ``step 2 ...`` or ``step 'name'``.
        steps: the steps of the text.
        by_channel: the number of the first step that names a channel, by its name in lower case.

    Returns:
        One problem for each message, in the same order.
    """
    return tuple(_located(message, steps, by_channel) for message in messages)


def _located(message: str, steps: Sequence[NumberedStep], by_channel: Mapping[str, int]) -> Problem:
    if (found := _AT_LINE.match(message)) is not None:
        line = int(found["line"])
        at = next((step.number for step in steps if step.line <= line <= step.end_line), None)
        return Problem(found["rest"], line, step=at)
    if (found := _OF_STEP.match(message)) is not None:
        number = int(found["number"])
        return _at_step(message, next((step for step in steps if step.number == number), None))
    if (found := _OF_NAMED_STEP.match(message)) is not None:
        named = found["name"]
        return _at_step(message, next((step for step in steps if step.name == named), None))
    number_of = by_channel.get(_channel_of(message), 0)
    return _at_step(message, next((step for step in steps if step.number == number_of), None))


def _channel_of(message: str) -> str:
    """Return the channel that a message is about, in lower case; "" if it is about none."""
    if _OF_NUCLEI.match(message):
        return NUCLEI
    found = _OF_CHANNEL.match(message)
    return found["name"].casefold() if found else ""


def _at_step(message: str, step: NumberedStep | None) -> Problem:
    return Problem(message) if step is None else Problem(message, step.line, step=step.number)
