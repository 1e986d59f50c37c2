"""The global random number generators of a process, which loading a model must not advance."""

import contextlib
import functools
import hashlib
import random
import sys
from collections.abc import Iterator
from types import ModuleType

import numpy as np

__all__ = ["last_seed", "random_state_kept", "seed_all"]


class LastSeed:
    """The number that the generators of this process were last seeded with; None if they were not."""

    def __init__(self) -> None:
        self.number: int | None = None


@functools.cache
def last_seed() -> LastSeed:
    """Return the last seed of this process."""
    return LastSeed()


def seed_all(words: list[int], number: int) -> None:
    """Seed the generators of NumPy, ``random`` and, if it is imported, PyTorch."""
    np.random.seed(words)
    random.seed(number)
    if (torch := _torch()) is not None:
        torch.manual_seed(number % 2**63)


@contextlib.contextmanager
def random_state_kept(name: str) -> Iterator[None]:
    """Seed the generators for the block with a name, and restore them after it.

    If the block imports PyTorch, its generator is seeded as if it had been there before.
    """
    torch = _torch()
    numpy_state, python_state = np.random.get_state(), random.getstate()
    torch_state = None if torch is None else torch.get_rng_state()
    number = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest())
    seed_all([number >> shift & 0xFFFFFFFF for shift in range(0, 256, 32)], number)
    try:
        yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)
        seed = last_seed().number
        if torch is not None:
            torch.set_rng_state(torch_state)
        elif seed is not None and (imported := _torch()) is not None:
            imported.manual_seed(seed % 2**63)


def _torch() -> ModuleType | None:
    """Return PyTorch if it has been imported."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and hasattr(torch, "manual_seed") else None
