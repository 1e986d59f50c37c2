"""Pipelines as Python source: a file is run to load one, and one is written as a file again.

A pipeline file defines `pipeline_steps` (a list of `FunctionStep`), optionally `global_config` and `pipeline_config`.
It is ordinary Python that runs when it is loaded: only load what may run as you. Functions defined in the file can be
imported from the module `openhcs_pipeline_<digest of name and text>`, also in another process once that has loaded it.
"""

import ast
import hashlib
import linecache
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from openhcs_runtime.config import GlobalConfig, PipelineConfig
from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.pipeline.local_imports import MODULE_PREFIX
from openhcs_runtime.pipeline.neighbour_modules import importable
from openhcs_runtime.pipeline.step import FunctionStep
from openhcs_runtime.pipeline.used_files import read_recorder
from zmqruntime.execution.text import one_line

_MAX_MODULES = 32
_FILE_ATTRIBUTE = "__openhcs_pipeline_file__"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class PipelineFile:
    """The text of a pipeline file, the name that error messages give it, and the folder it lies in ("": none).

    Modules of the folder can be imported by the file.
    """

    text: str
    name: str = "pipeline.py"
    folder: str = ""

    @property
    def module_name(self) -> str:
        """Name under which functions of the file can be imported."""
        digest = hashlib.sha256(f"{self.folder}\0{self.name}\0{self.text}".encode()).hexdigest()
        return MODULE_PREFIX + digest[:16]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Steps with their settings; `file` is what they were loaded from."""

    steps: tuple[FunctionStep, ...]
    global_config: GlobalConfig | None = None
    pipeline_config: PipelineConfig | None = None
    file: PipelineFile | None = field(default=None, compare=False)


def load_pipeline(text: str, name: str = "pipeline.py", folder: str = "") -> Pipeline:
    """Run the text of a pipeline file and take what it defines. Loading the same text again gives equal steps.

    folder: where the file lies; it may import modules from there.
    Raises PipelineError with `name:line:` for a syntax error, an exception while it runs (unknown names, failed
    imports, wrong arguments), or when what it defines is missing or of the wrong type.
    """
    file = PipelineFile(text, name, folder)
    namespace = vars(load_module(file))
    tree = ast.parse(text)
    if "pipeline_steps" not in namespace:
        raise PipelineError(f"{name}: does not define pipeline_steps (a list of FunctionStep)")
    return Pipeline(
        steps=as_steps(namespace["pipeline_steps"], f"{name}:{_line_of(tree, 'pipeline_steps')}: "),
        global_config=_setting(namespace.get("global_config"), GlobalConfig, "global_config", name, tree),
        pipeline_config=_setting(namespace.get("pipeline_config"), PipelineConfig, "pipeline_config", name, tree),
        file=file,
    )


def as_steps(steps: object, where: str = "") -> tuple[FunctionStep, ...]:
    """What was given as `pipeline_steps`. Raises PipelineError, beginning with `where`, when it is anything else."""
    if not isinstance(steps, Sequence) or isinstance(steps, str):
        raise PipelineError(f"{where}pipeline_steps is {_kind(steps)}, not a list of FunctionStep")
    for number, step in enumerate(steps, start=1):
        if not isinstance(step, FunctionStep):
            raise PipelineError(f"{where}entry {number} of pipeline_steps is {_kind(step)}, not a FunctionStep")
    return tuple(steps)


def load_module(file: PipelineFile) -> ModuleType:
    """The module made by running the file; the same one while it is among the last ones loaded.

    Raises PipelineError with `name:line:`.
    """
    loaded = sys.modules.get(file.module_name)
    if loaded is not None:
        return loaded
    try:
        code = compile(file.text, file.name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise PipelineError(f"{file.name}:{line}: syntax error: {reason}") from None
    module = ModuleType(file.module_name)
    module.__file__ = str(Path(file.folder, Path(file.name).name)) if file.folder else file.name
    setattr(module, _FILE_ATTRIBUTE, file)
    linecache.cache[file.name] = (len(file.text), None, file.text.splitlines(keepends=True), file.name)
    sys.modules[file.module_name] = module
    try:
        with importable(file.folder), read_recorder().active():
            exec(code, vars(module))
    except (Exception, SystemExit) as error:  # what a user's file may raise is open
        del sys.modules[file.module_name]
        raise PipelineError(_run_error(error, file)) from error
    _forget_old_modules()
    return module


def file_of_function(function: object) -> PipelineFile | None:
    """The pipeline file in which a function is defined, None for one from an ordinary module."""
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    file = getattr(module, _FILE_ATTRIBUTE, None)
    return file if isinstance(file, PipelineFile) else None


def _forget_old_modules() -> None:
    """A long-lived worker loads many versions of a file: keep the last ones only."""
    names = [name for name in sys.modules if name.startswith(MODULE_PREFIX)]
    for name in names[:-_MAX_MODULES]:
        del sys.modules[name]


def _run_error(error: BaseException, file: PipelineFile) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file.name]
    where = f"{file.name}:{frames[-1].lineno}" if frames else file.name
    if not isinstance(error, PipelineError):
        remedy = " (install it, or put it beside the pipeline file)" if isinstance(error, ModuleNotFoundError) else ""
        return f"{where}: {type(error).__name__}: {one_line(error)}{remedy}"
    number = _entry_at(ast.parse(file.text), frames[0]) if frames else None
    return f"{where}: {f'entry {number} of pipeline_steps: ' if number else ''}{error}"


def _entry_at(tree: ast.Module, frame: traceback.FrameSummary) -> int | None:
    """Which entry of the list `pipeline_steps`, from 1, is written there; None when it is elsewhere."""
    here = (frame.lineno or 0, frame.colno or 0)
    for node in tree.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(node.value, ast.List | ast.Tuple):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(target, ast.Name) and target.id == "pipeline_steps" for target in targets):
            for number, entry in enumerate(node.value.elts, start=1):
                end = (entry.end_lineno or entry.lineno, entry.end_col_offset or 0)
                if (entry.lineno, entry.col_offset) <= here < end:
                    return number
    return None


def _setting(value: object, wanted: type[_T], what: str, name: str, tree: ast.Module) -> _T | None:
    if value is None or isinstance(value, wanted):
        return value
    raise PipelineError(f"{name}:{_line_of(tree, what)}: {what} is {_kind(value)}, not a {wanted.__name__}")


def _line_of(tree: ast.Module, name: str) -> int:
    """The line that last gives `name` a value at the top of the file."""
    line = 1
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            line = node.lineno
    return line


def _kind(value: object) -> str:
    return f"of type {type(value).__name__}"
