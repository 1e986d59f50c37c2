"""The part of a source text that some of its functions depend on, found by the names that they use.

A definition is left out only if making it can't have an effect on another one. All imports are kept, because importing
a module may do anything; so are classes that others can find, what unknown decorators decorate, and statements that do
more than define a name.
"""

import ast
from collections.abc import Collection, Iterable, Iterator

from openhcs_runtime.pipeline.parsing import parse_python

_STEPS = "pipeline_steps"
_DYNAMIC = frozenset({"globals", "locals", "vars", "eval", "exec", "import_module", "modules", "f_globals", "tb_frame"})
"""Names in code that may use definitions without naming them; so do names like ``__globals__``."""
_KNOWN = frozenset(
    {"__name__", "__file__", "__doc__", "__version__", "__init__", "__post_init__", "__call__", "__len__", "__iter__"}
    | {
        "__getitem__",
        "__setitem__",
        "__contains__",
        "__eq__",
        "__hash__",
        "__repr__",
        "__str__",
        "__array__",
        "__all__",
    }
    | {"__enter__", "__exit__", "__name__", "__future__"}
)
"""Names with underscores that find nothing that is not named."""
_HARMLESS = frozenset(
    {"FunctionStep", "PlateStep", "GlobalConfig", "PipelineConfig", "Path", "field", "bool", "dict", "float", "int"}
    | {"frozenset", "len", "list", "max", "min", "range", "round", "set", "sorted", "str", "sum", "tuple"}
)
"""Functions that only make a value; a call of any other may have an effect on other definitions."""
_DECORATORS = frozenset(
    {"special_inputs", "special_outputs", "plate_inputs", "plate_output", "checked_by", "reduces", "per_plane", "model"}
    | {
        "cache",
        "lru_cache",
        "wraps",
        "njit",
        "jit",
        "vectorize",
        "guvectorize",
        "dataclass",
        "staticmethod",
        "property",
    }
    | {"classmethod", "contextmanager"}
)
"""Decorators that only change what they decorate."""
_BASES = frozenset(
    {"object", "Enum", "IntEnum", "StrEnum", "NamedTuple", "TypedDict", "Protocol", "Exception", "ValueError"}
)
"""Bases that do nothing with the classes made from them."""
_MAKERS = ("openhcs_runtime", "functools", "numba", "dataclasses", "contextlib", "enum", "typing", "pathlib")
"""Packages that a known decorator, base or function comes from."""


def reachable_source(text: str, names: Collection[str]) -> str:
    """Return the statements that the definitions of ``names`` depend on, directly or through others.

    The whole text is returned if that can't be determined: if it can't be parsed, if it doesn't define a name at the
    top level, or if the code may look up names itself.

    Args:
        text: Source text of a pipeline file.
        names: Names of its functions and classes.
    """
    try:
        body = parse_python(text).body
    except (SyntaxError, ValueError):
        return text
    spare = _Spare(body)
    defined: dict[str, list[int]] = {}
    wanted: list[int] = []
    for place, node in enumerate(body):
        for name in _bound(node):
            defined.setdefault(name, []).append(place)
        if not spare.is_definition(node):
            wanted.append(place)
    if not set(names) <= defined.keys():
        return text
    wanted += [place for name in names for place in defined[name]]
    kept: set[int] = set()
    while wanted:
        place = wanted.pop()
        if place in kept:
            continue
        kept.add(place)
        used = set(_names_in(body[place]))
        if any(map(_may_find_any, used)):
            return text
        wanted += [other for name in used for other in defined.get(name, ())]
    return ast.unparse(ast.Module([body[place] for place in sorted(kept)], []))


class _Spare:
    """Which statements of a module have no effect on others, except that they define names."""

    def __init__(self, body: Iterable[ast.stmt]) -> None:
        body = list(body)
        self._foreign = {name: _makers_of(node) for node in body for name in _bound(node) if _makers_of(node)}
        self._own = {name for node in body for name in _bound(node) if not _makers_of(node)}

    def is_definition(self, node: ast.stmt) -> bool:
        """Return whether a statement does nothing but define names, or is about the list of steps."""
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                parts = [*node.args.defaults, *node.args.kw_defaults, *_annotations(node)]
                return self._are_known(node.decorator_list, _DECORATORS) and self._are_harmless(parts)
            case ast.ClassDef():
                inner = [part for part in node.body if not self.is_definition(part)]
                is_plain = not inner and not node.keywords and self._are_known(node.bases, _BASES)
                return is_plain and self._are_known(node.decorator_list, _DECORATORS)
            case ast.Assign(targets=targets, value=value):
                return self._is_assignment(targets, value)
            case ast.AnnAssign(target=target, value=value) | ast.AugAssign(target=target, value=value):
                return self._is_assignment([target], value)
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                return True
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
                return name == _STEPS  # pipeline_steps.append(...)
            case _:
                return False

    def _is_assignment(self, targets: Iterable[ast.expr], value: ast.expr | None) -> bool:
        names = [name for target in targets for name in _targets(target)]
        if "" in names:
            return False
        return names == [_STEPS] or self._are_harmless([value])

    def _are_harmless(self, nodes: Iterable[ast.expr | None]) -> bool:
        """Return whether evaluating these has no effect: they call nothing but functions that make values."""
        for inner in (inner for node in nodes if node is not None for inner in ast.walk(node)):
            if isinstance(inner, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom):
                return False
            if isinstance(inner, ast.Call) and not self._is_known(inner.func, _HARMLESS):
                return False
        return True

    def _are_known(self, nodes: Iterable[ast.expr], known: Collection[str]) -> bool:
        for node in nodes:
            called = node.func if isinstance(node, ast.Call) else node
            parts = [*node.args, *(word.value for word in node.keywords)] if isinstance(node, ast.Call) else []
            if not self._is_known(called, known) or not self._are_harmless(parts):
                return False
        return True

    def _is_known(self, node: ast.expr, known: Collection[str]) -> bool:
        """Return whether a name, or an attribute of an imported module, is one of these and not redefined here."""
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            return node.attr in known and node.value.id in self._foreign
        if not isinstance(node, ast.Name) or node.id not in known:
            return False
        return node.id not in self._own


def _makers_of(node: ast.stmt) -> bool:
    """Return whether a statement imports from a package that known decorators and functions come from."""
    match node:
        case ast.Import(names=aliases):
            return all(alias.name.partition(".")[0] in _MAKERS for alias in aliases)
        case ast.ImportFrom(module=module, level=0):
            return (module or "").partition(".")[0] in _MAKERS
        case _:
            return False


def _bound(node: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement defines in the module, wherever in it."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
            return
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in aliases)
            return
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id
        elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield inner.name
        elif isinstance(inner, ast.alias):
            yield inner.asname or inner.name.partition(".")[0]


def _targets(target: ast.expr) -> Iterator[str]:
    """Yield the names that are assigned; empty for anything but a name."""
    if isinstance(target, ast.Tuple | ast.List):
        for inner in target.elts:
            yield from _targets(inner)
    else:
        yield target.id if isinstance(target, ast.Name) else ""


def _annotations(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr | None]:
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    yield from (argument.annotation for argument in every if argument is not None)
    yield node.returns


def _names_in(node: ast.stmt) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            yield inner.id
        elif isinstance(inner, ast.Attribute):
            yield inner.attr
        elif isinstance(inner, ast.Global):
            yield from inner.names


def _may_find_any(name: str) -> bool:
    return name in _DYNAMIC or (name.startswith("__") and name.endswith("__") and name not in _KNOWN)
