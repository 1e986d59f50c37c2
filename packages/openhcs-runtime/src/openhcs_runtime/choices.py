"""Checks words of a fixed set, such as a mode or a method; the error lists the valid ones."""

from collections.abc import Iterable
from enum import StrEnum
from typing import TypeVar

__all__ = ["alternatives", "choose"]

_Choice = TypeVar("_Choice", bound=StrEnum)


def choose(kind: type[_Choice], word: str, what: str) -> _Choice:
    """Return the member of an enum.

    Args:
        kind: the enum.
        word: the member or its value.
        what: what the word is called in the error, such as "mode".

    Returns:
        The member.

    Raises:
        ValueError: there is no such member; the message lists the valid ones.
    """
    try:
        return kind(word)
    except ValueError:
        raise ValueError(f"unknown {what} {word!r}; choose {alternatives(kind)}") from None


def alternatives(words: Iterable[str]) -> str:
    """Return one or more words as a choice, such as ``latest, block or all``."""
    *others, last = words
    return " or ".join(filter(None, (", ".join(others), last)))
