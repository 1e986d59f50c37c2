"""Validation of words from a fixed set, such as modes and methods, with errors that list the set."""

from collections.abc import Iterable
from enum import StrEnum
from typing import TypeVar

__all__ = ["alternatives", "choose"]

_Choice = TypeVar("_Choice", bound=StrEnum)


def choose(kind: type[_Choice], word: str, what: str) -> _Choice:
    """Return the member of ``kind`` for a word or member.

    Args:
        kind: The set of words.
        word: The word.
        what: What to call the word in the error.

    Raises:
        ValueError: If it is not in the set.
    """
    try:
        return kind(word)
    except ValueError:
        raise ValueError(f"unknown {what} {word!r}; choose {alternatives(kind)}") from None


def alternatives(words: Iterable[str]) -> str:
    """Return ``a, b or c``."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
