"""Readable layout of Python expressions: on one line if they fit, otherwise one part per line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

WIDTH = 120
_INDENT = 4


@dataclass(frozen=True, slots=True)
class Group:
    """Parts in brackets: ``f(a, b)``, ``{1: a}``; a tuple with a single part keeps its comma."""

    opening: str
    parts: tuple["Expression", ...]
    closing: str
    comma_after_one: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """An expression after ``name=`` or ``key: ``."""

    prefix: str
    value: "Expression"


Expression: TypeAlias = str | Group | Named


def render(expression: Expression, indent: int = 0) -> str:
    """Return the source of an expression that starts at column ``indent``, with room for a comma after it."""
    line = one_line(expression)
    if len(line) + indent < WIDTH:
        return line
    prefix, value = (expression.prefix, expression.value) if isinstance(expression, Named) else ("", expression)
    if not isinstance(value, Group) or not value.parts:
        return line
    lines = "".join(_lines(value.parts, indent + _INDENT))
    return f"{prefix}{value.opening}\n{lines}{' ' * indent}{value.closing}"


def assignment(name: str, expression: Expression) -> str:
    """Return ``name = expression`` with a line break at the end."""
    return render(Named(f"{name} = ", expression)) + "\n"


def listing(name: str, parts: Sequence[Expression]) -> str:
    """Return an assignment of a list with one part per line and a line break at the end."""
    if not parts:
        return f"{name} = []\n"
    return f"{name} = [\n" + "".join(_lines(parts, _INDENT)) + "]\n"


def import_lines(module: str, names: Iterable[str]) -> str:
    """Return ``from module import names``, sorted, with a line break at the end."""
    ordered = sorted(names, key=_import_order)
    line = f"from {module} import {', '.join(ordered)}"
    if len(line) > WIDTH:
        line = f"from {module} import (\n" + "".join(f"    {name},\n" for name in ordered) + ")"
    return line + "\n"


def text_literal(text: str | bytes) -> str:
    """Return a string literal in double quotes, unless single quotes need fewer backslashes."""
    literal = repr(text)
    start = literal.index("'") if literal.endswith("'") else -1
    return f'{literal[:start]}"{literal[start + 1 : -1]}"' if start >= 0 and '"' not in literal else literal


def _import_order(name: str) -> tuple[int, str]:
    """Sort constants first, then classes, then the rest."""
    plain = name.partition(" as ")[0]
    kind = 0 if plain.isupper() and len(plain) > 1 else 1 if plain[:1].isupper() else 2
    return kind, name


def one_line(expression: Expression) -> str:
    """Return the source of an expression without line breaks."""
    if isinstance(expression, str):
        return expression
    if isinstance(expression, Named):
        return expression.prefix + one_line(expression.value)
    comma = "," if expression.comma_after_one and len(expression.parts) == 1 else ""
    return f"{expression.opening}{', '.join(map(one_line, expression.parts))}{comma}{expression.closing}"


def _lines(parts: Sequence[Expression], indent: int) -> list[str]:
    return [f"{' ' * indent}{render(part, indent)},\n" for part in parts]
