"""What a script defines only in a block ``if __name__ == "__main__":``, which workers do not enter."""

import ast
import functools
import tokenize
from collections.abc import Iterable, Iterator

__all__ = ["is_guarded"]

_OWN_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def is_guarded(file: str, name: str) -> bool:
    """Return whether a name at the top of a source file is defined in such a block, and nowhere outside of it."""
    return name in _guarded_names(file)


@functools.lru_cache(maxsize=64)
def _guarded_names(file: str) -> frozenset[str]:
    """Return these names; none if the file cannot be read or parsed, as the import in the worker then says why."""
    try:
        with tokenize.open(file) as source:
            tree = ast.parse(source.read())
    except (OSError, SyntaxError, ValueError):
        return frozenset()
    inside: list[ast.stmt] = []
    outside: list[ast.stmt] = []
    for statement in tree.body:
        if isinstance(statement, ast.If) and _is_guard(statement.test):
            inside += statement.body
            outside += statement.orelse
        else:
            outside.append(statement)
    return frozenset(_names_in(inside)) - frozenset(_names_in(outside))


def _is_guard(test: ast.expr) -> bool:
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not isinstance(test.ops[0], ast.Eq):
        return False
    sides = [test.left, test.comparators[0]]
    has_name = any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
    return has_name and any(isinstance(side, ast.Constant) and side.value == "__main__" for side in sides)


def _names_in(statements: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the names that statements bind in their own scope."""
    for node in statements:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        if isinstance(node, ast.alias):
            yield node.asname or node.name.partition(".")[0]
        if not isinstance(node, _OWN_SCOPES):
            yield from _names_in(ast.iter_child_nodes(node))
