"""The memory of a producer: blocks that are filled, sent and reused, within a budget.

Not thread-safe; a stream holds its lock during every call.
"""

import mmap
import os
import weakref
from dataclasses import dataclass, field
from typing import Any

from zmqruntime.streaming.segments import create_segment, remove_segment

__all__ = ["Block", "BlockPool"]

_PAGE = mmap.PAGESIZE
_MAX_SEGMENTS = 256  # each one is an open file


@dataclass(slots=True, eq=False)
class Block:
    """Memory for one array, possibly larger. ``segment`` is the name with which a viewer can open it."""

    memory: memoryview
    capacity: int
    segment: str | None = None
    reusable: bool = True
    owner_pid: int = field(default_factory=os.getpid)
    user: "weakref.ref[Any] | None" = None
    """The memory as the program that filled it in place sees it, which it may still read after sending it."""

    @property
    def is_read(self) -> bool:
        """Whether the program that filled it still has arrays on it."""
        return self.user is not None and self.user() is not None

    def discard(self) -> bool:
        """Remove the segment's name; its memory is freed with the last array that uses it.

        Returns:
            Whether the name is gone; False only on Windows, while the segment is still mapped.
        """
        if self.segment is None or self.owner_pid != os.getpid():
            return True
        return remove_segment(self.segment) or (self._unmap() and remove_segment(self.segment))

    def _unmap(self) -> bool:
        """End our own mapping, unless an array still uses it."""
        try:
            mapped = self.memory.obj
            self.memory.release()
            if isinstance(mapped, mmap.mmap):
                mapped.close()
        except BufferError:
            return False
        except ValueError:  # it was released before
            return True
        return True


class BlockPool:
    """Blocks with a total size of up to ``budget`` bytes, both in use and free."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.total = 0
        self.segments = 0
        self._free: list[Block] = []
        self._all: set[Block] = set()
        self._read: list[Block] = []
        """Done, but not free, as the program has arrays on them; dropped, and thereby its own, if room is needed."""
        self._mapped: list[Block] = []
        """Discarded ones whose segments could not be removed yet, on Windows."""

    def acquire(self, nbytes: int, shared: bool) -> Block | None:
        """Return a block of at least ``nbytes``, preferably a segment if ``shared``; None if there is no room."""
        for index in range(len(self._free) - 1, -1, -1):  # the one freed last is most likely cached
            block = self._free[index]
            if nbytes <= block.capacity <= 2 * nbytes + _PAGE and (block.segment is not None) == shared:
                return self._free.pop(index)
        capacity = max(_PAGE, -(-nbytes // _PAGE) * _PAGE)
        self._shrink(self.budget - capacity)
        if self.total + capacity > self.budget:
            return None
        block = self._make(capacity, shared)
        self.total += block.capacity
        self._all.add(block)
        return block

    def adopt(self, memory: memoryview) -> Block | None:
        """Include the caller's memory in the budget while it is in use; None if there is no room."""
        self._shrink(self.budget - memory.nbytes)
        if self.total + memory.nbytes > self.budget:
            return None
        block = Block(memory, memory.nbytes, reusable=False)
        self.total += block.capacity
        self._all.add(block)
        return block

    def give_back(self, block: Block) -> None:
        """Return a block that is no longer in use."""
        if block not in self._all:
            return
        if not block.reusable:
            self._drop(block)
        elif block.is_read:
            self._read.append(block)
        else:
            self._free.append(block)

    def let_go(self, block: Block) -> None:
        """Note that the program has no more arrays on a block that it sent; it is free if it was given back."""
        if block in self._read and not block.is_read:
            self._read.remove(block)
            self._free.append(block)

    def close(self) -> None:
        """Remove all segments, including those of blocks in use."""
        for block in list(self._all):
            self._drop(block)
        self._free.clear()
        self._read.clear()
        self._remove_mapped()

    def _shrink(self, total: int) -> None:
        """Drop blocks that nothing is sent from, until those left have the given total size, if that is possible."""
        for spare in (self._free, self._read):
            while self.total > total and spare:
                self._drop(spare.pop(0))

    def _make(self, capacity: int, shared: bool) -> Block:
        if shared and self.segments < _MAX_SEGMENTS:
            try:
                name, mapped = create_segment(capacity)
            except OSError:
                pass  # no room in shared memory: the array is sent as frames from private memory
            else:
                self.segments += 1
                return Block(memoryview(mapped), capacity, name)
        return Block(memoryview(mmap.mmap(-1, capacity)), capacity)

    def _drop(self, block: Block) -> None:
        self._all.discard(block)
        self.total -= block.capacity
        self.segments -= block.segment is not None
        self._remove_mapped()
        if not block.discard():
            self._mapped.append(block)

    def _remove_mapped(self) -> None:
        self._mapped = [block for block in self._mapped if not block.discard()]
