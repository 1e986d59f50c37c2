"""Cuts text that comes in pieces into lines, at a cost that grows with the text and not with its square."""

from collections.abc import Callable
from typing import Final

__all__ = ["MAX_LINE_CHARACTERS", "LineSplitter"]

MAX_LINE_CHARACTERS: Final = 16 * 1024


class LineSplitter:
    """Gives each line once it has ended.

    A line that is drawn again, from a carriage return on, is one line: what it showed last. Of a line that never ends
    the beginning is kept, and how much more there was.

    Args:
        take: gets each line, without its end.
    """

    def __init__(self, take: Callable[[str], None]) -> None:
        self._take = take
        self._parts: list[str] = []
        self._length = 0
        self._left_out = 0
        self._is_redrawn = False
        """A carriage return was the last there was: what follows takes the place of the line."""

    def feed(self, text: str) -> None:
        """More text."""
        *lines, rest = text.split("\n")
        for line in lines:
            self._add(line)
            self.end()
        self._add(rest)

    def end(self) -> None:
        """Take what there is as a whole line, also an empty one."""
        text = "".join(self._parts)
        if self._left_out:
            text += f" ... and {self._left_out:,} more characters"
        self._clear()
        self._take(text)

    @property
    def has_rest(self) -> bool:
        """Whether there is a line that has not ended."""
        return self._length > 0

    def _add(self, text: str) -> None:
        """Text without an end of line."""
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
