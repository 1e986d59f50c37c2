"""What a measured function is: its call, those of its peers, and how their results have to agree."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Agrees = Callable[[Any, Any], bool]


@dataclass(frozen=True)
class Peer:
    """A function of another library.

    Attributes:
        by: The library and its function.
        run: Does the job.
        agrees: Whether its result is that of ours; None where the definitions differ.
        is_fair: Whether it does the same job, so that ours has to keep up.
        note: What it does otherwise.
    """

    by: str
    run: Callable[[], Any]
    agrees: Agrees | None = None
    is_fair: bool = True
    note: str = ""


@dataclass(frozen=True)
class Case:
    """A function of the library on some images, and its peers."""

    name: str
    run: Callable[[], Any]
    peers: tuple[Peer, ...] = ()
    note: str = ""


def same(found: Any, other: Any) -> bool:
    """Whether planes are equal in each pixel."""
    return bool(np.array_equal(np.squeeze(found), np.squeeze(other)))


def near(tolerance: float) -> Agrees:
    """Return whether planes are equal within a fraction of the largest value."""

    def agrees(found: Any, other: Any) -> bool:
        expected = np.squeeze(other).astype(np.float64)
        return bool(np.abs(np.squeeze(found) - expected).max() <= tolerance * np.abs(expected).max())

    return agrees


def same_labels(found: Any, other: Any) -> bool:
    """Whether the labels that a function returns after its stack are equal."""
    return same(found[1], other)


def as_many(tolerance: float) -> Agrees:
    """Return whether there are as many labels, within a fraction."""

    def agrees(found: Any, other: Any) -> bool:
        count, expected = (len(np.unique(labels)) for labels in (found[1], other))
        return abs(count - expected) <= tolerance * expected

    return agrees


def same_column(column: str, other: str, tolerance: float = 1e-6) -> Agrees:
    """Return whether a column of objects is that of a peer, relative to its largest value."""

    def agrees(found: Any, table: Any) -> bool:
        expected = np.asarray(table[other], float)
        apart = np.abs(np.asarray(found[1][0].objects[column], float) - expected)
        return bool(np.nanmax(apart) <= tolerance * np.nanmax(np.abs(expected)))

    return agrees
