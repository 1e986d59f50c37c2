"""Splits text that arrives in pieces into lines, in linear time."""

from collections.abc import Callable
from typing import Final

__all__ = ["MAX_LINE_CHARACTERS", "LineSplitter"]

MAX_LINE_CHARACTERS: Final = 16 * 1024


class LineSplitter:
    """Passes on each line once it is complete.

    A line that is redrawn after a carriage return counts as one line, with the text it showed last. An overlong line is
    cut, followed by the number of characters that were left out.

    Args:
        take: Called with each line, without its line ending.
    """

    def __init__(self, take: Callable[[str], None]) -> None:
        self._take = take
        self._parts: list[str] = []
        self._length = 0
        self._left_out = 0
        self._is_redrawn = False
        """Whether the text ended with a carriage return, so that further text replaces the line."""

    def feed(self, text: str) -> None:
        """Process more text."""
        *lines, rest = text.split("\n")
        for line in lines:
            self._add(line)
            self.end()
        self._add(rest)

    def end(self) -> None:
        """Pass on the pending text as a complete line, even if it is empty."""
        text = "".join(self._parts)
        if self._left_out:
            text += f" ... and {self._left_out:,} more characters"
        self._clear()
        self._take(text)

    @property
    def has_rest(self) -> bool:
        """Whether there is an incomplete line."""
        return self._length > 0

    def _add(self, text: str) -> None:
        """Add text without a line ending."""
        if not text:
            return
        if self._is_redrawn and text.strip("\r"):
            self._clear()
        is_redrawn = text.endswith("\r") or (self._is_redrawn and not text.strip("\r"))
        shown = text.rstrip("\r")
        start = shown.rfind("\r") + 1
        if start:
            self._clear()
            shown = shown[start:]
        room = MAX_LINE_CHARACTERS - self._length
        self._left_out += max(0, len(shown) - room)
        if shown and room > 0:
            self._parts.append(shown[:room])
            self._length += min(len(shown), room)
        self._is_redrawn = is_redrawn

    def _clear(self) -> None:
        self._parts, self._length, self._left_out, self._is_redrawn = [], 0, 0, False
