"""Random numbers that differ between wells and are reproducible for the same seed.

A run has one seed: that of ``GlobalConfig.seed``, or a fresh one, which is stored with the results. The seed of each
step of a well is derived from it, the name of the well and the number of the step, so it does not depend on the worker,
the order, the mode, or on where a run begins.
"""

import secrets

import numpy as np

from openhcs_runtime.pipeline.random_state import last_seed, seed_all

__all__ = ["fresh_seed", "global_state", "same_seeds", "seed_process", "step_seeds"]

_FRESH_BITS = 48
_WORDS = 8
_AFTER_WELL = 256
"""Larger than any byte of the name of a well."""


def fresh_seed() -> int:
    """Return a new seed that is short enough to be typed."""
    return secrets.randbits(_FRESH_BITS)


def step_seeds(seed: int, well: str, index: int) -> np.random.SeedSequence:
    """Return the seed sequence for all random numbers of a step of a well; the well is "" for a step over the plate."""
    return np.random.SeedSequence(seed, spawn_key=(*well.encode(), _AFTER_WELL + index))


def same_seeds(seeds: np.random.SeedSequence) -> np.random.SeedSequence:
    """Return a sequence that continues like this one, which stays as it is."""
    return np.random.SeedSequence(
        seeds.entropy, spawn_key=seeds.spawn_key, pool_size=seeds.pool_size, n_children_spawned=seeds.n_children_spawned
    )


def global_state() -> bytes:
    """Return the state of NumPy's global random number generator."""
    return repr([part.tobytes() if isinstance(part, np.ndarray) else part for part in np.random.get_state()]).encode()


def seed_process(seeds: np.random.SeedSequence) -> bytes:
    """Seed the global random number generators: NumPy's, that of ``random``, and PyTorch's if it is imported.

    Returns:
        The state of NumPy's generator.
    """
    words = seeds.generate_state(_WORDS)
    number = int.from_bytes(words.tobytes(), "little")
    last_seed().number = number
    seed_all(words.tolist(), number)
    return global_state()
