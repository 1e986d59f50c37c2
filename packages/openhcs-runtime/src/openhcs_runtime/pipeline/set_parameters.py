"""Sets parameters of the functions in a pipeline by name, as ``run --set segment_nuclei.diameter_um=12`` does."""

import ast
import contextlib
import dataclasses
import difflib
import enum
import inspect
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.pipeline.decorators import StepFunction, traits_of
from openhcs_runtime.pipeline.plate_step import Step
from openhcs_runtime.pipeline.source import Pipeline
from openhcs_runtime.pipeline.step import FunctionCall, FunctionStep
from openhcs_runtime.tasks import Setting

_NAMED_KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_MOST_LISTED = 12
_NAMES = {int: "a whole number", float: "a number", bool: "True or False", str: "a text", type(None): "None"}


def with_settings(pipeline: Pipeline, settings: Iterable[Setting]) -> Pipeline:
    """Return the pipeline with other values of parameters.

    The name of a setting is a parameter, after the function or the step that has it: ``segment_nuclei.diameter_um``.
    Where that is not unique, it is ``STEP.FUNCTION.PARAMETER``, with the name or the number of the step; where only one
    function has the parameter, its name alone is enough. Steps that are not enabled are left out.

    Args:
        pipeline: the pipeline.
        settings: the settings; of several with the same meaning the last one counts.

    Raises:
        PipelineError: names that do not exist or are not unique, and values that don't fit the parameter; the message
            has a line for each.
    """
    given = tuple(settings)
    if not given:
        return pipeline
    places = list(_places(pipeline.steps))
    problems: list[str] = []
    chosen: list[tuple[_Place, str, Any]] = []
    for setting in given:
        try:
            found, parameter = _find(places, setting)
            chosen += [(place, parameter, place.value_of(parameter, setting)) for place in found]
        except PipelineError as error:
            problems += error.problems
    if problems:
        raise PipelineError(problems)
    steps = list(pipeline.steps)
    for place, parameter, value in chosen:
        step = steps[place.number - 1]
        func: Any = _changed(step.func, place.call.function, {parameter: value})
        steps[place.number - 1] = dataclasses.replace(step, func=func)
    return dataclasses.replace(pipeline, steps=tuple(steps), settings=(*pipeline.settings, *given))


def steps_before(pipeline: Pipeline, names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the steps over wells that come right before those that have these parameters.

    Args:
        pipeline: the pipeline.
        names: names of parameters, as in ``with_settings``.

    Raises:
        PipelineError: a name does not exist or is not unique.
    """
    places = list(_places(pipeline.steps))
    found: dict[str, None] = {}
    for name in names:
        number = min(place.number for place in _find(places, Setting(name, ""))[0])
        before = [step for step in pipeline.steps[: number - 1] if step.enabled]
        if before and isinstance(before[-1], FunctionStep):
            found[before[-1].name] = None
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Place:
    """A function in a step of a pipeline.

    Attributes:
        number: number of the step, from 1.
        step: name of the step.
        call: the function with the arguments that it has now.
    """

    number: int
    step: str
    call: FunctionCall

    @property
    def names(self) -> tuple[str, ...]:
        """What it is called before the name of a parameter, the shortest first."""
        function = self.call.name
        return function, self.step, str(self.number), f"{self.step}.{function}", f"{self.number}.{function}"

    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """Return the parameters that a step can give, with those that it gives."""
        engine = {kind.value for kind in traits_of(self.call.function).inputs}
        known = list(_signature(self.call.function).values())[1:]
        declared = {each.name: each for each in known if each.kind in _NAMED_KINDS and each.name not in engine}
        more = {name: inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in self.call.kwargs}
        return {**more, **declared}

    def takes(self, parameter: str) -> bool:
        """Return whether it has a parameter, or takes any."""
        any_name = (each.kind is inspect.Parameter.VAR_KEYWORD for each in _signature(self.call.function).values())
        return parameter in self.parameters() or any(any_name)

    def value_of(self, parameter: str, setting: Setting) -> Any:
        """Return the value of a setting for a parameter.

        Raises:
            PipelineError: the parameter does not take such a value.
        """
        declared = self.parameters().get(parameter)
        if declared is None:
            return _literal(setting.text)
        wanted = _wanted(self.call.function, declared)
        for value in (_literal(setting.text), setting.text):
            with contextlib.suppress(msgspec.ValidationError):
                return _converted(value, wanted)
        raise PipelineError(f"{setting.name}={setting.text}: {parameter} takes {_described(wanted)}")


def _places(steps: Sequence[Step]) -> Iterator[_Place]:
    """Yield each function once for each step that it is in."""
    for number, step in enumerate(steps, start=1):
        known: list[StepFunction] = []
        for call in (call for chain in step.branches().values() for call in chain) if step.enabled else ():
            if not any(call.function is function for function in known):
                known.append(call.function)
                yield _Place(number, step.name, call)


def _find(places: Sequence[_Place], setting: Setting) -> tuple[list[_Place], str]:
    """Return the functions that a setting is for, and the parameter."""
    target, _, parameter = setting.name.rpartition(".")
    named = [place for place in places if target in place.names] if target else places
    if not named:
        known = list(dict.fromkeys(name for place in places for name in place.names[:2]))
        raise PipelineError(
            f"{setting.name}: the pipeline has no function or step {target!r}: {_choose(target, known)}"
        )
    found = [place for place in named if place.takes(parameter) and (target or parameter in place.parameters())]
    if not found:
        known = list(dict.fromkeys(name for place in named for name in place.parameters()))
        whose = f"{target} has no" if target else "no function of the pipeline has an"
        raise PipelineError(f"{setting.name}: {whose} argument {parameter!r}: {_choose(parameter, known)}")
    if len(found) > 1:
        names = [f"{_unique_name(place, places)}.{parameter}" for place in found]
        raise PipelineError(f"{setting.name}: several functions have it: choose {' or '.join(names)}")
    return found, parameter


def _unique_name(place: _Place, places: Sequence[_Place]) -> str:
    others = {name for other in places if other is not place for name in other.names}
    return next((name for name in place.names if name not in others), place.names[-1])


def _choose(name: str, known: Sequence[str]) -> str:
    """Say what exists, the most similar first."""
    close = difflib.get_close_matches(name, known, 1, 0.5)
    more = f" and {len(known) - _MOST_LISTED} more" if len(known) > _MOST_LISTED else ""
    meant = f"did you mean {close[0]!r}? " if close else ""
    return f"{meant}choose among {', '.join(known[:_MOST_LISTED]) or 'none'}{more}"


def _changed(form: Any, function: StepFunction, arguments: Mapping[str, Any]) -> Any:
    """Return the ``func`` of a step with other arguments of one of its functions."""
    if isinstance(form, Mapping):
        return {key: _changed(value, function, arguments) for key, value in form.items()}
    if callable(form):
        return (form, dict(arguments)) if form is function else form
    if isinstance(form, tuple) and len(form) == 2 and isinstance(form[1], Mapping):
        return (form[0], {**form[1], **arguments}) if form[0] is function else form
    return [_changed(part, function, arguments) for part in form]


def _signature(function: StepFunction) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # some functions written in C have none
        return {}


def _literal(text: str) -> Any:
    """Return a Python literal as its value, and anything else as text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def _wanted(function: StepFunction, parameter: inspect.Parameter) -> Any:
    """Return the type of a parameter by its annotation, or else by its default; ``Any`` if neither says it."""
    hints: Mapping[str, Any] = {}
    with contextlib.suppress(Exception):  # an annotation may be any code
        hints = typing.get_type_hints(function)
    declared = hints.get(parameter.name, parameter.annotation)
    if declared is not inspect.Parameter.empty and not isinstance(declared, str):
        return declared
    default = parameter.default
    if isinstance(default, bool | str):
        return type(default)
    return float if isinstance(default, int | float) else Any


def _converted(value: Any, wanted: Any) -> Any:
    """Return a value if it is of a type; as a member of an enumeration if that is what is wanted.

    Raises:
        msgspec.ValidationError: it is not of the type.
    """
    try:
        converted = msgspec.convert(value, type=wanted, dec_hook=_leave_to_function)
    except (TypeError, _NoLiteralsError):
        return value
    return converted if isinstance(converted, enum.Enum) else value


class _NoLiteralsError(Exception):
    """A type such as an array or a path has no literals: whether a value fits is left to the function."""


def _leave_to_function(wanted: type, value: object) -> object:
    raise _NoLiteralsError(wanted, value)


def _described(wanted: Any) -> str:
    if typing.get_origin(wanted) is typing.Literal:
        return " or ".join(map(repr, typing.get_args(wanted)))
    if typing.get_origin(wanted) in (typing.Union, types.UnionType):
        return " or ".join(map(_described, typing.get_args(wanted)))
    if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        return " or ".join(repr(member.value) for member in wanted)
    return _NAMES.get(wanted) or str(getattr(wanted, "__name__", wanted))
