"""Arrays that a stream gave out to be filled: found again when they are sent, taken back when they are forgotten."""

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from zmqruntime.streaming.pool import Block

__all__ = ["Loans"]


class Loans:
    """Which blocks are out; ``give_back`` gets those that were never sent, from any thread and at any time."""

    def __init__(self, give_back: Callable[[Block], None]) -> None:
        self._give_back = give_back
        # No lock: the collector may call back in the middle of anything. One operation of a dict is whole by itself.
        self._out: dict[int, tuple[Block, weakref.finalize[[int, Block], npt.NDArray[np.uint8]]]] = {}

    def lend(self, block: Block, shape: tuple[int, ...], dtype: np.dtype[Any], nbytes: int) -> npt.NDArray[Any]:
        """An array on the block."""
        # Every array on the block has this one as its base, since the base of this one is no array.
        root = np.frombuffer(block.memory, np.uint8, nbytes)
        array: npt.NDArray[Any] = np.ndarray(shape, dtype, buffer=root)
        address = _address(array)
        back = weakref.finalize(root, self._on_forgotten, address, block)
        back.atexit = False
        self._out[address] = (block, back)
        return array

    def take(self, array: npt.NDArray[Any]) -> Block | None:
        """The block that this very array is on, which is then no loan any more; None for any other array."""
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
