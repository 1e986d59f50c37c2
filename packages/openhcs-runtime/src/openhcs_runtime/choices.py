"""A word of a fixed set, such as a mode or a method, checked where it is said: the error lists the words there are."""

from enum import StrEnum
from typing import TypeVar

__all__ = ["choose"]

_Choice = TypeVar("_Choice", bound=StrEnum)


def choose(kind: type[_Choice], word: str, what: str) -> _Choice:
    """The member of `kind` that `word` is or names. Raises ValueError, which calls the word a `what`."""
    try:
        return kind(word)
    except ValueError:
        raise ValueError(f"{word!r} is no {what} (these are: {', '.join(kind)})") from None
