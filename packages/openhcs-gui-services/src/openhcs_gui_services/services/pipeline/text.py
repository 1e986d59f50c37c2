"""Reads the text of a pipeline file through its syntax tree, without running it: steps, functions, settings, imports.

Steps are recognized if ``pipeline_steps`` is written as a list of ``FunctionStep(...)`` and ``PlateStep(...)`` calls.
"""

import ast
import enum
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from openhcs_gui_services.services.pipeline.places import Places
from openhcs_gui_services.services.pipeline.problems import Problem, syntax_problem
from openhcs_gui_services.services.pipeline.step_form import FunctionInfo, in_words, read_functions
from openhcs_runtime.pipeline.parsing import parse_python

__all__ = [
    "PLATE_STEP",
    "STEP",
    "STEPS",
    "Branch",
    "CallEntry",
    "Constant",
    "PipelineOutline",
    "StepEntry",
    "StepKind",
    "assigns_steps",
    "imports_of",
    "outline_of",
    "steps_list",
    "with_arguments",
]

STEPS: Final = "pipeline_steps"
STEP: Final = "FunctionStep"
PLATE_STEP: Final = "PlateStep"
_LONGEST_TITLE: Final = 60


class StepKind(enum.Enum):
    """What an entry of the list of steps is."""

    WELLS = "wells"
    """A step over the wells."""
    PLATE = "plate"
    """A step over the plate, which runs once."""
    PYTHON = "python"
    """An expression that is not written as a step, such as a call that makes one."""


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

    @property
    def title(self) -> str:
        """The function in words."""
        return in_words(self.function.rpartition(".")[2])


@dataclass(frozen=True, slots=True)
class Branch:
    """The functions for one value of ``group_by``; ``key`` is its source, None if they are for all images."""

    key: str | None
    calls: tuple[CallEntry, ...]


@dataclass(frozen=True, slots=True)
class StepEntry:
    """A step; its number and its lines count from 1.

    Attributes:
        number: its number.
        name: its name or, as in messages, the names of its functions.
        line: its first line.
        end_line: its last line.
        calls: all its functions.
        kind: what it is.
        is_named: whether its name is written.
        branches: its functions by value of ``group_by``.
        keywords: source of its other arguments by name.
    """

    number: int
    name: str
    line: int
    end_line: int
    calls: tuple[CallEntry, ...]
    kind: StepKind = StepKind.WELLS
    is_named: bool = False
    branches: tuple[Branch, ...] = ()
    keywords: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Its name, or its functions in words."""
        if self.is_named or self.kind is StepKind.PYTHON:
            return self.name
        return ", ".join(dict.fromkeys(call.title for call in self.calls)) or self.name

    @property
    def is_enabled(self) -> bool:
        """Whether it is on, as far as that is written as True or False."""
        return self.keywords.get("enabled") != "False"


@dataclass(frozen=True, slots=True)
class Constant:
    """A setting of the pipeline: a name in capitals with a plain value, at the top level of the text.

    Attributes:
        name: its name.
        source: source of its value.
        value: its value.
        comment: the comment behind it.
        line: its line, from 1.
        uses: how often it is used.
    """

    name: str
    source: str
    value: object
    comment: str
    line: int
    uses: int


@dataclass(frozen=True, slots=True)
class PipelineOutline:
    """The definitions in a text.

    Attributes:
        steps: the steps, in order.
        imports: origin of each imported name: ``{"blur": "my.module.blur"}``.
        functions: public functions that the text itself defines.
        problem: the syntax error, if there is one.
        python_line: line of code that makes or changes the list of steps, which is edited as Python; None if there is
            no such code.
        constants: the settings.
        names: all names that are defined or imported; ``*`` if a module is imported with all its names.
        aliases: source of the value of each name that is set once at the top level.
    """

    steps: tuple[StepEntry, ...] = ()
    imports: Mapping[str, str] | None = None
    functions: tuple[FunctionInfo, ...] = ()
    problem: Problem | None = None
    python_line: int | None = None
    constants: tuple[Constant, ...] = ()
    names: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)

    def step_at(self, line: int) -> StepEntry | None:
        """Return the step on a line, from 1; None if there is none."""
        return next((step for step in self.steps if step.line <= line <= step.end_line), None)

    def constant(self, name: str) -> Constant | None:
        """Return a setting; None if there is none with this name."""
        return next((each for each in self.constants if each.name == name), None)

    def value_of(self, source: str) -> object:
        """Return the value of a literal or a setting; None for anything else."""
        constant = self.constant(source)
        if constant is not None:
            return constant.value
        try:
            return ast.literal_eval(source)
        except (ValueError, SyntaxError):
            return None


def outline_of(text: str) -> PipelineOutline:
    """Return the definitions in a text, or only the syntax error if there is one."""
    problem = syntax_problem(text)
    if problem is not None:
        return PipelineOutline(problem=problem)
    tree = parse_python(text)
    places = Places(text)
    nodes = tuple(ast.walk(tree))
    settings = dict(_settings(tree, nodes))
    found = steps_list(tree)
    steps = tuple(_step(number, node, places) for number, node in enumerate(found.elts if found else (), start=1))
    return PipelineOutline(
        steps=steps,
        imports=imports_of(tree),
        functions=read_functions(tree),
        python_line=_python_line(tree),
        constants=tuple(_constants(settings, nodes, places)),
        names=frozenset(_names(nodes)),
        aliases={name: places.source(node.value) for name, node in settings.items()},
    )


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


def assigns_steps(node: ast.stmt) -> bool:
    """Return whether a statement is ``pipeline_steps = ...``."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(isinstance(target, ast.Name) and target.id == STEPS for target in targets)


def steps_list(tree: ast.Module) -> ast.List | None:
    """Return the list that the steps are written in; None if they are made in another way."""
    values = [node.value for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign) and assigns_steps(node)]
    last = values[-1] if values else None
    return last if isinstance(last, ast.List) else None


def imports_of(tree: ast.Module) -> dict[str, str]:
    """Return the origin of each imported name."""
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
        elif isinstance(node, ast.Import):
            found |= {each.asname or each.name: each.name for each in node.names}
    return found


def _python_line(tree: ast.Module) -> int | None:
    """Return the line of the first code that makes the steps other than as one list."""
    made = [node for node in tree.body if assigns_steps(node)]
    for node in tree.body:
        if node in made[-1:] and steps_list(tree) is not None:
            continue
        is_used = any(isinstance(part, ast.Name) and part.id == STEPS for part in ast.walk(node))
        if is_used and not isinstance(node, ast.FunctionDef | ast.ClassDef):
            return node.lineno
    return None


def _step(number: int, node: ast.expr, places: Places) -> StepEntry:
    kind = _kind(node)
    if not isinstance(node, ast.Call) or kind is StepKind.PYTHON:
        source = " ".join(places.source(node).split())
        short = source if len(source) <= _LONGEST_TITLE else f"{source[: _LONGEST_TITLE - 1]}…"
        return StepEntry(number, short, node.lineno, node.end_lineno or node.lineno, (), StepKind.PYTHON)
    keywords = {each.arg: each.value for each in node.keywords if each.arg}
    func = node.args[0] if node.args else keywords.pop("func", None)
    branches = tuple(_branches(func, places)) if func is not None else ()
    calls = tuple(call for branch in branches for call in branch.calls)
    name = keywords.get("name")
    given = name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else ""
    made = " + ".join(dict.fromkeys(call.function.rpartition(".")[2] for call in calls))
    return StepEntry(
        number=number,
        name=given or made,
        line=node.lineno,
        end_line=node.end_lineno or node.lineno,
        calls=calls,
        kind=kind,
        is_named=bool(given),
        branches=branches,
        keywords={name: places.source(value) for name, value in keywords.items()},
    )


def _kind(node: ast.expr) -> StepKind:
    called = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
    return {STEP: StepKind.WELLS, PLATE_STEP: StepKind.PLATE}.get(called, StepKind.PYTHON)


def _branches(node: ast.expr, places: Places) -> Iterator[Branch]:
    if not isinstance(node, ast.Dict):
        yield Branch(None, tuple(_calls(node, places)))
        return
    for key, value in zip(node.keys, node.values, strict=True):
        if key is not None:
            yield Branch(places.source(key), tuple(_calls(value, places)))


def _calls(node: ast.expr, places: Places) -> Iterator[CallEntry]:
    """Yield the functions written as a name, (name, {...}) or a list of these."""
    if isinstance(node, ast.Name | ast.Attribute):
        yield CallEntry(places.source(node), places.start(node), places.end(node), {})
    elif isinstance(node, ast.Tuple) and len(node.elts) == 2 and isinstance(node.elts[0], ast.Name | ast.Attribute):
        yield _call_with_arguments(node, places)
    elif isinstance(node, ast.List | ast.Tuple):
        for part in node.elts:
            yield from _calls(part, places)


def _call_with_arguments(node: ast.Tuple, places: Places) -> CallEntry:
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


def _settings(tree: ast.Module, nodes: Sequence[ast.AST]) -> Iterator[tuple[str, ast.Assign]]:
    """Yield the names that are set once, at the top level."""
    made = Counter(node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if made[name] == 1 and name != STEPS:
                yield name, node


def _constants(settings: Mapping[str, ast.Assign], nodes: Sequence[ast.AST], places: Places) -> Iterator[Constant]:
    """Yield the names in capitals that are set once, to a literal."""
    uses = Counter(node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
    for name, node in settings.items():
        if not name.isupper():
            continue
        try:
            value = ast.literal_eval(node.value)
        except ValueError:
            continue
        rest = places.text[places.end(node) : places.line_start((node.end_lineno or node.lineno) + 1)]
        comment = rest.partition("#")[2].strip()
        yield Constant(name, places.source(node.value), value, comment, node.lineno, uses[name])


def _names(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Yield all names that are defined or imported anywhere: an inner one is not an error that a text shows."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((each.asname or each.name).partition(".")[0] for each in node.names)
