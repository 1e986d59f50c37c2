"""Lengths that several sources state: whether they agree, and the distance between planes or time points."""

from collections.abc import Iterable, Mapping
from itertools import pairwise

__all__ = ["agreed_length", "one_length", "time_step", "z_step"]

_SAME = 0.01
"""Lengths with a smaller relative difference are considered equal."""
_UNEVEN = 0.1
"""Allowed relative deviation of a z step from the mean: stages and piezos are not exact."""


def one_length(first: float | None, other: float | None) -> float | None:
    """Return the length stated by two sources (along x and y, or by two images); None if they differ."""
    if first is None or other is None:
        return first if other is None else other
    return first if abs(first - other) <= _SAME * first else None


def agreed_length(values: Iterable[float | None]) -> float | None:
    """Return the length that several images state; None if they differ."""
    known = [value for value in values if value is not None]
    return known[0] if known and all(one_length(known[0], value) is not None for value in known) else None


def z_step(places: Mapping[int, float | None]) -> float | None:
    """Return the distance between planes from their heights in micrometres; None if they are not evenly spaced."""
    return _even_step(places)


def time_step(times: Mapping[int, float | None]) -> float | None:
    """Return the time between time points in seconds; None if they are not evenly spaced."""
    return _even_step(times)


def _even_step(places: Mapping[int, float | None]) -> float | None:
    known = sorted((index, place) for index, place in places.items() if place is not None)
    if len(known) < 2:
        return None
    (first, begin), (last, end) = known[0], known[-1]
    mean = abs(end - begin) / (last - first)
    steps = [abs(b - a) / (m - n) for (n, a), (m, b) in pairwise(known)]
    if not mean or any(abs(step - mean) > _UNEVEN * mean for step in steps):
        return None
    return round(mean, 6)
