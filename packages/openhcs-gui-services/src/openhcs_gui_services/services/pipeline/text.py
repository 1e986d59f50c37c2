"""Reads and edits the text of a pipeline file through its syntax tree, without running it; other text is left as it is.

Steps are recognized if ``pipeline_steps`` is written as a list of ``FunctionStep(...)`` and ``PlateStep(...)`` calls.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from openhcs_gui_services.exceptions import PipelineTextError
from openhcs_gui_services.services.pipeline.problems import Problem, syntax_problem
from openhcs_gui_services.services.pipeline.step_form import FunctionInfo, read_functions, source_text
from openhcs_runtime.pipeline.parsing import parse_python
from openhcs_runtime.pipeline.source_layout import import_lines

__all__ = ["CallEntry", "PipelineOutline", "StepEntry", "outline_of", "with_arguments", "with_step"]

_STEPS: Final = "pipeline_steps"
_STEP: Final = "FunctionStep"
_PLATE_STEP: Final = "PlateStep"
_STEP_MODULE: Final = "openhcs_runtime"


@dataclass(frozen=True, slots=True)
class CallEntry:
    """A function in a step with its arguments.

    Attributes:
        function: the function, as written.
        start: position of its first character in the text.
        end: position after its last character.
        arguments: source of each argument by name.
        is_editable: whether all its arguments are written there too.
    """

    function: str
    start: int
    end: int
    arguments: Mapping[str, str]
    is_editable: bool = True


@dataclass(frozen=True, slots=True)
class StepEntry:
    """A step; its number and its lines count from 1."""

    number: int
    name: str
    line: int
    end_line: int
    calls: tuple[CallEntry, ...]


@dataclass(frozen=True, slots=True)
class PipelineOutline:
    """The definitions in a text.

    Attributes:
        steps: the steps, in order.
        imports: origin of each imported name: ``{"blur": "my.module.blur"}``.
        functions: public functions that the text itself defines.
        problem: the syntax error, if there is one.
    """

    steps: tuple[StepEntry, ...] = ()
    imports: Mapping[str, str] | None = None
    functions: tuple[FunctionInfo, ...] = ()
    problem: Problem | None = None

    def step_at(self, line: int) -> StepEntry | None:
        """Return the step on a line, from 1; None if there is none."""
        return next((step for step in self.steps if step.line <= line <= step.end_line), None)


def outline_of(text: str) -> PipelineOutline:
    """Return the definitions in a text, or only the syntax error if there is one."""
    problem = syntax_problem(text)
    if problem is not None:
        return PipelineOutline(problem=problem)
    tree = parse_python(text)
    places = _Places(text)
    found = _steps_list(tree)
    calls = [] if found is None else [node for node in found.elts if isinstance(node, ast.Call)]
    steps = tuple(_step(number, node, places) for number, node in enumerate(calls, start=1))
    return PipelineOutline(steps, _imports(tree), read_functions(tree))


def with_arguments(text: str, call: CallEntry, changes: Mapping[str, str | None]) -> str:
    """Return the text with changed arguments of a call.

    Args:
        text: the text.
        call: a call in this text.
        changes: new source by name of the argument; None removes it.
    """
    merged = {**call.arguments, **changes}
    told = ", ".join(f'"{name}": {source}' for name, source in merged.items() if source is not None)
    written = f"({call.function}, {{{told}}})" if told else call.function
    return text[: call.start] + written + text[call.end :]


def with_step(text: str, info: FunctionInfo) -> str:
    """Return the text with an additional step after its last step, and with the imports that it needs.

    Required arguments are written with a placeholder value.

    Args:
        text: the text.
        info: the function of the new step.

    Raises:
        PipelineTextError: the text has a syntax error, or ``pipeline_steps`` is not written as a list.
    """
    tree = _parsed(text)
    step = _PLATE_STEP if info.is_over_plate else _STEP
    text = _with_import(text, _STEP_MODULE, step)
    if info.module:
        text = _with_import(text, info.module, info.name)
    told = ", ".join(f'"{each.name}": {source_text(each.start_value)}' for each in info.parameters if each.is_required)
    entry = f"{step}(({info.name}, {{{told}}}))" if told else f"{step}({info.name})"
    found = _steps_list(_parsed(text))
    if found is None:
        if any(_assigns_steps(node) for node in tree.body):
            raise PipelineTextError(f"{_STEPS} is not written as a list here; add the step by hand")
        return text.rstrip("\n") + f"\n\n{_STEPS} = [\n    {entry},\n]\n"
    return _with_entry(text, found, entry)


class _Places:
    """Converts positions in a syntax tree, a line and a column in UTF-8 bytes, to character positions in the text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = text.split("\n")
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)

    def start(self, node: ast.expr | ast.stmt) -> int:
        """Return the position of the first character."""
        return self._at(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt) -> int:
        """Return the position after the last character."""
        return self._at(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def source(self, node: ast.expr) -> str:
        """Return the text of the node."""
        return self.text[self.start(node) : self.end(node)]

    def line_start(self, line: int) -> int:
        """Return the position of the first character of a line, from 1."""
        return self._starts[line - 1]

    def _at(self, line: int, column: int) -> int:
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())


def _parsed(text: str) -> ast.Module:
    problem = syntax_problem(text)
    if problem is not None:
        raise PipelineTextError(f"line {problem.line}: {problem.message}; fix that first")
    return parse_python(text)


def _assigns_steps(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(isinstance(target, ast.Name) and target.id == _STEPS for target in targets)


def _steps_list(tree: ast.Module) -> ast.List | None:
    values = [node.value for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign) and _assigns_steps(node)]
    last = values[-1] if values else None
    return last if isinstance(last, ast.List) else None


def _step(number: int, node: ast.Call, places: _Places) -> StepEntry:
    keywords = {each.arg: each.value for each in node.keywords}
    func = node.args[0] if node.args else keywords.get("func")
    calls = tuple(_calls(func, places)) if func is not None else ()
    name = keywords.get("name")
    given = name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else ""
    made = " + ".join(dict.fromkeys(call.function.rpartition(".")[2] for call in calls))
    return StepEntry(number, given or made, node.lineno, node.end_lineno or node.lineno, calls)


def _calls(node: ast.expr, places: _Places) -> Iterator[CallEntry]:
    """Yield the functions of a step, written as a name, (name, {...}), a list of these, or a dict of these."""
    if isinstance(node, ast.Name | ast.Attribute):
        yield CallEntry(places.source(node), places.start(node), places.end(node), {})
    elif isinstance(node, ast.Tuple) and len(node.elts) == 2 and isinstance(node.elts[0], ast.Name | ast.Attribute):
        yield _call_with_arguments(node, places)
    elif isinstance(node, ast.List | ast.Tuple):
        for part in node.elts:
            yield from _calls(part, places)
    elif isinstance(node, ast.Dict):
        for value in node.values:
            yield from _calls(value, places)


def _call_with_arguments(node: ast.Tuple, places: _Places) -> CallEntry:
    function, told = node.elts
    arguments: dict[str, str] = {}
    is_plain = isinstance(told, ast.Dict)
    if isinstance(told, ast.Dict):
        for key, value in zip(told.keys, told.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                arguments[key.value] = places.source(value)
            else:
                is_plain = False
    return CallEntry(places.source(function), places.start(node), places.end(node), arguments, is_plain)


def _imports(tree: ast.Module) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
        elif isinstance(node, ast.Import):
            found |= {each.asname or each.name: each.name for each in node.names}
    return found


def _with_import(text: str, module: str, name: str) -> str:
    tree, places = _parsed(text), _Places(text)
    if _imports(tree).get(name) == f"{module}.{name}":
        return text
    nodes = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    for node in nodes:
        written = text[places.start(node) : places.end(node)]
        if (
            isinstance(node, ast.ImportFrom)
            and node.module == module
            and "#" not in written
            and node.names[0].name != "*"
        ):
            names = [f"{each.name} as {each.asname}" if each.asname else each.name for each in node.names]
            merged = import_lines(module, [*names, name]).rstrip("\n")
            return text[: places.start(node)] + merged + text[places.end(node) :]
    line = import_lines(module, [name])
    if nodes:
        at = places.line_start((nodes[-1].end_lineno or nodes[-1].lineno) + 1)
        return text[:at] + line + text[at:] if at <= len(text) else f"{text}\n{line}"
    first = tree.body[0] if tree.body else None
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    at = places.end(first) if first is not None and is_docstring else 0
    return f"{text[:at]}\n\n{line}\n{text[at:].lstrip(chr(10))}" if at else f"{line}\n{text}"


def _with_entry(text: str, found: ast.List, entry: str) -> str:
    """Return the text with an entry appended to a list, in the layout of the list."""
    places = _Places(text)
    close = places.end(found) - 1
    if not found.elts:
        return f"{text[: places.start(found)]}[\n    {entry},\n]{text[close + 1 :]}"
    last = places.end(found.elts[-1])
    after = text[last:close]
    has_comma = "," in re.sub(r"#[^\n]*", "", after)
    line_start = text.rfind("\n", 0, close) + 1
    if text[line_start:close].strip() or line_start <= last:
        joined = f"{after.rstrip()} {entry}" if has_comma else f", {entry}{after}"
        return text[:last] + joined + text[close:]
    indent = " " * (found.elts[-1].col_offset or 4)
    comma = "" if has_comma else ","
    return f"{text[:last]}{comma}{text[last:line_start]}{indent}{entry},\n{text[line_start:]}"
