"""Where in a pipeline's text a problem is: syntax errors at once, and what the compile service says by line or step."""

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

__all__ = ["Problem", "locate_problems", "syntax_problem"]

_AT_LINE: Final = re.compile(r"^(?P<name>[^:\n]*(?::\\[^:\n]*)?):(?P<line>\d+):\s*(?P<rest>.*)", re.DOTALL)
_OF_STEP: Final = re.compile(r"^step (?P<number>\d+)\b")
_OF_NAMED_STEP: Final = re.compile(r"^step '(?P<name>[^']*)'")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong. ``line`` and ``column`` count from 1; None where the message does not say."""

    message: str
    line: int | None = None
    column: int | None = None


class NumberedStep(Protocol):
    """What has to be known of a step to find it."""

    @property
    def number(self) -> int:
        """From 1."""

    @property
    def name(self) -> str:
        """As messages call it."""

    @property
    def line(self) -> int:
        """Where it begins, from 1."""


def syntax_problem(text: str) -> Problem | None:
    """The first syntax error of a text; None when it has none. Nothing is run."""
    try:
        ast.parse(text)
    except SyntaxError as error:
        last = text.count("\n") + 1
        return Problem(f"syntax error: {error.msg}", min(max(1, error.lineno or 1), last), error.offset or None)
    except ValueError as error:
        return Problem(f"not Python: {error}", 1)
    return None


def locate_problems(messages: Iterable[str], steps: Sequence[NumberedStep]) -> tuple[Problem, ...]:
    """What the compile service says, each with its line: messages begin ``pipeline.py:12:`` or ``step 2 ...:``."""
    return tuple(_located(message, steps) for message in messages)


def _located(message: str, steps: Sequence[NumberedStep]) -> Problem:
    if (found := _AT_LINE.match(message)) is not None:
        return Problem(found["rest"], int(found["line"]))
    if (found := _OF_STEP.match(message)) is not None:
        number = int(found["number"])
        return Problem(message, next((step.line for step in steps if step.number == number), None))
    if (found := _OF_NAMED_STEP.match(message)) is not None:
        named = found["name"]
        return Problem(message, next((step.line for step in steps if step.name == named), None))
    return Problem(message)
