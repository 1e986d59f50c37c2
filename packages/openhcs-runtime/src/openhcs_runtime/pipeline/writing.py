"""Writes a pipeline as readable Python source that, when loaded, gives an equal pipeline."""

import dataclasses
import enum
import importlib
import keyword
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from openhcs_runtime.config import GlobalConfig, PipelineConfig
from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.pipeline.check import import_problem
from openhcs_runtime.pipeline.source import Pipeline, PipelineFile, file_of_function, load_pipeline
from openhcs_runtime.pipeline.step import FunctionStep

_PUBLIC_HOMES = {
    "openhcs_runtime.components": "openhcs_runtime",
    "openhcs_runtime.config": "openhcs_runtime",
    "openhcs_runtime.pipeline.step": "openhcs_runtime",
}


def to_source(
    pipeline: Pipeline | Sequence[FunctionStep],
    *,
    global_config: GlobalConfig | None = None,
    pipeline_config: PipelineConfig | None = None,
) -> str:
    """The text of a pipeline file, for `load_pipeline`.

    A pipeline that is still as it was loaded gives the very text it came from. Functions defined in a pipeline file
    keep that file's text, with the steps written after it. Settings given here take the place of the pipeline's own.

    Raises PipelineError, with one line for each thing that can't be written: lambdas, local functions, functions of the
    main script, values that have no literal form.
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
    """Collects imports while it writes values."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._problems: list[str] = []
        self._imports: dict[tuple[str, str], str] = {}
        self._file = self._only_file()
        self._taken = dict(vars(sys.modules[self._file.module_name])) if self._file else {}

    def text(self) -> str:
        """The whole source. Raises PipelineError."""
        step_lines = [f"    {self._step(number, step)},\n" for number, step in enumerate(self._pipeline.steps, start=1)]
        body = "pipeline_steps = [\n" + "".join(step_lines) + "]\n"
        for name in ("global_config", "pipeline_config"):
            setting = getattr(self._pipeline, name)
            if setting is not None:
                body += f"\n{name} = {self._value(setting, name)}\n"
        self._reference(FunctionStep, "pipeline_steps")
        if self._problems:
            raise PipelineError(dict.fromkeys(self._problems))
        start = self._file.text.rstrip("\n") + "\n\n\n" if self._file else ""
        return start + "".join(self._import_lines()) + "\n" + body

    def _only_file(self) -> PipelineFile | None:
        calls = [call for step in self._pipeline.steps for chain in step.branches().values() for call in chain]
        files = list(dict.fromkeys(file for call in calls if (file := file_of_function(call.function))))
        if len(files) > 1:
            names = ", ".join(file.name for file in files)
            raise PipelineError(
                f"functions come from several pipeline files ({names}): put them into one file or a module"
            )
        return files[0] if files else None

    def _import_lines(self) -> Iterator[str]:
        modules: dict[str, list[str]] = {}
        for (module, name), alias in self._imports.items():
            modules.setdefault(module, []).append(name if alias == name else f"{name} as {alias}")
        for module in sorted(modules):
            yield f"from {module} import {', '.join(sorted(modules[module]))}\n"

    def _step(self, number: int, step: FunctionStep) -> str:
        where = f"step {number} {step.name!r}"
        arguments = [self._value(step.func, where)]
        default = FunctionStep(step.func)
        for name in ("name", "variable_components", "group_by", "enabled", "materialize"):
            value = getattr(step, name)
            if value != getattr(default, name):
                arguments.append(f"{name}={self._value(value, where)}")
        return f"FunctionStep({', '.join(arguments)})"

    def _value(self, value: Any, where: str) -> str:
        if isinstance(value, enum.Enum):
            return f"{self._reference(type(value), where)}.{value.name}"
        if isinstance(value, np.generic):
            return self._value(value.item(), where)
        if value is None or isinstance(value, bool | int | str | bytes):
            return repr(value)
        if isinstance(value, float):
            return repr(value) if math.isfinite(value) else f'float("{value}")'
        if isinstance(value, PurePath):
            return f"{self._reference(Path, where)}({str(value)!r})"
        if isinstance(value, Mapping | Sequence | set | frozenset):
            return self._container(value, where)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._dataclass(value, where)
        if callable(value):
            return self._reference(value, where)
        self._problems.append(
            f"{where}: a {type(value).__name__} can't be written as source; use numbers, texts and lists"
        )
        return "None"

    def _container(self, value: Any, where: str) -> str:
        if isinstance(value, Mapping):
            pairs = (f"{self._value(key, where)}: {self._value(entry, where)}" for key, entry in value.items())
            return f"{{{', '.join(pairs)}}}"
        entries = [self._value(entry, where) for entry in value]
        if isinstance(value, tuple):
            return f"({', '.join(entries)}{',' if len(entries) == 1 else ''})"
        if isinstance(value, set | frozenset):
            inner = f"{{{', '.join(sorted(entries))}}}" if entries else ""
            return inner if entries and isinstance(value, set) else f"{type(value).__name__}({inner})"
        return f"[{', '.join(entries)}]"

    def _dataclass(self, value: Any, where: str) -> str:
        arguments = [
            f"{field.name}={self._value(getattr(value, field.name), where)}"
            for field in dataclasses.fields(value)
            if field.init and getattr(value, field.name) != field.default
        ]
        return f"{self._reference(type(value), where)}({', '.join(arguments)})"

    def _reference(self, target: Any, where: str) -> str:
        """The name by which the source calls a function or class; it is imported if need be."""
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
        module = _public_home(target.__module__, first)
        alias = self._imports.get((module, first)) or self._alias(module, first)
        self._imports[module, first] = alias
        return f"{alias}.{rest}" if rest else alias

    def _alias(self, module: str, name: str) -> str:
        wanted = getattr(importlib.import_module(module), name)
        used = set(self._imports.values()) | {"pipeline_steps", "global_config", "pipeline_config"}
        alias, number = name, 2
        while alias in used or keyword.iskeyword(alias) or self._taken.get(alias, wanted) is not wanted:
            alias, number = f"{name}_{number}", number + 1
        return alias


def _public_home(module: str, name: str) -> str:
    """Where a reader expects to import `name` from: a public module of the package, if one has it."""
    if module in _PUBLIC_HOMES:
        return _PUBLIC_HOMES[module]
    if _is_public(module):
        return module
    target = getattr(sys.modules[module], name)
    parents = module.split(".")[:-1]
    while parents:
        parent = ".".join(parents)
        if _is_public(parent) and getattr(importlib.import_module(parent), name, None) is target:
            return parent
        parents.pop()
    package = module.partition(".")[0] + "."
    others = [other for other in list(sys.modules) if other.startswith(package) and _is_public(other)]
    for other in sorted(others, key=lambda other: (other.count("."), other)):
        if name in getattr(sys.modules[other], "__all__", ()) and getattr(sys.modules[other], name, None) is target:
            return other
    return module


def _is_public(module: str) -> bool:
    return not any(part.startswith("_") for part in module.split("."))
