"""Random numbers that differ from well to well and are the same again for the same seed.

A run has one seed: the user's (`GlobalConfig.seed`), else a fresh one, which is kept with the results. Each well has
one made from it and the well's name, so it does not matter which worker has the well, in which order or in which mode.
"""

import random
import secrets
import sys

import numpy as np

__all__ = ["fresh_seed", "global_state", "seed_process", "well_seeds"]

_FRESH_BITS = 48
_WORDS = 8


def fresh_seed() -> int:
    """A seed that nobody has had, short enough to be typed."""
    return secrets.randbits(_FRESH_BITS)


def well_seeds(seed: int, well: str) -> np.random.SeedSequence:
    """Where all random numbers of a well come from."""
    return np.random.SeedSequence(seed, spawn_key=tuple(well.encode()))


def global_state() -> bytes:
    """What numpy's global random numbers have come to."""
    return repr([part.tobytes() if isinstance(part, np.ndarray) else part for part in np.random.get_state()]).encode()


def seed_process(seeds: np.random.SeedSequence) -> bytes:
    """Seed what a process has one of: numpy's global state, `random`, and torch's where that is imported.

    Gives numpy's state.
    """
    words = seeds.generate_state(_WORDS)
    number = int.from_bytes(words.tobytes(), "little")
    np.random.seed(words.tolist())
    random.seed(number)
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "manual_seed"):
        torch.manual_seed(number % 2**63)
    return global_state()
