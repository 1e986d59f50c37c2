"""The parameters of a sweep and the combinations of their values."""

import ast
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.tasks import PlateTask, Setting

MOST_RUNS = 200


@dataclass(frozen=True, slots=True)
class SweepParameter:
    """A parameter with the values to try.

    Attributes:
        name: the parameter, as in ``Setting``.
        texts: the values, as Python literals or plain texts.
    """

    name: str
    texts: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "SweepParameter":
        """Parse ``NAME=VALUE,VALUE,...``; a value with commas is written as a Python literal.

        Raises:
            PipelineError: it is something else, or a value is there twice.
        """
        setting = Setting.parse(text)
        texts = _values(setting.text)
        if len(set(texts)) < len(texts) or not all(texts):
            raise PipelineError(f"{text!r} has an empty value, or a value twice; give each value once, as in 8,10,12")
        return cls(setting.name, texts)

    def __str__(self) -> str:
        return f"{self.name}={','.join(self.texts)}"


@dataclass(frozen=True, slots=True)
class Combination:
    """The values of one run of a sweep; their text names the run."""

    settings: tuple[Setting, ...]

    def __str__(self) -> str:
        return " ".join(map(str, self.settings))

    def task(self, task: PlateTask) -> PlateTask:
        """Return the task of the run.

        Args:
            task: what all runs of the sweep have in common.
        """
        swept = tuple(setting.name for setting in self.settings)
        return msgspec.structs.replace(task, settings=(*task.settings, *self.settings), swept=swept)


def combinations(parameters: Sequence[SweepParameter]) -> tuple[Combination, ...]:
    """Return all combinations of the values, the last parameter changing fastest.

    Raises:
        PipelineError: a parameter is there twice, or there are too many combinations.
    """
    names = [parameter.name for parameter in parameters]
    if len(set(names)) < len(names):
        raise PipelineError("a parameter is swept twice: give all its values at once, as in diameter_um=8,10,12")
    values = [[Setting(parameter.name, text) for text in parameter.texts] for parameter in parameters]
    found = tuple(Combination(settings) for settings in itertools.islice(itertools.product(*values), MOST_RUNS + 1))
    if len(found) > MOST_RUNS:
        raise PipelineError(f"the sweep has more than {MOST_RUNS} runs: give fewer values")
    return found


def _values(text: str) -> tuple[str, ...]:
    """Return the texts of literals separated by commas, or else of texts separated by commas."""
    try:
        tree = ast.parse(f"[{text}]", mode="eval").body
        ast.literal_eval(tree)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return tuple(part.strip() for part in text.split(","))
    assert isinstance(tree, ast.List)
    return tuple(map(ast.unparse, tree.elts))
