"""Expressions over the columns of a plate map, such as ``control == 'DMSO' and dose > 1``.

An expression has comparisons (``== != < <= > >= in not in``), ``and``, ``or``, ``not``, parentheses, numbers, texts,
``True``, ``False`` and ``None``, and columns by name; a name that is not an identifier stands in backticks. It is
parsed, checked against a list of what is allowed, and interpreted here; it is never executed as Python.

An empty cell equals only ``None``: ``control != 'DMSO'`` is true for it, and ``dose < 1`` and ``dose >= 1`` are false.
"""

import ast
import contextlib
import difflib
import keyword
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from openhcs_runtime.exceptions import PlateMapError
from openhcs_runtime.plate_map.values import ColumnKind, ColumnType, MapValue

_LONGEST = 4000
_DEEPEST = 60
_NAMED = 20
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`([^`]+)`|(\w*[^\W\x00-\x7f]\w*)")
"""Texts, names in backticks, and names with letters that Python replaces by similar ones, such as the micro sign."""
_PLACEHOLDER = "_column_{}_"
_ORDER: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_COMPARISONS = ast.Eq | ast.NotEq | ast.In | ast.NotIn | ast.Lt | ast.LtE | ast.Gt | ast.GtE
_WORDS = frozenset({"and", "or", "not", "in", "is", "True", "False", "None"})
"""Keywords that stand in expressions, or that a hint about expressions is for."""
_HINT = "use comparisons, in, and, or, not, parentheses, numbers, 'texts' and columns, as in control == 'DMSO'"

Row = Mapping[str, MapValue | None]


@dataclass(frozen=True, slots=True)
class Where:
    """A parsed expression.

    Attributes:
        text: the expression as it was written.
        tree: its syntax tree, in which everything is allowed.
        names: the column for each name in the tree.
    """

    text: str
    tree: ast.expr
    names: Mapping[str, str]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it uses, in order."""
        found = [self._column(node) for node in ast.walk(self.tree) if isinstance(node, ast.Name)]
        return tuple(dict.fromkeys(found))

    def check(self, types: Mapping[str, ColumnType], source: str) -> None:
        """Check it against the columns of a map.

        Args:
            types: what is known of each column.
            source: what has the columns, for the message.

        Raises:
            PlateMapError: a column does not exist, or is compared with a value of another kind.
        """
        for column in self.columns:
            if column not in types:
                close = difflib.get_close_matches(column, types, 1, 0.6)
                meant = f"did you mean {close[0]!r}? " if close else ""
                raise PlateMapError(f"{source} has no column {column!r}: {meant}its columns are {_listed(types)}")
        self._check_condition(self.tree, types)

    def is_true(self, row: Row) -> bool:
        """Return whether it is true for the values of a well; ``check`` must have passed."""
        return self._truth(self.tree, row)

    def _check_condition(self, node: ast.expr, types: Mapping[str, ColumnType]) -> None:
        if isinstance(node, ast.BoolOp):
            for part in node.values:
                self._check_condition(part, types)
        elif isinstance(node, ast.UnaryOp):
            self._check_condition(node.operand, types)
        elif isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            for left, sign, right in zip(operands, node.ops, operands[1:], strict=False):
                self._check_comparison(left, sign, right, types)
        elif isinstance(node, ast.Name):
            kind = types[self._column(node)].kind
            if kind not in (ColumnKind.TRUTH, ColumnKind.EMPTY):
                raise self._error(f"column {self._column(node)!r} has {kind}: compare it with a value")

    def _check_comparison(
        self, left: ast.expr, sign: ast.cmpop, right: ast.expr, types: Mapping[str, ColumnType]
    ) -> None:
        others = right.elts if isinstance(right, ast.Tuple | ast.List | ast.Set) else [right]
        for other in others:
            one, two = self._kind(left, types), self._kind(other, types)
            if ColumnKind.EMPTY not in (one, two) and one is not two:
                raise self._error(self._other_kinds(left, other, types))
            if type(sign) in _ORDER and ColumnKind.TRUTH in (one, two):
                raise self._error("True and False have no order: compare them with ==")

    def _other_kinds(self, left: ast.expr, right: ast.expr, types: Mapping[str, ColumnType]) -> str:
        """Return why two operands can't be compared; if one is a column that might have numbers, why it has none."""
        one, two = self._kind(left, types), self._kind(right, types)
        columns = [self._column(node) for node in (left, right) if isinstance(node, ast.Name)]
        what = f"column {columns[0]!r} has {types[columns[0]].kind}" if columns else f"it has {one}"
        problem = f"{what}, which can't be compared with {two if isinstance(left, ast.Name) or not columns else one}"
        why = next((types[column].why_text for column in columns if types[column].why_text), "")
        if not why or ColumnKind.NUMBER not in (one, two):
            return problem
        quotes = ", or compare with texts in quotes" if len(columns) == 1 else ""
        return f"{problem}; {why}{quotes}"

    def _kind(self, node: ast.expr, types: Mapping[str, ColumnType]) -> ColumnKind:
        if isinstance(node, ast.Name):
            return types[self._column(node)].kind
        value = constant_of(node)
        if value is None:
            return ColumnKind.EMPTY
        if isinstance(value, bool):
            return ColumnKind.TRUTH
        return ColumnKind.TEXT if isinstance(value, str) else ColumnKind.NUMBER

    def _truth(self, node: ast.expr, row: Row) -> bool:
        if isinstance(node, ast.BoolOp):
            parts = (self._truth(part, row) for part in node.values)
            return all(parts) if isinstance(node.op, ast.And) else any(parts)
        if isinstance(node, ast.UnaryOp):
            return not self._truth(node.operand, row)
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            return all(
                self._holds(left, sign, right, row)
                for left, sign, right in zip(operands, node.ops, operands[1:], strict=False)
            )
        return self._value(node, row) is True

    def _holds(self, left: ast.expr, sign: ast.cmpop, right: ast.expr, row: Row) -> bool:
        value = self._value(left, row)
        if isinstance(right, ast.Tuple | ast.List | ast.Set):
            is_in = any(value == self._value(other, row) for other in right.elts)
            return is_in is isinstance(sign, ast.In)
        other = self._value(right, row)
        if type(sign) in _ORDER:
            return value is not None and other is not None and _ORDER[type(sign)](value, other)
        return (value == other) is isinstance(sign, ast.Eq)

    def _value(self, node: ast.expr, row: Row) -> MapValue | None:
        return row[self._column(node)] if isinstance(node, ast.Name) else constant_of(node)

    def _column(self, node: ast.Name) -> str:
        return self.names.get(node.id, node.id)

    def _error(self, problem: str) -> PlateMapError:
        return PlateMapError(f"the expression {self.text!r} is not valid: {problem}")


def _listed(names: Iterable[str]) -> str:
    """Return names in one line, of many only the first ones."""
    first = list(names)
    more = f" and {len(first) - _NAMED} more" if len(first) > _NAMED else ""
    return f"{', '.join(first[:_NAMED])}{more}"


def parse_where(text: str) -> Where:
    """Parse an expression, without a plate map.

    Raises:
        PlateMapError: it is not one that is allowed; the message says what is.
    """
    names: dict[str, str] = {}

    def named(match: re.Match[str]) -> str:
        column = match[1] or match[2]
        if column is None:
            return match[0]
        name = _PLACEHOLDER.format(len(names))
        names[name] = column.strip()
        return name

    if len(text) > _LONGEST:
        raise PlateMapError(f"the expression has {len(text)} characters: shorten it to {_LONGEST}")
    try:
        tree = ast.parse(_QUOTED.sub(named, text).strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise PlateMapError(f"the expression {text!r} is not valid: {_syntax_hint(text)}") from error
    problem = next(_not_allowed(tree), None)
    if problem and any(isinstance(node, ast.BitAnd | ast.BitOr) for node in ast.walk(tree)):
        problem = "write 'and' and 'or' instead of & and |"
    if problem is not None:
        raise PlateMapError(f"the expression {text!r} is not valid: {problem}")
    return Where(text, tree, names)


def _syntax_hint(text: str) -> str:
    """Return what to write instead of a text that can't be parsed."""
    plain = _QUOTED.sub("_", text)
    if (word := _keyword_column(plain)) is not None:
        return f"{word} is a word of Python: write `{word}` in backticks if it is a column"
    return "write == to compare" if re.search(r"(?<![=!<>])=(?!=)", plain) else _HINT


def _keyword_column(plain: str) -> str | None:
    """Return a keyword that stands where a column would; None if there is none."""
    words = [match for match in re.finditer(r"[^\W\d]\w*", plain) if keyword.iskeyword(match[0])]
    for match in words:
        if match[0] not in _WORDS:
            return match[0]
        one = f"{plain[: match.start()]}_{plain[match.end() :]}"
        for tried in (one, re.sub(rf"\b{match[0]}\b", "_", plain)):
            with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
                ast.parse(tried.strip(), mode="eval")
                return match[0]
    return None


def _not_allowed(node: ast.expr, depth: int = 0) -> Iterator[str]:
    """Yield what is not allowed in a condition."""
    if depth > _DEEPEST:
        yield "it is nested too deeply"
    elif isinstance(node, ast.BoolOp):
        for part in node.values:
            yield from _not_allowed(part, depth + 1)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield from _not_allowed(node.operand, depth + 1)
    elif isinstance(node, ast.Compare):
        yield from _not_comparable(node)
    elif not isinstance(node, ast.Name):
        yield _HINT


def _not_comparable(node: ast.Compare) -> Iterator[str]:
    operands = [node.left, *node.comparators]
    for left, sign, right in zip(operands, node.ops, operands[1:], strict=False):
        takes_list = isinstance(sign, ast.In | ast.NotIn)
        if not isinstance(sign, _COMPARISONS):
            yield "write == and != instead of is"
        if not _is_operand(left):
            yield _HINT
        if takes_list:
            if not isinstance(right, ast.Tuple | ast.List | ast.Set) or not all(map(_is_operand, right.elts)):
                yield "write a list after 'in', as in control in ('DMSO', 'water')"
        elif not _is_operand(right):
            yield _HINT


def _is_operand(node: ast.expr) -> bool:
    if isinstance(node, ast.Name):
        return True
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = node.operand.value if isinstance(node.operand, ast.Constant) else None
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, int | float | str))


def constant_of(node: ast.expr) -> MapValue | None:
    """Return the value of a constant, which may have a sign."""
    value = ast.literal_eval(node)
    assert value is None or isinstance(value, str | int | float)
    return value
