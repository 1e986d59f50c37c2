"""Checks of a pipeline against the images of a plate, without reading any; pure."""

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
"""The only ones of Python's own functions that give an array for an array."""
_NO_STACKS = {"None", "bool", "bytes", "dict", "float", "int", "list", "set", "str"}
"""Return annotations of functions that give no stack."""
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def step_problems(step: FunctionStep, components: Mapping[Component, Sequence[str | int]]) -> Iterator[str]:
    """What is wrong with one step on a plate that has these component values, one line each."""
    if Component.WELL in step.variable_components:
        yield "variable_components can't hold well: wells are worked on one by one"
    if len(set(step.variable_components)) < len(step.variable_components):
        yield "variable_components names a component twice"
    if step.is_dispatched and step.group_by is None:
        yield "func is a dict, so group_by must say which component its values are of"
    if step.group_by in step.variable_components:
        yield f"group_by {step.group_by} is one of variable_components: it has several values in one stack"
    elif step.group_by is not None and step.is_dispatched:
        yield from _dispatch_problems(step, step.group_by, components[step.group_by])
    for chain in step.branches().values():
        for call in chain:
            yield from call_problems(call)


def call_problems(call: FunctionCall) -> Iterator[str]:
    """What is wrong with the arguments of one call."""
    kind = _no_step_function(call.function)
    if kind is not None:
        yield f"{call.name} {kind}: a function takes a stack (n, Y, X) and gives one"
        return
    try:
        signature = inspect.signature(call.function)
    except (TypeError, ValueError):
        return  # some functions written in C don't tell
    if not any(
        parameter.kind in _POSITIONAL or parameter.kind is inspect.Parameter.VAR_POSITIONAL
        for parameter in signature.parameters.values()
    ):
        yield f"{call.name} takes no stack: its first argument must be positional"
        return
    declared = signature.return_annotation
    declared = declared.__name__ if isinstance(declared, type) else str(declared)
    if declared in _NO_STACKS:
        yield f"{call.name} is declared to return {declared}, not a stack"
    provided = {kind.value: None for kind in traits_of(call.function).inputs}
    for name in sorted(provided.keys() & call.kwargs.keys()):
        yield f"{call.name}: argument {name!r} comes from the engine and can't be given"
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
            yield f"{call.name}: there is no {path}, which {name} names"


def files_of(call: FunctionCall) -> Iterator[tuple[str, os.stat_result]]:
    """The files that arguments name and that are there: names of the arguments, and what the system says of them."""
    for name, path in _file_arguments(call):
        with contextlib.suppress(OSError):
            yield name, path.stat()


def _file_arguments(call: FunctionCall) -> Iterator[tuple[str, Path]]:
    """The arguments that are paths, or texts where the function says that it takes a path."""
    parameters: Mapping[str, inspect.Parameter] = {}
    with contextlib.suppress(TypeError, ValueError):  # some functions written in C don't tell
        parameters = inspect.signature(call.function).parameters
    for name, value in call.kwargs.items():
        declared = str(parameters[name].annotation) if name in parameters else ""
        takes_path = "PathLike" in declared or "Path" in declared.split(".")
        if isinstance(value, os.PathLike) or (isinstance(value, str) and takes_path):
            yield name, Path(value).expanduser()


def import_problem(function: StepFunction) -> str | None:
    """Why another process could not import the function, None when it can."""
    name = getattr(function, "__qualname__", None)
    module_name = getattr(function, "__module__", None)
    if name is None or module_name is None:
        return f"{function!r} has no name by which another process could import it: make it a function of a module"
    if "<lambda>" in name or "<locals>" in name:
        return f"{name.replace('<locals>.', '')} is a {'lambda' if '<lambda>' in name else 'local function'}: " + (
            "another process can't import it; make it a function of a module"
        )
    if file_of_function(function) is not None:
        return None if _attribute(sys.modules[module_name], name) is function else _not_itself(module_name, name)
    if module_name.startswith(MODULE_PREFIX):
        return f"{name} is of a pipeline file that was loaded too long ago: load it again"
    if module_name == "__main__":
        main = sys.modules["__main__"]
        if getattr(main, "__file__", None) is None and getattr(main, "__spec__", None) is None:
            return f"{name} is defined in an interactive session: put it into a module, or use mode 'threads'"
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # noqa: BLE001  importing runs the module
        return f"{module_name}.{name} can't be imported: {error}"
    return None if _attribute(module, name) is function else _not_itself(module_name, name)


def _no_step_function(function: StepFunction) -> str | None:
    """Why a callable can't be a function of stacks, whatever its arguments are; None when it may be one."""
    if isinstance(function, np.ufunc):
        return None if function.nin == function.nout == 1 else "works on several arrays, or gives several"
    is_builtin = isinstance(function, types.BuiltinFunctionType | type) and function.__module__ == "builtins"
    if is_builtin and function not in _STACK_BUILTINS:
        return "is a built-in of Python that gives no stack"
    return None


@dataclass
class Flow:
    """What the images and labels of a well have become after some steps; no pixels, only keys.

    plate_keys: the images that the plate has of the well. named: the components of which the plate has several values.
    """

    plate_keys: Sequence[ImageKey]
    named: frozenset[Component] = frozenset()
    keys: list[ImageKey] = field(init=False)
    labelled: set[ImageKey] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.keys = list(self.plate_keys)

    def follow(self, step: FunctionStep) -> list[str]:
        """Take one step; returns what goes wrong."""
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
            problems.append("works on no image of this well")
        self.keys = result
        return problems

    def _lacking(self, traits: FunctionTraits, keys: Sequence[ImageKey]) -> list[ImageKey]:
        """The images that lack the labels which a function wants."""
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
            yield f"func has a value {value!r} for {group_by}, which the plate lacks (it has {shown})"


def _attribute(module: object, qualified: str) -> object:
    found = module
    for part in qualified.split("."):
        found = getattr(found, part, None)
    return found


def _not_itself(module: str, name: str) -> str:
    return f"{module}.{name} is something else than the function of the step: another process can't import it"
