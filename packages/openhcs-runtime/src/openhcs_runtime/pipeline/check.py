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
from openhcs_runtime.pipeline.plate_step import PlateStep, Step, calls_of
from openhcs_runtime.pipeline.source import file_of_function
from openhcs_runtime.pipeline.step import FunctionCall, FunctionStep, InputSource, Keep

_STACK_BUILTINS: tuple[StepFunction, ...] = (abs, pow)
"""The only Python built-ins that return an array for an array."""
_NO_STACKS = {"None", "bool", "bytes", "dict", "float", "int", "list", "set", "str"}
"""Return annotations of functions that do not return a stack."""
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

NO_IMAGES = "does not apply to any image of this well"
"""A problem of a step, unless the step chooses among wells."""


def step_problems(step: Step, components: Mapping[Component, Sequence[str | int]]) -> Iterator[str]:
    """Yield a line for each problem of a step on a plate with these component values."""
    if isinstance(step, PlateStep):
        yield from _plate_step_problems(step.call)
        return
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


def plate_problems(step: Step, made: Sequence[PlateStep]) -> Iterator[str]:
    """Yield a line for each problem of a step with the values that the steps over the plate before it make.

    Args:
        step: The step.
        made: The steps over the plate before it.
    """
    makers = {output.name: earlier for earlier in made if (output := traits_of(earlier.call.function).plate_output)}
    for call in calls_of([step]):
        for name in traits_of(call.function).plate_inputs:
            if name not in makers:
                yield (
                    f"{call.name} needs {name!r}, but no earlier step over the plate makes it: add a PlateStep with a "
                    f'function declared with plate_output("{name}")'
                )
    if isinstance(step, PlateStep):
        output = traits_of(step.call.function).plate_output
        if output is not None and output.name in makers:
            yield f"{output.name!r} is made by step {makers[output.name].name!r} already: give it another name"


def _plate_step_problems(call: FunctionCall) -> Iterator[str]:
    traits = traits_of(call.function)
    if traits.plate_output is None:
        yield (
            f"{call.name} does not declare what it makes: declare it with plate_output, or use a FunctionStep if it "
            "works on images"
        )
    elif unknown := ", ".join(kind for kind in traits.inputs if kind is not InputKind.RNG):
        yield f"{call.name} takes {unknown}, which a step over the plate does not get: use its PlateData"
    else:
        yield from _argument_problems(call, "PlateData")


def call_problems(call: FunctionCall) -> Iterator[str]:
    """Yield a line for each problem of a call in a step that works on wells, and of its arguments."""
    if traits_of(call.function).plate_output is not None:
        yield f"{call.name} works on the whole plate: use it in a PlateStep"
        return
    kind = _no_step_function(call.function)
    if kind is not None:
        yield f"{call.name} {kind}: a function has to take a stack (n, Y, X) and return one"
        return
    yield from _argument_problems(call, "stack")


def _argument_problems(call: FunctionCall, first: str) -> Iterator[str]:
    """Yield a line for each problem of the arguments; ``first`` is what the function gets as the first one."""
    try:
        signature = inspect.signature(call.function)
    except (TypeError, ValueError):
        return  # some functions written in C have no signature
    if not any(
        parameter.kind in _POSITIONAL or parameter.kind is inspect.Parameter.VAR_POSITIONAL
        for parameter in signature.parameters.values()
    ):
        yield f"{call.name} does not take a {first}: its first argument must be positional"
        return
    declared = signature.return_annotation
    declared = declared.__name__ if isinstance(declared, type) else str(declared)
    if declared in _NO_STACKS and first == "stack":
        yield f"{call.name} is declared to return {declared}, not a stack"
    traits = traits_of(call.function)
    provided = dict.fromkeys([*(kind.value for kind in traits.inputs), *traits.plate_inputs])
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
        return
    check = traits_of(call.function).check
    yield from (f"{call.name}: {line}" for line in (check(**call.kwargs) if check else ()))
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
            return (
                f"{name} was entered in a notebook or at a prompt, where no other process can find it: write it to a "
                "file (in a notebook with '%%writefile steps.py' as the first line of the cell) and import it from "
                "there"
            )
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
    _has_labels_only: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.keys = list(self.plate_keys)

    def follow(self, step: Step) -> list[str]:
        """Apply one step and return its problems."""
        if isinstance(step, PlateStep):
            return []
        problems = self._kept_problems(step)
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
        self._has_labels_only = step.keep == Keep.LABELS
        return problems

    def _kept_problems(self, step: FunctionStep) -> list[str]:
        if self._has_labels_only and step.input_source is not InputSource.PLATE:
            return [
                "works on the images of the step before, which keeps only its labels: keep=True keeps its images as "
                "well, or take the images of the plate again (input_source)"
            ]
        return []

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
