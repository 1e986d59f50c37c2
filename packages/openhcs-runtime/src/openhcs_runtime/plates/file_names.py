"""Names of files in one piece of memory: a folder can have a million of them, and strings take four times as much."""

from array import array
from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np

__all__ = ["FileNames"]

_ENCODING, _ERRORS = "utf-8", "surrogatepass"
"""Names that are not valid Unicode have surrogates, which come back as they are."""
_BATCH = 4096


class FileNames(Sequence[str]):
    """Names without slashes, in the order in which they were added."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._starts = array("Q", [0])

    def extend(self, names: Sequence[str]) -> None:
        """Add names."""
        if not names:
            return
        text = "".join([f"{name}/" for name in names])
        stored = names if text.isascii() else [name.encode(_ENCODING, _ERRORS) for name in names]
        lengths = list(map(len, stored))
        starts = np.cumsum(np.array(lengths, np.uint64) + np.uint64(1)) + np.uint64(self._starts[-1])
        self._starts.frombytes(starts.tobytes())
        self._text += text.encode(_ENCODING, _ERRORS)

    def batches(self, size: int = _BATCH) -> Iterator[tuple[int, list[str]]]:
        """Yield the names in lists, each with the place of its first: faster than one by one."""
        for start in range(0, len(self), size):
            end = min(start + size, len(self))
            text = self._text[self._starts[start] : self._starts[end] - 1]
            yield start, text.decode(_ENCODING, _ERRORS).split("/")

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __iter__(self) -> Iterator[str]:
        for _, batch in self.batches():
            yield from batch

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> list[str]: ...

    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        at = range(len(self))[place]
        return self._text[self._starts[at] : self._starts[at + 1] - 1].decode(_ENCODING, _ERRORS)
