"""The memory of a producer: blocks that are filled, sent and reused, within a budget.

Not thread-safe; a stream holds its lock during every call.
"""

import mmap
import os
import weakref
from collections import deque
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


class _Spares:
    """Blocks that are free, found by their size, and in the order in which they became free."""

    def __init__(self) -> None:
        self._by_kind: dict[tuple[bool, int], deque[Block]] = {}
        self._all: dict[Block, None] = {}

    def add(self, block: Block) -> None:
        """Add a block that has become free."""
        self._by_kind.setdefault(_kind_of(block), deque()).append(block)
        self._all[block] = None

    def take(self, shared: bool, smallest: int, largest: int) -> Block | None:
        """Remove and return the block freed last, which is most likely cached, of a capacity in this range."""
        fitting = [
            (blocks, kind)
            for kind, blocks in self._by_kind.items()
            if kind[0] == shared and smallest <= kind[1] <= largest
        ]
        if not fitting:
            return None
        blocks, kind = min(fitting, key=lambda found: found[1])
        return self._removed(blocks.pop(), kind)

    def take_oldest(self) -> Block | None:
        """Remove and return the block that has been free for longest."""
        block = next(iter(self._all), None)
        if block is None:
            return None
        kind = _kind_of(block)
        return self._removed(self._by_kind[kind].popleft(), kind)

    def clear(self) -> None:
        """Remove all blocks."""
        self._by_kind.clear()
        self._all.clear()

    def _removed(self, block: Block, kind: tuple[bool, int]) -> Block:
        if not self._by_kind[kind]:
            del self._by_kind[kind]
        del self._all[block]
        return block


def _kind_of(block: Block) -> tuple[bool, int]:
    return block.segment is not None, block.capacity


class BlockPool:
    """Blocks with a total size of up to ``budget`` bytes, both in use and free."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.total = 0
        self.segments = 0
        self._free = _Spares()
        self._all: set[Block] = set()
        self._read: list[Block] = []
        """Done, but not free, as the program has arrays on them; dropped, and thereby its own, if room is needed."""
        self._mapped: list[Block] = []
        """Discarded ones whose segments could not be removed yet, on Windows."""

    def acquire(self, nbytes: int, shared: bool) -> Block | None:
        """Return a block of at least ``nbytes``, preferably a segment if ``shared``; None if there is no room."""
        capacity = max(_PAGE, -(-nbytes // _PAGE) * _PAGE)
        spare = self._free.take(shared, capacity, 2 * nbytes + _PAGE)
        if spare is None and shared and self.segments >= _MAX_SEGMENTS:
            spare = self._free.take(False, capacity, 2 * nbytes + _PAGE)
        if spare is not None:
            return spare
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
            self._free.add(block)

    def let_go(self, block: Block) -> None:
        """Note that the program has no more arrays on a block that it sent; it is free if it was given back."""
        if block in self._read and not block.is_read:
            self._read.remove(block)
            self._free.add(block)

    def close(self) -> None:
        """Remove all segments, including those of blocks in use."""
        for block in list(self._all):
            self._drop(block)
        self._free.clear()
        self._read.clear()
        self._remove_mapped()

    def _shrink(self, total: int) -> None:
        """Drop blocks that nothing is sent from, until those left have the given total size, if that is possible."""
        while self.total > total and (block := self._free.take_oldest()) is not None:
            self._drop(block)
        while self.total > total and self._read:
            self._drop(self._read.pop(0))

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
