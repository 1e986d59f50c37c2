"""Arrays lent by a stream to be filled: recognised when they are sent, taken back when they are garbage collected."""

import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zmqruntime.streaming.pool import Block

__all__ = ["Loans"]

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Loan:
    """A block that was lent out and not sent yet."""

    block: Block
    root: "weakref.ref[Bytes]"
    end: "weakref.finalize[[int, Block], Bytes]"
    references: int
    """Number of references to the root while one array uses it, as this interpreter counts them."""


class Loans:
    """Blocks that are lent out.

    Args:
        give_back: called with each block that was forgotten without being sent, from any thread and at any time.
        let_go: called in the same way with each block that was sent, once its sender has no array on it any more.
    """

    def __init__(self, give_back: Callable[[Block], None], let_go: Callable[[Block], None]) -> None:
        self._give_back = give_back
        self._let_go = let_go
        # No lock, as the garbage collector may call back at any point; single dict operations are atomic.
        self._out: dict[int, _Loan] = {}

    def lend(self, block: Block, shape: tuple[int, ...], dtype: np.dtype[Any], nbytes: int) -> npt.NDArray[Any]:
        """Return an array that uses the block."""
        array = _array_on(block, shape, dtype, nbytes)
        address, references = _address(array), _references(array)
        root: Bytes = array.base  # type: ignore[assignment]
        end = weakref.finalize(root, self._on_forgotten, address, block)
        end.atexit = False
        block.user = weakref.ref(root)
        self._out[address] = _Loan(block, block.user, end, references)
        return array

    def take(self, array: npt.NDArray[Any]) -> Block | None:
        """End the loan of exactly this array, make it read-only, and return its block.

        Returns:
            The block; None for any other array, and if another array could still change the block. Those are copied.
        """
        if not self._out or not array.nbytes or not (array.flags.c_contiguous or array.flags.f_contiguous):
            return None
        address = _address(array)
        loan = self._out.get(address)
        if loan is None or not _is_only_user(array, loan) or self._out.pop(address, None) is None:
            return None
        array.flags.writeable = False
        loan.end.detach()
        root: Bytes = array.base  # type: ignore[assignment]
        weakref.finalize(root, self._let_go, loan.block).atexit = False
        return loan.block

    def _on_forgotten(self, address: int, block: Block) -> None:
        self._out.pop(address, None)
        self._give_back(block)


def _array_on(block: Block, shape: tuple[int, ...], dtype: np.dtype[Any], nbytes: int) -> npt.NDArray[Any]:
    # All arrays on the block have this one as their base, as its own base is not an array.
    root = np.frombuffer(block.memory, np.uint8, nbytes)
    return np.ndarray(shape, dtype, buffer=root)


def _is_only_user(array: npt.NDArray[Any], loan: _Loan) -> bool:
    """Return whether nothing but this array uses the block: neither views, nor arrays of other libraries."""
    if array.base is not loan.root() or array.nbytes > loan.block.capacity:
        return False
    return _references(array) <= loan.references


def _references(array: npt.NDArray[Any]) -> int:
    return sys.getrefcount(array.base)


def _address(array: npt.NDArray[Any]) -> int:
    address: int = array.__array_interface__["data"][0]
    return address
