"""Checks of a pipeline against the images of a plate, without reading them; pure functions."""

import contextlib
import importlib
import inspect
import os
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from openhcs_runtime.components import Component, ImageKey, well_position
from openhcs_runtime.pipeline.decorators import FunctionTraits, InputKind, OutputKind, StepFunction, traits_of
from openhcs_runtime.pipeline.local_imports import MODULE_PREFIX
from openhcs_runtime.pipeline.patterns import group_images, reduced_key, shared_key
from openhcs_runtime.pipeline.source import file_of_function
from openhcs_runtime.pipeline.step import FunctionCall, FunctionStep, InputSource

_STACK_BUILTINS: tuple[StepFunction, ...] = (abs, pow)
"""The only Python built-ins that return an array for an array."""
_NO_STACKS = {"None", "bool", "bytes", "dict", "float", "int", "list", "set", "str"}
"""Return annotations of functions that do not return a stack."""
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

NO_IMAGES = "does not apply to any image of this well"
"""A problem of a step, unless the step chooses among wells."""


def step_problems(step: FunctionStep, components: Mapping[Component, Sequence[str | int]]) -> Iterator[str]:
    """Yield a line for each problem of a step on a plate with these component values."""
    if Component.WELL in step.variable_components:
        yield "variable_components can't include well: wells are processed one by one"
    if len(set(step.variable_components)) < len(step.variable_components):
        yield "variable_components contains a component twice"
    if step.is_dispatched and step.group_by is None:
        yield "func is a dict, so group_by must name the component of its keys"
    if step.group_by in step.variable_components:
        yield f"group_by {step.group_by} is in variable_components: it has several values in one stack"
    elif step.group_by is not None and step.is_dispatched:
        yield from _dispatch_problems(step, step.group_by, components[step.group_by])
    for chain in step.branches().values():
        for call in chain:
            yield from call_problems(call)


def call_problems(call: FunctionCall) -> Iterator[str]:
    """Yield a line for each problem of a call and its arguments."""
    kind = _no_step_function(call.function)
    if kind is not None:
        yield f"{call.name} {kind}: a function has to take a stack (n, Y, X) and return one"
        return
    try:
        signature = inspect.signature(call.function)
    except (TypeError, ValueError):
        return  # some functions written in C have no signature
    if not any(
        parameter.kind in _POSITIONAL or parameter.kind is inspect.Parameter.VAR_POSITIONAL
        for parameter in signature.parameters.values()
    ):
        yield f"{call.name} does not take a stack: its first argument must be positional"
        return
    declared = signature.return_annotation
    declared = declared.__name__ if isinstance(declared, type) else str(declared)
    if declared in _NO_STACKS:
        yield f"{call.name} is declared to return {declared}, not a stack"
    provided = {kind.value: None for kind in traits_of(call.function).inputs}
    for name in sorted(provided.keys() & call.kwargs.keys()):
        yield f"{call.name}: argument {name!r} is set by the engine and can't be given"
    try:
        signature.bind(None, **{**provided, **call.kwargs})
    except TypeError as error:
        known = ", ".join(
            name
            for name, parameter in list(signature.parameters.items())[1:]
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD and name not in provided
        )
        yield f"{call.name}: {error} (its arguments: {known or 'none'})"
    for name, path in _file_arguments(call):
        if not path.exists():
            yield f"{call.name}: {path}, given as {name}, does not exist"


def files_of(call: FunctionCall) -> Iterator[tuple[str, os.stat_result]]:
    """Yield argument names and file status of the files that arguments refer to, if they exist."""
    for name, path in _file_arguments(call):
        with contextlib.suppress(OSError):
            yield name, path.stat()


def _file_arguments(call: FunctionCall) -> Iterator[tuple[str, Path]]:
    """Yield the arguments that are paths, or strings for parameters declared as paths."""
    parameters: Mapping[str, inspect.Parameter] = {}
    with contextlib.suppress(TypeError, ValueError):  # some functions written in C have no signature
        parameters = inspect.signature(call.function).parameters
    for name, value in call.kwargs.items():
        declared = str(parameters[name].annotation) if name in parameters else ""
        takes_path = "PathLike" in declared or "Path" in declared.split(".")
        if isinstance(value, os.PathLike) or (isinstance(value, str) and takes_path):
            yield name, Path(value).expanduser()


def import_problem(function: StepFunction) -> str | None:
    """Return why another process could not import the function; None if it can."""
    name = getattr(function, "__qualname__", None)
    module_name = getattr(function, "__module__", None)
    if name is None or module_name is None:
        return f"{function!r} has no name by which another process could import it: define it in a module"
    if "<lambda>" in name or "<locals>" in name:
        return f"{name.replace('<locals>.', '')} is a {'lambda' if '<lambda>' in name else 'local function'}: " + (
            "another process can't import it; define it at the top level of a module"
        )
    if file_of_function(function) is not None:
        return None if _attribute(sys.modules[module_name], name) is function else _not_itself(module_name, name)
    if module_name.startswith(MODULE_PREFIX):
        return f"{name} is from a pipeline file that is no longer loaded: load the file again"
    if module_name == "__main__":
        main = sys.modules["__main__"]
        if getattr(main, "__file__", None) is None and getattr(main, "__spec__", None) is None:
            return f"{name} is defined in an interactive session: move it to a module, or use mode 'threads'"
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # noqa: BLE001  importing runs the module
        return f"{module_name}.{name} can't be imported: {error}"
    return None if _attribute(module, name) is function else _not_itself(module_name, name)


def _no_step_function(function: StepFunction) -> str | None:
    """Return why a callable can't process stacks, regardless of its arguments; None if it might."""
    if isinstance(function, np.ufunc):
        return None if function.nin == function.nout == 1 else "takes or returns several arrays"
    is_builtin = isinstance(function, types.BuiltinFunctionType | type) and function.__module__ == "builtins"
    if is_builtin and function not in _STACK_BUILTINS:
        return "is a Python built-in that does not return a stack"
    return None


@dataclass
class Flow:
    """The images and labels of a well as they change from step to step; keys only, no pixels.

    Attributes:
        plate_keys: The images of the well in the plate.
        named: The components with several values in the plate.
        keys: The images after the steps so far.
        labelled: The images that have labels.
    """

    plate_keys: Sequence[ImageKey]
    named: frozenset[Component] = frozenset()
    keys: list[ImageKey] = field(init=False)
    labelled: set[ImageKey] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.keys = list(self.plate_keys)

    def follow(self, step: FunctionStep) -> list[str]:
        """Apply one step and return its problems."""
        problems: list[str] = []
        result: list[ImageKey] = []
        touched = False
        if step.input_source is InputSource.PLATE:
            self.keys = list(self.plate_keys)
        for group in group_images(self.keys, step.variable_components):
            calls = step.calls_for(group.value(step.group_by) if step.group_by else None)
            keys = list(group.keys)
            for call in calls:
                touched = True
                traits = traits_of(call.function)
                if lacking := self._lacking(traits, keys):
                    problems.append(
                        f"{call.name} needs labels, but no earlier step makes any for {lacking[0].describe()}"
                    )
                if traits.reduces:
                    keys = [reduced_key(keys, step.variable_components, self.named)]
                if OutputKind.LABELS in traits.outputs:
                    self.labelled.update(keys)
            result.extend(keys)
        if not touched:
            problems.append(NO_IMAGES)
        self.keys = result
        return problems

    def _lacking(self, traits: FunctionTraits, keys: Sequence[ImageKey]) -> list[ImageKey]:
        """Return the images that lack the labels a function needs."""
        if InputKind.LABELS in traits.inputs:
            return [key for key in keys if key not in self.labelled]
        if InputKind.SHARED_LABELS in traits.inputs:
            return [key for key in keys if shared_key(key, self.labelled) is None]
        return []


def _dispatch_problems(step: FunctionStep, group_by: Component, values: Sequence[str | int]) -> Iterator[str]:
    known = {str(value) for value in values}
    for value in step.branches():
        if value not in known:
            ordered = sorted(known, key=well_position) if group_by is Component.WELL else sorted(known, key=int)
            shown = ", ".join(ordered[:12]) + (", ..." if len(ordered) > 12 else "")
            yield f"func has a key {value!r}, but the plate has no such {group_by} (it has {shown})"


def _attribute(module: object, qualified: str) -> object:
    found = module
    for part in qualified.split("."):
        found = getattr(found, part, None)
    return found


def _not_itself(module: str, name: str) -> str:
    return f"{module}.{name} is not the function of the step: another process can't import it"
