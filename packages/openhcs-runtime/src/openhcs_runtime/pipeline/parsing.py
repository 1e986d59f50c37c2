"""Parsing of Python source while other threads may be importing modules."""

import ast

__all__ = ["parse_python"]

_ATTEMPTS = 20


def parse_python(text: str | bytes) -> ast.Module:
    """Return the syntax tree of a module.

    In CPython 3.11 and 3.12 a parser that is interrupted by the parser of another thread can fail with a
    ``SystemError``, though nothing is wrong with the text (github.com/python/cpython, gh-106905).

    Raises:
        SyntaxError: The text is not Python.
        ValueError: The text contains a null character.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return ast.parse(text)
        except SystemError:
            continue
    return ast.parse(text)
