"""Conversion of a pipeline to readable Python source; loading it returns an equal pipeline."""

import builtins
import dataclasses
import enum
import importlib
import keyword
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from types import ModuleType
from typing import Any

import numpy as np

from openhcs_runtime.config import GlobalConfig, PipelineConfig
from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.pipeline.check import import_problem
from openhcs_runtime.pipeline.plate_step import PlateStep, Step, calls_of
from openhcs_runtime.pipeline.source import Pipeline, PipelineFile, file_of_function, load_pipeline
from openhcs_runtime.pipeline.source_layout import (
    Expression,
    Group,
    Named,
    assignment,
    import_lines,
    listing,
    one_line,
    text_literal,
)
from openhcs_runtime.pipeline.step import FunctionStep


def to_source(
    pipeline: Pipeline | Sequence[Step],
    *,
    global_config: GlobalConfig | None = None,
    pipeline_config: PipelineConfig | None = None,
) -> str:
    """Return the text of a pipeline file for ``load_pipeline``.

    For an unchanged pipeline this is exactly the text it was loaded from. If functions are defined in a pipeline file,
    the text of that file is kept and the steps are written after it.

    Arguments of functions can be None, bool, int, float, complex, str, bytes, bytearray, range, slice, tuple, list,
    set, frozenset, dict, paths, enums, dataclasses, numpy scalars (written as numbers) and dtypes, and functions and
    classes by name.

    Args:
        pipeline: The pipeline, or its steps.
        global_config: Settings that replace those of the pipeline.
        pipeline_config: Settings that replace those of the pipeline.

    Raises:
        PipelineError: If something can't be written: lambdas, local functions, functions of the main script, and values
            without a literal form. The message has one line for each.
    """
    given = pipeline if isinstance(pipeline, Pipeline) else Pipeline(tuple(pipeline))
    wanted = dataclasses.replace(
        given,
        global_config=global_config or given.global_config,
        pipeline_config=pipeline_config or given.pipeline_config,
    )
    file = wanted.file
    if file is not None and load_pipeline(file.text, file.name, file.folder) == wanted:
        return file.text
    return _Writer(wanted).text()


class _Writer:
    """Writer of values that collects the imports they need."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._problems: list[str] = []
        self._imports: dict[tuple[str, str], str] = {}
        self._file = self._only_file()
        self._taken = dict(vars(sys.modules[self._file.module_name])) if self._file else {}

    def text(self) -> str:
        """Return the whole source; raise PipelineError if there are problems."""
        steps = [self._step(number, step) for number, step in enumerate(self._pipeline.steps, start=1)]
        body = listing("pipeline_steps", steps)
        for name in ("global_config", "pipeline_config"):
            setting = getattr(self._pipeline, name)
            if setting is not None:
                body += "\n" + assignment(name, self._value(setting, name))
        for kind in dict.fromkeys(map(type, self._pipeline.steps)):
            self._reference(kind, "pipeline_steps")
        if self._problems:
            raise PipelineError(dict.fromkeys(self._problems))
        start = self._file.text.rstrip("\n") + "\n\n\n" if self._file else ""
        return start + "".join(self._import_lines()) + body

    def _only_file(self) -> PipelineFile | None:
        calls = calls_of(self._pipeline.steps)
        files = list(dict.fromkeys(file for call in calls if (file := file_of_function(call.function))))
        if len(files) > 1:
            names = ", ".join(file.name for file in files)
            raise PipelineError(
                f"functions come from several pipeline files ({names}): move them to one file or to a module"
            )
        return files[0] if files else None

    def _import_lines(self) -> Iterator[str]:
        modules: dict[str, list[str]] = {}
        for (module, name), alias in self._imports.items():
            modules.setdefault(module, []).append(name if alias == name else f"{name} as {alias}")
        standard = {module for module in modules if module.partition(".")[0] in sys.stdlib_module_names}
        for block in (standard, modules.keys() - standard):
            if block:
                yield "".join(import_lines(module, modules[module]) for module in sorted(block)) + "\n"

    def _step(self, number: int, step: Step) -> Group:
        where = f"step {number} {step.name!r}"
        try:
            arguments = [self._value(step.func, where)]
        except RecursionError:
            raise PipelineError(f"{where}: an argument that contains itself can't be written as source") from None
        default = PlateStep(step.func) if isinstance(step, PlateStep) else FunctionStep(step.func)
        for field in dataclasses.fields(step):
            value = getattr(step, field.name)
            if field.name != "func" and value != getattr(default, field.name):
                arguments.append(Named(f"{field.name}=", self._value(value, where)))
        return Group(f"{type(step).__name__}(", tuple(arguments), ")")

    def _value(self, value: Any, where: str) -> Expression:
        if isinstance(value, enum.Enum):
            return self._enum(value, where)
        kind = type(value)
        if isinstance(value, np.generic) and kind is not type(value.item()):
            return self._value(value.item(), where)
        if kind is str or kind is bytes:
            return text_literal(value)
        if kind is float or kind is complex:
            return _number(value)
        if value is None or kind in (bool, int, bytearray, range):
            return repr(value)
        if isinstance(value, PurePath) and value == Path(value):
            return Group(f"{self._reference(Path, where)}(", (text_literal(str(value)),), ")")
        if kind is slice:
            return Group(
                "slice(", tuple(self._value(part, where) for part in (value.start, value.stop, value.step)), ")"
            )
        if kind in (tuple, list, set, frozenset) or isinstance(value, Mapping):
            return self._container(value, where)
        if isinstance(value, np.dtype):
            return Group(f"{self._reference(np.dtype, where)}(", (text_literal(value.str),), ")")
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._dataclass(value, where)
        if callable(value):
            return self._reference(value, where)
        self._problems.append(
            f"{where}: {_no_literal(value)} can't be written as source; use numbers, strings and lists"
        )
        return "None"

    def _enum(self, value: enum.Enum, where: str) -> Expression:
        """Return a member by its name, or a combination of flags by its number."""
        name = self._reference(type(value), where)
        if isinstance(value, enum.Flag) and value.name not in type(value).__members__:
            return Group(f"{name}(", (repr(value.value),), ")")
        return f"{name}.{value.name}"

    def _container(self, value: Any, where: str) -> Expression:
        if isinstance(value, Mapping):
            return Group("{", tuple(self._pair(key, entry, where) for key, entry in value.items()), "}")
        entries = tuple(self._value(entry, where) for entry in value)
        if isinstance(value, tuple):
            return Group("(", entries, ")", comma_after_one=True)
        if isinstance(value, set | frozenset):
            ordered = tuple(sorted(entries, key=repr))
            if not entries:
                return f"{type(value).__name__}()"
            plain = Group("{", ordered, "}")
            return plain if isinstance(value, set) else Group("frozenset(", (plain,), ")")
        return Group("[", entries, "]")

    def _pair(self, key: Any, entry: Any, where: str) -> Expression:
        return Named(f"{one_line(self._value(key, where))}: ", self._value(entry, where))

    def _dataclass(self, value: Any, where: str) -> Expression:
        arguments = tuple(
            Named(f"{field.name}=", self._value(getattr(value, field.name), where))
            for field in dataclasses.fields(value)
            if field.init and getattr(value, field.name) != field.default
        )
        return Group(f"{self._reference(type(value), where)}(", arguments, ")")

    def _reference(self, target: Any, where: str) -> str:
        """Return the name of a function or class in the source, adding an import if necessary."""
        problem = import_problem(target)
        if problem is None and target.__module__ == "__main__":
            problem = (
                f"{target.__qualname__} is defined in the main script: move it to a module or into the pipeline file"
            )
        if problem is not None:
            self._problems.append(f"{where}: {problem}")
            return "None"
        first, _, rest = target.__qualname__.partition(".")
        file = file_of_function(target)
        if file is not None and file == self._file:
            return str(target.__qualname__)
        if target.__module__ == "builtins" and self._taken.get(first, target) is target:
            return str(target.__qualname__)
        module = _public_home(target.__module__, first)
        alias = self._imports.get((module, first)) or self._alias(module, first)
        self._imports[module, first] = alias
        return f"{alias}.{rest}" if rest else alias

    def _alias(self, module: str, name: str) -> str:
        wanted = getattr(importlib.import_module(module), name)
        used = set(self._imports.values()) | {"pipeline_steps", "global_config", "pipeline_config"}
        package = module.rpartition(".")[2]
        alias, number = name, 1
        while (
            alias in used
            or keyword.iskeyword(alias)
            or hasattr(builtins, alias)
            or self._taken.get(alias, wanted) is not wanted
        ):
            alias = f"{package}_{name}" if number == 1 else f"{package}_{name}_{number}"
            number += 1
        return alias


def _public_home(module: str, name: str) -> str:
    """Return the module to import a name from: the outermost package that exports it, or a public one that has it."""
    target = getattr(sys.modules[module], name)
    parts = module.split(".")
    parents = [".".join(parts[:length]) for length in range(1, len(parts))]
    for parent in parents:
        if _lists(importlib.import_module(parent), name, target) and _is_public(parent):
            return parent
    if _is_public(module):
        return module
    for parent in reversed(parents):
        if _is_public(parent) and getattr(importlib.import_module(parent), name, None) is target:
            return parent
    others = [other for other in list(sys.modules) if other.startswith(f"{parts[0]}.") and _is_public(other)]
    for other in sorted(others, key=lambda other: (other.count("."), other)):
        if _lists(sys.modules[other], name, target):
            return other
    return module


def _lists(module: ModuleType, name: str, target: object) -> bool:
    return name in getattr(module, "__all__", ()) and getattr(module, name, None) is target


def _number(value: complex) -> str:
    """Return a float or complex number as source, including those without a literal."""
    if isinstance(value, float):
        return repr(value).replace("e+", "e") if math.isfinite(value) else f'float("{value}")'
    if math.isfinite(value.real) and math.isfinite(value.imag):
        return f"complex({_number(value.real)}, {_number(value.imag)})"
    return f'complex("{value}")'


def _no_literal(value: object) -> str:
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"


def _is_public(module: str) -> bool:
    return not any(part.startswith("_") for part in module.split("."))
