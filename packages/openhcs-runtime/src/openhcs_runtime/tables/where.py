"""Expressions over the columns of a table, such as ``compound == 'DMSO' and area_um2 > 80``.

The language is that of plate maps, with the same rules for missing values; see
``openhcs_runtime.plate_map.expression``.
"""

import ast
import contextlib
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from openhcs_runtime.plate_map.expression import Where, constant_of, parse_where
from openhcs_runtime.plate_map.values import ColumnKind, ColumnType
from openhcs_runtime.wells import normal_well

if TYPE_CHECKING:
    import pyarrow


_TOO_LARGE = 2**63
_WELL = "well"


@dataclass(frozen=True, slots=True)
class RowFilter:
    """An expression that chooses rows of a table.

    Attributes:
        where: the expression.
    """

    where: Where

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it uses."""
        return self.where.columns

    def chosen(self, batch: "pyarrow.RecordBatch") -> "pyarrow.RecordBatch":
        """Return the rows for which it is true."""
        return batch.filter(_condition(self.where, self.where.tree, batch))


def row_filter(text: str, schema: "pyarrow.Schema", source: str) -> RowFilter:
    """Return an expression as a filter of rows.

    Args:
        text: the expression.
        schema: columns of the table and their types.
        source: what has these columns, for messages.

    Raises:
        PlateMapError: the expression is not valid, or uses a column that does not exist or has values of another kind.
    """
    where = _with_wells(parse_where(text))
    where.check({field.name: ColumnType(_kind(field.type)) for field in schema}, source)
    return RowFilter(where)


def _with_wells(where: Where) -> Where:
    """Return an expression in which wells are named as in tables: A01, also where A1 or a01 was written."""

    class Wells(ast.NodeTransformer):
        def visit_Compare(self, node: ast.Compare) -> ast.Compare:
            operands = [node.left, *node.comparators]
            if any(isinstance(each, ast.Name) and where.names.get(each.id, each.id) == _WELL for each in operands):
                node.left = _as_well(node.left)
                node.comparators = [_as_well(each) for each in node.comparators]
            return node

    return replace(where, tree=Wells().visit(where.tree))


def _as_well(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        node.elts = [_as_well(each) for each in node.elts]
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        with contextlib.suppress(ValueError):  # it is compared as it is
            return ast.Constant(normal_well(node.value))
    return node


def _kind(type_: "pyarrow.DataType") -> ColumnKind:
    from pyarrow import types  # noqa: PLC0415  heavy

    if types.is_boolean(type_):
        return ColumnKind.TRUTH
    if types.is_string(type_):
        return ColumnKind.TEXT
    return ColumnKind.NUMBER


def _condition(where: Where, node: ast.expr, batch: "pyarrow.RecordBatch") -> Any:
    """Return a truth value for each row, none of them null."""
    from pyarrow import compute  # noqa: PLC0415  heavy

    if isinstance(node, ast.BoolOp):
        combine = compute.and_ if isinstance(node.op, ast.And) else compute.or_
        return functools.reduce(combine, [_condition(where, part, batch) for part in node.values])
    if isinstance(node, ast.UnaryOp):
        return compute.invert(_condition(where, node.operand, batch))
    if isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
        pairs = zip(operands, node.ops, operands[1:], strict=False)
        return functools.reduce(compute.and_, [_holds(where, *pair, batch) for pair in pairs])
    return _or_false(_operand(where, node, batch))


def _holds(where: Where, left: ast.expr, sign: ast.cmpop, right: ast.expr, batch: "pyarrow.RecordBatch") -> Any:
    from pyarrow import compute  # noqa: PLC0415  heavy

    one = _operand(where, left, batch)
    if isinstance(right, ast.Tuple | ast.List | ast.Set):
        equal = [_equal(*_comparable(one, _operand(where, other, batch))) for other in right.elts]
        among = functools.reduce(compute.or_, equal, _never(batch))
        return among if isinstance(sign, ast.In) else compute.invert(among)
    other = _operand(where, right, batch)
    one, other = _comparable(one, other)
    order: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
        ast.Lt: compute.less,
        ast.LtE: compute.less_equal,
        ast.Gt: compute.greater,
        ast.GtE: compute.greater_equal,
    }
    if type(sign) in order:
        return _never(batch) if one is None or other is None else _or_false(order[type(sign)](one, other))
    equal_rows = _equal(one, other)
    return equal_rows if isinstance(sign, ast.Eq) else compute.invert(equal_rows)


def _equal(one: Any, other: Any) -> Any:
    """Return whether two operands are equal; a missing value equals only another one, and None."""
    from pyarrow import compute  # noqa: PLC0415  heavy

    if one is None or other is None:
        present = other if one is None else one
        return compute.is_null(present)
    both_missing = compute.and_(compute.is_null(one), compute.is_null(other))
    return compute.or_(_or_false(compute.equal(one, other)), both_missing)


def _operand(where: Where, node: ast.expr, batch: "pyarrow.RecordBatch") -> Any:
    """Return a column, or a constant for each row; None for the constant None."""
    import pyarrow  # noqa: PLC0415  heavy

    if isinstance(node, ast.Name):
        return batch.column(where.names.get(node.id, node.id))
    value = constant_of(node)
    if isinstance(value, int) and not -_TOO_LARGE <= value < _TOO_LARGE:
        value = float(value)
    return None if value is None else pyarrow.repeat(pyarrow.scalar(value), batch.num_rows)


def _comparable(one: Any, other: Any) -> tuple[Any, Any]:
    """Return two operands as numbers of one type; whole numbers beyond 2**53 are rounded for comparing."""
    from pyarrow import compute, float64, types  # noqa: PLC0415  heavy

    if one is None or other is None or one.type == other.type:
        return one, other
    numbers = [each for each in (one, other) if types.is_floating(each.type) or types.is_integer(each.type)]
    if len(numbers) < 2:
        return one, other
    return compute.cast(one, float64(), safe=False), compute.cast(other, float64(), safe=False)


def _or_false(rows: Any) -> Any:
    from pyarrow import compute  # noqa: PLC0415  heavy

    return compute.fill_null(rows, False)


def _never(batch: "pyarrow.RecordBatch") -> Any:
    import pyarrow  # noqa: PLC0415  heavy

    return pyarrow.repeat(pyarrow.scalar(False), batch.num_rows)
