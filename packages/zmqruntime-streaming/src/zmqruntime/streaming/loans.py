"""Arrays lent by a stream to be filled: recognised when they are sent, taken back when they are garbage collected."""

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from zmqruntime.streaming.pool import Block

__all__ = ["Loans"]


class Loans:
    """Blocks that are lent out; ``give_back`` is called with unsent ones, from any thread and at any time."""

    def __init__(self, give_back: Callable[[Block], None]) -> None:
        self._give_back = give_back
        # No lock, as the garbage collector may call back at any point; single dict operations are atomic.
        self._out: dict[int, tuple[Block, weakref.finalize[[int, Block], npt.NDArray[np.uint8]]]] = {}

    def lend(self, block: Block, shape: tuple[int, ...], dtype: np.dtype[Any], nbytes: int) -> npt.NDArray[Any]:
        """Return an array that uses the block."""
        # All arrays on the block have this one as their base, as its own base is not an array.
        root = np.frombuffer(block.memory, np.uint8, nbytes)
        array: npt.NDArray[Any] = np.ndarray(shape, dtype, buffer=root)
        address = _address(array)
        back = weakref.finalize(root, self._on_forgotten, address, block)
        back.atexit = False
        self._out[address] = (block, back)
        return array

    def take(self, array: npt.NDArray[Any]) -> Block | None:
        """End the loan of exactly this array and return its block; None for any other array."""
        if not array.nbytes or not (array.flags.c_contiguous or array.flags.f_contiguous):
            return None
        block, back = self._out.get(_address(array), (None, None))
        if block is None or back is None or array.nbytes > block.capacity:
            return None
        del self._out[_address(array)]
        back.detach()
        return block

    def _on_forgotten(self, address: int, block: Block) -> None:
        self._out.pop(address, None)
        self._give_back(block)


def _address(array: npt.NDArray[Any]) -> int:
    address: int = array.__array_interface__["data"][0]
    return address
