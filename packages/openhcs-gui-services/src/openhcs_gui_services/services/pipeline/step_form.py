"""Reads the parameters for a step's form from a function's source, without importing or running it.

Arguments that the engine passes (the stack, and those declared with ``@special_inputs``) are not part of the form. The
help of a parameter is the text after ``name:`` in the docstring.
"""

import ast
import enum
import importlib.util
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from openhcs_runtime.pipeline.libraries import BUILT_IN, function_libraries
from openhcs_runtime.pipeline.parsing import parse_python

__all__ = [
    "FunctionInfo",
    "ParameterKind",
    "StepParameter",
    "in_words",
    "read_functions",
    "read_libraries",
    "read_library",
    "source_text",
]

_LOG: Final = logging.getLogger(__name__)
_UNITS: Final = {"px": "px", "um": "µm", "px2": "px²", "um2": "µm²", "s": "s"}
_ENUM_BASES: Final = {"Enum", "StrEnum", "IntEnum"}
_PRIVATE: Final = "_"
_OR_NONE: Final = " | None"


class ParameterKind(enum.Enum):
    """The kind of input field for a parameter."""

    INTEGER = "integer"
    NUMBER = "number"
    SWITCH = "switch"
    TEXT = "text"
    CHOICE = "choice"
    LITERAL = "literal"
    """Any other Python literal, such as ``(2, 3)`` or ``None``."""


_NUMBERS: Final = {ParameterKind.INTEGER, ParameterKind.NUMBER}
_STARTS: Final = {
    ParameterKind.INTEGER: 1,
    ParameterKind.NUMBER: 1.0,
    ParameterKind.SWITCH: False,
    ParameterKind.TEXT: "",
    ParameterKind.CHOICE: "",
    ParameterKind.LITERAL: None,
}


@dataclass(frozen=True, slots=True)
class StepParameter:
    """One parameter; ``default`` is a plain Python value, which has no meaning if ``is_required``."""

    name: str
    kind: ParameterKind
    default: object = None
    is_required: bool = False
    choices: tuple[object, ...] = ()
    help: str = ""
    is_optional: bool = False
    """Whether a number may be None, which leaves it to the function."""
    title: str = ""
    """What it is called, if that is not its name in words."""
    none_title: str = ""
    """What None is called among the choices."""

    @property
    def start_value(self) -> object:
        """Initial value in a form and in a new step: the default, or a placeholder if there is none."""
        if not self.is_required:
            return self.default
        return self.choices[0] if self.choices else _STARTS[self.kind]

    @property
    def unit(self) -> str:
        """Unit of its value, as the end of its name says it: ``px``; "" if it has none."""
        first, _, last = self.name.rpartition("_")
        return _UNITS.get(last.lower(), "") if first else ""

    @property
    def words(self) -> str:
        """Its name in words, without the unit: ``Min distance`` for ``min_distance_px``."""
        return self.title or in_words(self.name.rpartition("_")[0] if self.unit else self.name)

    @property
    def label(self) -> str:
        """Its name in words with the unit: ``Min distance (px)``."""
        return f"{self.words} ({self.unit})" if self.unit else self.words


@dataclass(frozen=True, slots=True)
class FunctionInfo:
    """A pipeline function.

    Attributes:
        name: name of the function.
        module: package that it is imported from; "" for the pipeline file itself.
        group: name of its group in menus.
        summary: first line of the docstring.
        help: the whole docstring.
        parameters: parameters of its form.
        is_over_plate: whether it is for a step over the plate.
        inputs: arguments that the engine passes, such as ``labels``.
        finds: name of the objects that it labels; "" if it labels none.
    """

    name: str
    module: str
    group: str
    summary: str
    help: str
    parameters: tuple[StepParameter, ...]
    is_over_plate: bool = False
    inputs: frozenset[str] = frozenset()
    finds: str = ""

    @property
    def title(self) -> str:
        """Its name in words: ``Segment nuclei``."""
        return in_words(self.name)


def read_libraries() -> tuple[FunctionInfo, ...]:
    """Return the functions of all installed libraries; one that can't be read is logged and left out."""
    found: list[FunctionInfo] = []
    for library in function_libraries():
        category = "" if library.module == BUILT_IN else in_words(library.name)
        try:
            found += read_library(library.module, category)
        except (ImportError, OSError, SyntaxError, ValueError) as error:
            _LOG.warning("the functions of %s can't be offered: %s", library.package or library.module, error)
    return tuple(found)


def read_library(package: str = BUILT_IN, category: str = "") -> tuple[FunctionInfo, ...]:
    """Return the public functions of a package, grouped by module or folder, without importing it.

    Args:
        package: a package, or a single module.
        category: what the names of its groups begin with.

    Raises:
        ModuleNotFoundError: the package doesn't exist.
    """
    sources = [(group, parse_python(path.read_text(encoding="utf-8"))) for group, path in _sources_of(package)]
    trees = [tree for _, tree in sources]
    front = next((tree for group, tree in sources if group == "__init__"), trees[0])
    public = _names_in_stub(package) or _public_names(trees, front)
    enums = {name: values for tree in trees for name, values in _enums_of(tree).items()}
    return tuple(
        _info(node, package, _group(category, group, front is tree), enums, tree)
        for group, tree in sources
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name in public
    )


def _sources_of(package: str) -> list[tuple[str, Path]]:
    """Return the modules of a package, each with its name or that of the folder in the package that it is in."""
    spec = importlib.util.find_spec(package)
    if spec is None or not (spec.submodule_search_locations or spec.origin):
        raise ModuleNotFoundError(f"no package {package}", name=package)
    if not spec.submodule_search_locations:
        return [(Path(str(spec.origin)).stem, Path(str(spec.origin)))]
    folder = Path(next(iter(spec.submodule_search_locations)))
    inside = sorted(path.relative_to(folder) for path in [*folder.glob("*.py"), *folder.glob("*/*.py")])
    return [(Path(path.parts[0]).stem, folder / path) for path in inside]


def _group(category: str, module: str, is_front: bool) -> str:
    """Return the name of a group in menus: of the module, of the category, or of both."""
    if not category:
        return in_words(module)
    return category if is_front else f"{category}: {in_words(module).lower()}"


def in_words(name: str) -> str:
    """Return the words of a name in Python: ``Segment nuclei`` for ``segment_nuclei``."""
    return name.replace("_", " ").replace("-", " ").capitalize()


def read_functions(tree: ast.Module) -> tuple[FunctionInfo, ...]:
    """Return the public functions that are defined in a pipeline file itself."""
    enums = _enums_of(tree)
    return tuple(
        _info(node, "", "This file", enums, tree)
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith(_PRIVATE)
    )


def _info(
    node: ast.FunctionDef, module: str, group: str, enums: Mapping[str, tuple[object, ...]], tree: ast.Module
) -> FunctionInfo:
    text = ast.get_docstring(node) or ""
    inputs = _from_engine(node, tree)
    return FunctionInfo(
        name=node.name,
        module=module,
        group=group,
        summary=text.partition("\n")[0].strip(),
        help=text,
        parameters=tuple(_parameters(node, text, enums, inputs)),
        is_over_plate=any(True for _ in _marks(node, "plate_output")),
        inputs=inputs,
        finds=_found_by(node),
    )


def _found_by(node: ast.FunctionDef) -> str:
    """Return the name of the objects that a function labels; "" if it labels none."""
    for mark in _marks(node, "special_outputs"):
        if any(ast.unparse(part).rpartition(".")[2] == "LABELS" for part in mark.args):
            named = (each.value for each in mark.keywords if each.arg == "finds")
            return next((str(each.value) for each in named if isinstance(each, ast.Constant)), node.name)
    return ""


def _parameters(
    node: ast.FunctionDef, text: str, enums: Mapping[str, tuple[object, ...]], from_engine: frozenset[str]
) -> Iterable[StepParameter]:
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    pairs = [*zip(positional, defaults, strict=True)][1:]  # the first argument is the stack
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    names = [argument.arg for argument, _ in pairs]
    for argument, default in pairs:
        if argument.arg not in from_engine:
            yield _parameter(argument, default, _help_of(argument.arg, names, text), enums)


def _parameter(
    argument: ast.arg, default: ast.expr | None, help_text: str, enums: Mapping[str, tuple[object, ...]]
) -> StepParameter:
    value = _value(default, enums)
    annotation = "" if argument.annotation is None else ast.unparse(argument.annotation)
    kind, choices = _kind(annotation, value, enums)
    is_optional = kind in _NUMBERS and annotation.endswith(_OR_NONE)
    return StepParameter(argument.arg, kind, value, default is None, choices, help_text, is_optional)


def _kind(
    annotation: str, value: object, enums: Mapping[str, tuple[object, ...]]
) -> tuple[ParameterKind, tuple[object, ...]]:
    plain = {
        "int": ParameterKind.INTEGER,
        "float": ParameterKind.NUMBER,
        "bool": ParameterKind.SWITCH,
        "str": ParameterKind.TEXT,
    }
    bare = annotation.removesuffix(_OR_NONE)
    if bare != annotation and bare in enums:
        return ParameterKind.CHOICE, (None, *enums[bare])
    if bare != annotation and plain.get(bare) in _NUMBERS:
        return plain[bare], ()
    if annotation in enums:
        return ParameterKind.CHOICE, enums[annotation]
    if annotation.startswith("Literal["):
        found = ast.literal_eval(f"({annotation[8:-1]},)")
        return ParameterKind.CHOICE, tuple(found)
    if annotation in plain:
        return plain[annotation], ()
    if not annotation and type(value).__name__ in plain:
        return plain[type(value).__name__], ()
    return ParameterKind.LITERAL, ()


def _value(node: ast.expr | None, enums: Mapping[str, tuple[object, ...]]) -> object:
    """Return a default as a plain value: for an enum member its value, for any other expression None."""
    if node is None:
        return None
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in enums:
        return _enum_value(node.attr, enums[node.value.id])
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


def source_text(value: object) -> str:
    """Return the source of a plain value, with strings in double quotes where possible."""
    text = repr(value)
    is_plain = isinstance(value, str) and text.startswith("'") and '"' not in text
    return f'"{text[1:-1]}"' if is_plain else text


def _enum_value(member: str, values: Iterable[object]) -> object:
    """Return the value of an enum member whose name is its value in capitals; None if there is none."""
    return next((value for value in values if str(value).upper() == member), None)


def _from_engine(node: ast.FunctionDef, tree: ast.Module) -> frozenset[str]:
    """Return the arguments passed by the engine: ``labels`` for ``@special_inputs(InputKind.LABELS)``."""
    return frozenset(
        part.attr.lower() if isinstance(part, ast.Attribute) else str(getattr(part, "value", ""))
        for name in ("special_inputs", "plate_inputs")
        for mark in _marks(node, name)
        for argument in mark.args
        for part in _spread(argument, tree)
    )


def _spread(argument: ast.expr, tree: ast.Module) -> Iterator[ast.expr]:
    """Yield the parts of ``*NAME``, a tuple of the module, or else the argument itself."""
    if not isinstance(argument, ast.Starred):
        yield argument
        return
    name = ast.unparse(argument.value)
    for node in tree.body:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Tuple):
            continue
        if any(ast.unparse(target) == name for target in node.targets):
            yield from node.value.elts


def _marks(node: ast.FunctionDef, name: str) -> Iterator[ast.Call]:
    """Yield the decorators of a function with this name."""
    for each in node.decorator_list:
        if isinstance(each, ast.Call) and ast.unparse(each.func).rpartition(".")[2] == name:
            yield each


def _enums_of(tree: ast.Module) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and any(
            ast.unparse(base).rpartition(".")[2] in _ENUM_BASES for base in node.bases
        ):
            values = [each.value for each in node.body if isinstance(each, ast.Assign)]
            found[node.name] = tuple(value.value for value in values if isinstance(value, ast.Constant))
    return found


def _names_in_stub(package: str) -> set[str]:
    """Return the names that the stub of a package's front imports; none if it has no stub."""
    spec = importlib.util.find_spec(package)
    stub = Path(spec.origin).with_suffix(".pyi") if spec is not None and spec.origin else None
    if stub is None or not stub.is_file():
        return set()
    imports = (node for node in parse_python(stub.read_text(encoding="utf-8")).body if isinstance(node, ast.ImportFrom))
    return {alias.asname or alias.name for node in imports for alias in node.names}


def _public_names(trees: Iterable[ast.Module], front: ast.Module) -> set[str]:
    """Return the names in ``__all__`` of a package's front; without one, all names that have no underscore."""
    for node in front.body:
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == "__all__" for target in node.targets):
            return set(ast.literal_eval(node.value))
    functions = (node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef))
    return {node.name for node in functions if not node.name.startswith(_PRIVATE)}


def _help_of(name: str, names: Iterable[str], text: str) -> str:
    """Return the text after ``name:``, up to the next parameter or the end of the paragraph."""
    others = "|".join(map(re.escape, names))
    pattern = rf"\b{re.escape(name)}(?: \([^)]*\))?:\s+(.+?)(?=\s+(?:{others})(?: \([^)]*\))?:\s|\n\s*\n|\Z)"
    found = re.search(pattern, text, re.DOTALL)
    words = " ".join(found[1].split()) if found else ""
    return words[:1].upper() + words[1:]
