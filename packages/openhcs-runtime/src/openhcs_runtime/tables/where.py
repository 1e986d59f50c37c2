"""Expressions over the columns of a table, such as ``compound == 'DMSO' and area_um2 > 80``, as filters of Arrow.

The language is that of plate maps, with the same rules for missing values; see
``openhcs_runtime.plate_map.expression``.
"""

import ast
import functools
import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from openhcs_runtime.plate_map.expression import Where, constant_of, parse_where
from openhcs_runtime.plate_map.values import ColumnKind, ColumnType, MapValue

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.dataset import Expression

_ORDER: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def filter_of(text: str, schema: "pyarrow.Schema", source: str) -> tuple["Expression", tuple[str, ...]]:
    """Return an expression as a filter, and the columns that it uses.

    Args:
        text: the expression.
        schema: columns of the table and their types.
        source: what has these columns, for messages.

    Raises:
        PlateMapError: the expression is not valid, or uses a column that does not exist or has values of another kind.
    """
    where = parse_where(text)
    where.check({field.name: ColumnType(_kind(field.type)) for field in schema}, source)
    return _condition(where, where.tree), where.columns


def _kind(type_: "pyarrow.DataType") -> ColumnKind:
    from pyarrow import types  # noqa: PLC0415  heavy

    if types.is_dictionary(type_):
        type_ = type_.value_type
    if types.is_boolean(type_):
        return ColumnKind.TRUTH
    if types.is_string(type_) or types.is_large_string(type_):
        return ColumnKind.TEXT
    return ColumnKind.EMPTY if types.is_null(type_) else ColumnKind.NUMBER


def _condition(where: Where, node: ast.expr) -> "Expression":
    """Return a condition, which is true or false for every row and never null."""
    if isinstance(node, ast.BoolOp):
        combine = operator.and_ if isinstance(node.op, ast.And) else operator.or_
        return functools.reduce(combine, [_condition(where, part) for part in node.values])
    if isinstance(node, ast.UnaryOp):
        return ~_condition(where, node.operand)
    if isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
        pairs = zip(operands, node.ops, operands[1:], strict=False)
        return functools.reduce(operator.and_, [_holds(where, left, sign, right) for left, sign, right in pairs])
    return _or_false(_operand(where, node))


def _holds(where: Where, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> "Expression":
    if isinstance(right, ast.Tuple | ast.List | ast.Set):
        among = functools.reduce(operator.or_, [_equal(where, left, other) for other in right.elts], _never())
        return among if isinstance(sign, ast.In) else ~among
    if type(sign) in _ORDER:
        one, other = _operand(where, left), _operand(where, right)
        return _or_false(_ORDER[type(sign)](one, other)) if one is not None and other is not None else _never()
    return _equal(where, left, right) if isinstance(sign, ast.Eq) else ~_equal(where, left, right)


def _equal(where: Where, left: ast.expr, right: ast.expr) -> "Expression":
    """Return whether two operands are equal; a missing value equals only None and another missing value."""
    one, other = _operand(where, left), _operand(where, right)
    if one is None or other is None:
        present = other if one is None else one
        return _never() == _never() if present is None else present.is_null()
    same = _or_false(one == other)
    if isinstance(left, ast.Name) and isinstance(right, ast.Name):
        return same | (one.is_null() & other.is_null())
    return same


def _operand(where: Where, node: ast.expr) -> Any:
    """Return a column or a constant; None for the constant None."""
    from pyarrow import compute  # noqa: PLC0415  heavy

    if isinstance(node, ast.Name):
        return compute.field(where.names.get(node.id, node.id))
    value: MapValue | None = constant_of(node)
    return None if value is None else compute.scalar(value)


def _or_false(condition: Any) -> "Expression":
    from pyarrow import compute  # noqa: PLC0415  heavy

    return compute.coalesce(condition, compute.scalar(False))


def _never() -> "Expression":
    from pyarrow import compute  # noqa: PLC0415  heavy

    return compute.scalar(False)
