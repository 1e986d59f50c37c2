"""Edits of a pipeline's text that a list of steps and its forms make: each returns a new text, the rest is unchanged.

Steps are given by their number, from 1, branches of a step and functions of a branch by their index, from 0.
"""

import ast
from collections.abc import Callable, Sequence
from typing import Final

from openhcs_gui_services.exceptions import PipelineTextError
from openhcs_gui_services.services.pipeline.places import Places, appended, rearranged
from openhcs_gui_services.services.pipeline.problems import syntax_problem
from openhcs_gui_services.services.pipeline.step_form import FunctionInfo, source_text
from openhcs_gui_services.services.pipeline.text import (
    PLATE_STEP,
    STEP,
    STEPS,
    assigns_steps,
    imports_of,
    outline_of,
    steps_list,
)
from openhcs_runtime.pipeline.parsing import parse_python
from openhcs_runtime.pipeline.source_layout import WIDTH, import_lines

__all__ = [
    "call_source",
    "parsed",
    "with_call",
    "with_calls_in_order",
    "with_channel",
    "with_constant",
    "with_entry",
    "with_import",
    "with_keyword",
    "with_step_copied",
    "with_steps_in_order",
]

_STEP_MODULE: Final = "openhcs_runtime"
_COPY: Final = " copy"


def parsed(text: str) -> ast.Module:
    """Return the syntax tree of a text.

    Raises:
        PipelineTextError: it has a syntax error.
    """
    problem = syntax_problem(text)
    if problem is not None:
        raise PipelineTextError(f"line {problem.line}: {problem.message}; fix that first")
    return parse_python(text)


def with_steps_in_order(text: str, numbers: Sequence[int]) -> str:
    """Return the text with these steps in this order; the others are left out."""
    return rearranged(text, _steps(text), [number - 1 for number in numbers])


def with_step_copied(text: str, number: int) -> str:
    """Return the text with a second copy of a step after it, whose name, if it is written, says that it is a copy."""
    count = len(_steps(text).elts)
    order = [*range(1, number + 1), number, *range(number + 1, count + 1)]
    copied = with_steps_in_order(text, order)
    step = outline_of(copied).steps[number]
    return with_keyword(copied, number + 1, "name", source_text(step.name + _COPY)) if step.is_named else copied


def with_keyword(text: str, number: int, name: str, source: str | None) -> str:
    """Return the text with an argument of a step set, or removed if ``source`` is None."""
    node, places = _step(text, number), Places(text)
    found = next((each for each in node.keywords if each.arg == name), None)
    if found is None:
        return text if source is None else _with_new_keyword(text, node, f"{name}={source}")
    if source is not None:
        return text[: places.start(found.value)] + source + text[places.end(found.value) :]
    return _without(text, node, found)


def with_channel(text: str, number: int, branch: int, key: str | None, group_by: str) -> str:
    """Return the text with the functions of a branch applied to another channel.

    Args:
        text: the text.
        number: the step.
        branch: the branch.
        key: source of the channel; None for all channels, which is only possible if there is one branch.
        group_by: source of ``group_by``, if the step does not have it yet.
    """
    func, places = _func(text, number), Places(text)
    if isinstance(func, ast.Dict):
        old = func.keys[branch]
        if key is not None and old is not None:
            return text[: places.start(old)] + key + text[places.end(old) :]
        if len(func.values) > 1:
            raise PipelineTextError("the step names several channels; remove the others first")
        text = text[: places.start(func)] + places.source(func.values[0]) + text[places.end(func) :]
        return with_keyword(text, number, "group_by", None)
    if key is None:
        return text
    text = f"{text[: places.start(func)]}{{{key}: {places.source(func)}}}{text[places.end(func) :]}"
    return with_keyword(text, number, "group_by", group_by)


def with_call(text: str, number: int, branch: int, info: FunctionInfo) -> str:
    """Return the text with another function after those of a branch, and with the import that it needs."""
    if info.module:
        text = with_import(text, info.module, info.name)
    value, places = _branch(text, number, branch), Places(text)
    entry = call_source(info)
    if isinstance(value, ast.List):
        last = value.elts[-1]
        return appended(text, places.start(last), places.end(last), places.end(value) - 1, entry)
    return f"{text[: places.start(value)]}[{places.source(value)}, {entry}]{text[places.end(value) :]}"


def with_calls_in_order(text: str, number: int, branch: int, order: Sequence[int]) -> str:
    """Return the text with the functions of a branch in another order, in which some may be missing, but not all."""
    value, places = _branch(text, number, branch), Places(text)
    if not isinstance(value, ast.List) or not order:
        return text
    if len(order) == 1:
        return text[: places.start(value)] + places.source(value.elts[order[0]]) + text[places.end(value) :]
    return rearranged(text, value, order)


def with_constant(text: str, name: str, source: str) -> str:
    """Return the text with another value of a setting."""
    places = Places(text)
    for node in parsed(text).body:
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == name for target in node.targets):
            return text[: places.start(node.value)] + source + text[places.end(node.value) :]
    raise PipelineTextError(f"{name} is not set here; set it in the Python text")


def call_source(info: FunctionInfo) -> str:
    """Return the source of a function in a step, with placeholders for its required arguments."""
    told = ", ".join(f'"{each.name}": {source_text(each.start_value)}' for each in info.parameters if each.is_required)
    return f"({info.name}, {{{told}}})" if told else info.name


def with_entry(text: str, info: FunctionInfo, make: Callable[[str], str], after: int | None) -> str:
    """Return the text with a step for a function, and with the imports that it needs.

    Args:
        text: the text.
        info: the function.
        make: returns the source of the step from that of its function with arguments.
        after: number of the step that it follows; None to append it.

    Raises:
        PipelineTextError: the text has a syntax error, or ``pipeline_steps`` is not written as a list.
    """
    parsed(text)
    text = with_import(text, _STEP_MODULE, PLATE_STEP if info.is_over_plate else STEP)
    if info.module:
        text = with_import(text, info.module, info.name)
    entry, tree, places = make(call_source(info)), parsed(text), Places(text)
    found = steps_list(tree)
    if found is None:
        if any(assigns_steps(node) for node in tree.body):
            raise PipelineTextError(f"{STEPS} is not written as a list here; add the step in the Python text")
        return text.rstrip("\n") + f"\n\n{STEPS} = [\n    {entry},\n]\n"
    if not found.elts:
        return f"{text[: places.start(found)]}[\n    {entry},\n]{text[places.end(found) :]}"
    last = found.elts[-1]
    text = appended(text, places.start(last), places.end(last), places.end(found) - 1, entry)
    count = len(found.elts)
    if after is None or after >= count:
        return text
    return with_steps_in_order(text, [*range(1, after + 1), count + 1, *range(after + 1, count + 1)])


def with_import(text: str, module: str, name: str) -> str:
    """Return the text with an import of a name, unless it has it."""
    tree, places = parsed(text), Places(text)
    if imports_of(tree).get(name) == f"{module}.{name}":
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
        last = places.end(nodes[-1])
        end = text.find("\n", last)
        return f"{text}\n{line}" if end < 0 else text[: end + 1] + line + text[end + 1 :]
    first = tree.body[0] if tree.body else None
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    at = places.end(first) if first is not None and is_docstring else 0
    return f"{text[:at]}\n\n{line}\n{text[at:].lstrip(chr(10))}" if at else f"{line}\n{text}"


def _steps(text: str) -> ast.List:
    found = steps_list(parsed(text))
    if found is None:
        raise PipelineTextError(f"{STEPS} is not written as a list here; edit it in the Python text")
    return found


def _step(text: str, number: int) -> ast.Call:
    node = _steps(text).elts[number - 1]
    if not isinstance(node, ast.Call) or ast.unparse(node.func).rpartition(".")[2] not in (STEP, PLATE_STEP):
        raise PipelineTextError(f"step {number} is written in Python; edit it there")
    return node


def _func(text: str, number: int) -> ast.expr:
    node = _step(text, number)
    named = (each.value for each in node.keywords if each.arg == "func")
    func = node.args[0] if node.args else next(named, None)
    if func is None:
        raise PipelineTextError(f"step {number} has no function; write one in the Python text")
    return func


def _branch(text: str, number: int, branch: int) -> ast.expr:
    func = _func(text, number)
    return func.values[branch] if isinstance(func, ast.Dict) else func


def _with_new_keyword(text: str, node: ast.Call, entry: str) -> str:
    places = Places(text)
    parts: list[ast.expr | ast.keyword] = sorted([*node.args, *node.keywords], key=places.start)
    close = places.end(node) - 1
    if not parts:
        return text[:close] + entry + text[close:]
    is_one_line = node.lineno == node.end_lineno
    made = appended(text, places.start(parts[-1]), places.end(parts[-1]), close, entry)
    line = made[places.line_start(node.lineno) :].partition("\n")[0]
    if not is_one_line or len(line) <= WIDTH or text[places.line_start(node.lineno) : places.start(node)].strip():
        return made
    indent = " " * node.col_offset
    told = [text[places.start(part) : places.end(part)] for part in parts]
    rows = "".join(f"{indent}    {part},\n" for part in [*told, entry])
    return f"{text[: places.start(node)]}{places.source(node.func)}(\n{rows}{indent}){text[places.end(node) :]}"


def _without(text: str, node: ast.Call, keyword: ast.keyword) -> str:
    """Return the text without an argument, with its line if it is alone on it."""
    places = Places(text)
    start, end = places.start(keyword), places.end(keyword)
    line_start, line_end = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    alone = not text[line_start:start].strip() and text[end:line_end].partition("#")[0].strip() in ("", ",")
    if alone and line_end < places.end(node):
        return text[:line_start] + text[line_end + 1 :]
    ends = [*map(places.end, node.args), *map(places.end, node.keywords)]
    before = [each for each in ends if each <= start]
    if before and "#" not in text[max(before) : start]:
        return text[: max(before)] + text[end:]
    after = len(text[end:]) - len(text[end:].lstrip(", "))
    return text[:start] + text[end + after :]
