"""The part of a source text that some of its functions depend on, found by the names that they use."""

import ast
from collections.abc import Collection, Iterator

from openhcs_runtime.pipeline.parsing import parse_python

_STEPS = "pipeline_steps"
_DYNAMIC = frozenset(
    {"globals", "locals", "vars", "eval", "exec", "__import__", "import_module", "modules", "__dict__"}
)
"""Names in code that may use definitions without naming them."""
_HARMLESS = frozenset(
    {"FunctionStep", "PlateStep", "GlobalConfig", "PipelineConfig", "Path", "bool", "dict", "float", "frozenset", "int"}
    | {"len", "list", "max", "min", "range", "round", "set", "sorted", "str", "sum", "tuple"}
)
"""Functions that only make a value; a call of any other may have an effect on other definitions."""


def reachable_source(text: str, names: Collection[str]) -> str:
    """Return the statements that the definitions of ``names`` depend on, directly or through others.

    These are their own definitions, those of all names used in them, and the statements that are neither definitions
    nor the list of steps, because they may change anything. The whole text is returned if that can't be determined:
    if it can't be parsed, if it doesn't define a name at the top level, or if the code may look up names itself.

    Args:
        text: Source text of a pipeline file.
        names: Names of its functions and classes.
    """
    try:
        tree = parse_python(text)
    except (SyntaxError, ValueError):
        return text
    defined: dict[str, list[int]] = {}
    wanted: list[int] = []
    for place, node in enumerate(tree.body):
        bound = _bound(node)
        if bound is None:
            wanted += [] if _is_about_steps(node) else [place]
        for name in bound or ():
            defined.setdefault(name, []).append(place)
    if not set(names) <= defined.keys():
        return text
    wanted += defined.get("*", [])
    wanted += [place for name in names for place in defined[name]]
    kept: set[int] = set()
    while wanted:
        place = wanted.pop()
        if place in kept:
            continue
        kept.add(place)
        used = set(_names_in(tree.body[place]))
        if used & _DYNAMIC:
            return text
        wanted += [other for name in used for other in defined.get(name, ())]
    return ast.unparse(ast.Module([tree.body[place] for place in sorted(kept)], []))


def _bound(node: ast.stmt) -> list[str] | None:
    """Return the names that a statement defines, if that is all that it does; else None."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return [alias.asname or alias.name.partition(".")[0] for alias in aliases]
        case ast.Assign(targets=targets, value=value):
            return _plain_targets(targets, value)
        case ast.AnnAssign(target=target, value=value) | ast.AugAssign(target=target, value=value):
            return _plain_targets([target], value)
        case ast.Expr(value=ast.Constant()) | ast.Pass():
            return []
        case _:
            return None


def _plain_targets(targets: list[ast.expr], value: ast.expr | None) -> list[str] | None:
    """Return the names that an assignment defines; None if it may have other effects."""
    found: list[str] = []
    for target in targets:
        inner = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
        for each in inner:
            if not isinstance(each, ast.Name):
                return None
            found.append(each.id)
    calls = [node for node in ast.walk(value) if isinstance(node, ast.Call)] if value is not None else []
    has_effects = any(not (isinstance(call.func, ast.Name) and call.func.id in _HARMLESS) for call in calls)
    return None if has_effects and found != [_STEPS] else found


def _is_about_steps(node: ast.stmt) -> bool:
    """Match ``pipeline_steps.append(...)`` and the like."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return False
    function = node.value.func
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == _STEPS


def _names_in(node: ast.stmt) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            yield inner.id
        elif isinstance(inner, ast.Attribute):
            yield inner.attr
        elif isinstance(inner, ast.Global):
            yield from inner.names
