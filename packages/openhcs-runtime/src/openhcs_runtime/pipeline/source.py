"""Loading of pipelines from Python source files.

A pipeline file defines ``pipeline_steps`` (a list of ``FunctionStep`` and ``PlateStep``) and optionally
``global_config`` and ``pipeline_config``. It is ordinary Python code that is executed when it is loaded: only load
files that you trust. Functions defined in the file can be imported from the module
``openhcs_pipeline_<digest of name and text>``, in another process once that process has loaded the file, too.
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
from openhcs_runtime.pipeline.parsing import parse_python
from openhcs_runtime.pipeline.plate_step import PlateStep, Step
from openhcs_runtime.pipeline.step import FunctionStep
from openhcs_runtime.pipeline.used_files import read_recorder
from openhcs_runtime.tasks import Setting
from zmqruntime.execution.text import one_line

_MAX_MODULES = 32
_FILE_ATTRIBUTE = "__openhcs_pipeline_file__"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class PipelineFile:
    """A pipeline file.

    Attributes:
        text: The source text.
        name: Its name in error messages.
        folder: The folder it is in, from which it can import modules; "" if there is none.
    """

    text: str
    name: str = "pipeline.py"
    folder: str = ""

    @property
    def module_name(self) -> str:
        """The module name under which functions of the file can be imported."""
        digest = hashlib.sha256(f"{self.folder}\0{self.name}\0{self.text}".encode()).hexdigest()
        return MODULE_PREFIX + digest[:16]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Steps with their settings, and the file they were loaded from.

    ``settings`` are those that ``with_settings`` has applied to the steps of the file.
    """

    steps: tuple[Step, ...]
    global_config: GlobalConfig | None = None
    pipeline_config: PipelineConfig | None = None
    file: PipelineFile | None = field(default=None, compare=False)
    settings: tuple[Setting, ...] = ()


def load_pipeline(text: str, name: str = "pipeline.py", folder: str = "") -> Pipeline:
    """Execute the text of a pipeline file and return the pipeline that it defines.

    Loading the same text again returns equal steps.

    Args:
        text: The source text.
        name: Name of the file in error messages.
        folder: The folder of the file, from which it can import modules.

    Raises:
        PipelineError: For a syntax error, for an exception during execution (unknown names, failed imports, wrong
            arguments), or if a definition is missing or of the wrong type; the message starts with ``name:line:``.
    """
    file = PipelineFile(text, name, folder)
    namespace = vars(load_module(file))
    tree = parse_python(text)
    if "pipeline_steps" not in namespace:
        raise PipelineError(f"{name}: does not define pipeline_steps (a list of FunctionStep)")
    return Pipeline(
        steps=as_steps(namespace["pipeline_steps"], f"{name}:{_line_of(tree, 'pipeline_steps')}: "),
        global_config=_setting(namespace.get("global_config"), GlobalConfig, "global_config", name, tree),
        pipeline_config=_setting(namespace.get("pipeline_config"), PipelineConfig, "pipeline_config", name, tree),
        file=file,
    )


def as_steps(steps: object, where: str = "") -> tuple[Step, ...]:
    """Check that a value is a list of steps, and return them as a tuple.

    Args:
        steps: The value given as ``pipeline_steps``.
        where: How the error message starts.

    Raises:
        PipelineError: If it is anything else.
    """
    if not isinstance(steps, Sequence) or isinstance(steps, str):
        raise PipelineError(f"{where}pipeline_steps is {_kind(steps)}, not a list of FunctionStep")
    for number, step in enumerate(steps, start=1):
        if not isinstance(step, FunctionStep | PlateStep):
            raise PipelineError(f"{where}entry {number} of pipeline_steps is {_kind(step)}, not a FunctionStep")
    return tuple(steps)


def load_module(file: PipelineFile) -> ModuleType:
    """Execute a file as a module; the last modules loaded are cached.

    Raises:
        PipelineError: If it can't be executed; the message starts with ``name:line:``.
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
    except (Exception, SystemExit) as error:  # a user's file may raise anything
        del sys.modules[file.module_name]
        raise PipelineError(_run_error(error, file)) from error
    _forget_old_modules()
    return module


def file_of_function(function: object) -> PipelineFile | None:
    """Return the pipeline file that defines a function; None for functions from ordinary modules."""
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    file = getattr(module, _FILE_ATTRIBUTE, None)
    return file if isinstance(file, PipelineFile) else None


def _forget_old_modules() -> None:
    """Keep only the last modules: a long-lived worker loads many versions of a file."""
    names = [name for name in sys.modules if name.startswith(MODULE_PREFIX)]
    for name in names[:-_MAX_MODULES]:
        del sys.modules[name]


def _run_error(error: BaseException, file: PipelineFile) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file.name]
    where = f"{file.name}:{frames[-1].lineno}" if frames else file.name
    if not isinstance(error, PipelineError):
        remedy = " (install it, or put it next to the pipeline file)" if isinstance(error, ModuleNotFoundError) else ""
        return f"{where}: {type(error).__name__}: {one_line(error)}{remedy}"
    number = _entry_at(parse_python(file.text), frames[0]) if frames else None
    return f"{where}: {f'entry {number} of pipeline_steps: ' if number else ''}{error}"


def _entry_at(tree: ast.Module, frame: traceback.FrameSummary) -> int | None:
    """Return the number, from 1, of the ``pipeline_steps`` entry at this position; None if it is elsewhere."""
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
    """Return the line of the last top-level assignment to ``name``."""
    line = 1
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            line = node.lineno
    return line


def _kind(value: object) -> str:
    return f"of type {type(value).__name__}"
