"""The segments that a viewer has open: kept for a moment, because producers use the same ones again and again.

Opening a segment is cheap, but its pages are mapped one by one when they are read, which takes half as long as a copy.
"""

import mmap
import sys
from collections import OrderedDict
from typing import Final

import numpy as np
import numpy.typing as npt

from zmqruntime.streaming.exceptions import SegmentError
from zmqruntime.streaming.segments import open_segment

__all__ = ["Mappings"]

# Each one is an open file. On Windows, a segment cannot be removed while it is mapped.
_MOST: Final = 0 if sys.platform == "win32" else 64


class Mappings:
    """Segments opened for reading, of which the one not used for longest is given up when there are too many.

    Giving one up does not end its mapping while arrays use it. Not thread-safe.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._mapped: OrderedDict[str, mmap.mmap] = OrderedDict()
        self._used: set[str] = set()

    def __len__(self) -> int:
        return len(self._mapped)

    def read(self, name: str, nbytes: int) -> npt.NDArray[np.uint8]:
        """Return the first ``nbytes`` > 0 of a segment, as a read-only array that is a new object in each call.

        Raises:
            SegmentError: it does not exist, belongs to another user, or is shorter.
        """
        mapped = self._mapped.get(name)
        if mapped is None or not 0 < nbytes <= len(mapped):
            mapped = self._mapped[name] = self._open(name, nbytes)
        self._mapped.move_to_end(name)
        self._used.add(name)
        while len(self._mapped) > self._most:
            self._mapped.popitem(last=False)
        return np.frombuffer(mapped, np.uint8, nbytes)

    def drop_unused(self) -> None:
        """Give up those not used since the last call: their producer may have removed them to make room for others."""
        for name in self._mapped.keys() - self._used:
            del self._mapped[name]
        self._used.clear()

    def clear(self) -> None:
        """Give up all of them."""
        self._mapped.clear()

    def _open(self, name: str, nbytes: int) -> mmap.mmap:
        try:
            return open_segment(name, nbytes)
        except SegmentError:
            if not self._mapped:
                raise
        self.clear()  # there may be too many open files
        return open_segment(name, nbytes)
