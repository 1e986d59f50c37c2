"""How many files of a plate have been listed and looked at, on the last line of a terminal."""

import sys
import time
from typing import TextIO

__all__ = ["ListingLine"]

_AFTER_SECONDS, _EVERY_SECONDS = 1.0, 0.2


class ListingLine:
    """Shows how far the listing of a plate is, if it takes more than a second; the line is erased at the end.

    Args:
        to: Where the line is shown, if it is a terminal.
        quiet: Show nothing.
    """

    def __init__(self, to: TextIO | None = None, *, quiet: bool = False) -> None:
        self._to = to or sys.stderr
        self._is_shown = not quiet and self._to.isatty()
        self._next = time.monotonic() + _AFTER_SECONDS
        self._listed = self._looked_at = self._width = 0

    def tell(self, listed: int, looked_at: int) -> None:
        """Add to the numbers of files that have been listed, and looked at."""
        self._listed += listed
        self._looked_at += looked_at
        now = time.monotonic()
        if self._is_shown and now >= self._next:
            self._next = now + _EVERY_SECONDS
            self._write(f"{self._listed:,} files listed, {self._looked_at:,} looked at")

    def __enter__(self) -> "ListingLine":
        return self

    def __exit__(self, *exc: object) -> None:
        if self._width:
            self._write("")
            print("\r", end="", file=self._to, flush=True)

    def _write(self, text: str) -> None:
        print(f"\r{text:{self._width}}", end="", file=self._to, flush=True)
        self._width = len(text)
