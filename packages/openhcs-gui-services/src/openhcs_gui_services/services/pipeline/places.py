"""Positions in a text: from a syntax tree's lines and UTF-8 columns to characters, and lists laid out by line."""

import ast
from collections.abc import Sequence
from typing import Final

from openhcs_runtime.pipeline.source_layout import WIDTH

__all__ = ["Places", "appended", "rearranged"]

_INDENT: Final = 4


class Places:
    """Converts positions in a syntax tree, a line and a column in UTF-8 bytes, to character positions in the text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = text.split("\n")
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)

    def start(self, node: ast.expr | ast.stmt | ast.keyword) -> int:
        """Return the position of the first character."""
        return self._at(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt | ast.keyword) -> int:
        """Return the position after the last character."""
        return self._at(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def source(self, node: ast.expr) -> str:
        """Return the text of the node."""
        return self.text[self.start(node) : self.end(node)]

    def line_start(self, line: int) -> int:
        """Return the position of the first character of a line, from 1."""
        return min(self._starts[line - 1], len(self.text))

    def _at(self, line: int, column: int) -> int:
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())


def rearranged(text: str, found: ast.List | ast.Tuple, order: Sequence[int]) -> str:
    """Return the text with the elements of a list in another order, in which some may be missing or occur twice.

    An element on lines of its own takes these lines with it, and the comment lines above it.
    """
    places = Places(text)
    blocks = _line_blocks(places, found)
    if blocks is not None:
        first, parts, tail = blocks
        if not order and not text[tail : places.end(found)].strip().startswith("#"):
            return text[: places.start(found)] + "[]" + text[places.end(found) :]
        return text[:first] + "".join(parts[at] for at in order) + text[tail:]
    sources = [places.source(element) for element in found.elts]
    between = [
        text[places.end(one) : places.start(other)] for one, other in zip(found.elts, found.elts[1:], strict=False)
    ]
    if not order:
        return text[: places.start(found)] + "[]" + text[places.end(found) :]
    joined = sources[order[0]]
    for number, at in enumerate(order[1:]):
        joined += (between[number] if number < len(between) else ", ") + sources[at]
    return text[: places.start(found.elts[0])] + joined + text[places.end(found.elts[-1]) :]


def _line_blocks(places: Places, found: ast.List | ast.Tuple) -> tuple[int, list[str], int] | None:
    """Return where the elements' lines start, the lines of each, and where they end; None if elements share lines."""
    text, close = places.text, places.end(found) - 1
    start = text.find("\n", places.start(found), close) + 1
    last_line = text.rfind("\n", 0, close) + 1
    if not found.elts or not start or text[last_line:close].strip():
        return None
    blocks, first = [], start
    for number, element in enumerate(found.elts):
        begin, end = places.start(element), places.end(element)
        line_end = text.find("\n", end) + 1
        rest = text[end:line_end].partition("#")[0].strip()
        is_last = number == len(found.elts) - 1
        own_line = text.rfind("\n", 0, begin) + 1
        if own_line < start or text[own_line:begin].strip() or rest not in (("", ",") if is_last else (",",)):
            return None
        blocks.append(text[start:end] + ("" if rest else ",") + text[end:line_end])
        start = line_end
    return first, blocks, start


def appended(text: str, start: int, last: int, close: int, entry: str) -> str:
    """Return the text with an entry after the last one in brackets, in their layout.

    Args:
        text: the text.
        start: position of the last entry.
        last: position after it.
        close: position of the closing bracket.
        entry: the source of the new entry.
    """
    after = text[last:close]
    plain = "".join(line.partition("#")[0] for line in after.splitlines())
    line_start = text.rfind("\n", 0, close) + 1
    if text[line_start:close].strip() or line_start <= last:
        joined = f"{after.rstrip()} {entry}" if "," in plain else f", {entry}{after}"
        return text[:last] + joined + text[close:]
    own_line = text.rfind("\n", 0, start) + 1
    before = text[own_line:start]
    length = len(text[text.rfind("\n", 0, last) + 1 : last]) + len(entry) + 3
    if before.strip() and length <= WIDTH:  # several entries share this line
        return f"{text[:last]}, {entry}{text[last:]}"
    indent = before[: len(before) - len(before.lstrip())]
    comma = "" if "," in plain else ","
    return f"{text[:last]}{comma}{text[last:line_start]}{indent or ' ' * _INDENT}{entry},\n{text[line_start:]}"
