"""The pixels of labelled objects, sorted by object, so that every feature is a sum over segments of one array."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.rois.label_numbers import consecutive

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Columns = dict[str, NDArray[np.generic]]
"""One array (n,) for each column, with a value for each object."""


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """Which object each of m pixels belongs to; the pixels of an object follow each other.

    Attributes:
        owner: Index of the object, from 0, sorted; (m,).
        areas: Number of pixels of each object, (n,), possibly 0.
        starts: Index of the first pixel of each object, (n,).
    """

    owner: Integers
    areas: Integers
    starts: Integers

    @classmethod
    def of(cls, owner: Integers, count: int) -> "Segments":
        """Return the segments of sorted ``owner`` for ``count`` objects."""
        areas = np.bincount(owner, minlength=count)
        return cls(owner, areas, np.cumsum(areas) - areas)

    def sums(self, values: NDArray[Any]) -> Floats:
        """Return the sum of the values (m,) of each object; 0 without pixels."""
        return self._reduced(np.add, values, 0.0)

    def means(self, values: NDArray[Any]) -> Floats:
        """Return the mean of the values (m,) of each object; NaN without pixels."""
        return divided(self.sums(values), self.areas)

    def highest(self, values: Floats) -> Floats:
        """Return the largest value of each object; NaN without pixels."""
        return self._reduced(np.maximum, values, np.nan)

    def lowest(self, values: Floats) -> Floats:
        """Return the smallest value of each object; NaN without pixels."""
        return self._reduced(np.minimum, values, np.nan)

    def order_of(self, values: Floats) -> Integers:
        """Return the order that sorts the values within each object; equal values keep their order."""
        order = np.empty(len(values), np.int64)
        for mine in self.slices():
            order[mine] = values[mine].argsort(kind="stable")
        return order + self.starts[self.owner]

    def ordered(self, values: Floats) -> Floats:
        """Return the values (m,), sorted within each object."""
        found = values.copy()
        for mine in self.slices():
            found[mine].sort()
        return found

    def slices(self) -> list[slice]:
        """Return where the pixels of each object are."""
        ends = self.starts + self.areas
        return [slice(*both) for both in zip(self.starts.tolist(), ends.tolist(), strict=True)]

    def quantiles(self, ordered: Floats, fraction: float) -> Floats:
        """Return a quantile of each object, linear between values (type 7 of Hyndman & Fan, 1996).

        Args:
            ordered: Values (m,), sorted within each object.
            fraction: From 0 to 1.
        """
        some = self.areas > 0
        place = (self.areas[some] - 1) * fraction
        low = place.astype(np.int64)
        high = np.minimum(low + 1, self.areas[some] - 1)
        first, part = self.starts[some], place - low
        found = np.full(len(self.areas), np.nan)
        found[some] = ordered[first + low] * (1 - part) + ordered[first + high] * part
        return found

    def first_of_highest(self, values: Floats) -> Integers:
        """Return the index of the first pixel with the largest value of each object; -1 without pixels."""
        largest = np.flatnonzero(values == self.highest(values)[self.owner])
        owners, first = np.unique(self.owner[largest], return_index=True)
        found = np.full(len(self.areas), -1, np.int64)
        found[owners] = largest[first]
        return found

    def _reduced(self, ufunc: np.ufunc, values: NDArray[Any], missing: float) -> Floats:
        some = self.areas > 0
        found = np.full(len(self.areas), missing)
        if some.any():
            found[some] = ufunc.reduceat(values, self.starts[some], dtype=np.float64)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """The objects of one label image (Y, X).

    Attributes:
        numbers: Their labels, sorted, (n,).
        labels: The image with labels from 1 to n, int32 (Y, X).
        flat: Index of each pixel in the flat image, sorted by object and then by position, (m,).
        rows: Row of each pixel, (m,).
        cols: Column of each pixel, (m,).
        segments: The object of each pixel.
    """

    numbers: Integers
    labels: NDArray[np.int32]
    flat: Integers
    rows: Integers
    cols: Integers
    segments: Segments

    @classmethod
    def of(cls, labels: NDArray[Any]) -> "Regions":
        """Return the objects of integer labels (Y, X)."""
        numbers, marked = consecutive(labels)
        inside = np.flatnonzero(marked != 0)
        owners = marked.ravel()[inside]
        few = len(numbers) <= np.iinfo(np.uint16).max  # NumPy sorts small integers without comparing them
        order = np.argsort(owners.astype(np.uint16) if few else owners, kind="stable")
        flat = inside[order]
        rows, cols = np.divmod(flat, labels.shape[1])
        owner = owners[order].astype(np.int64) - 1
        return cls(numbers, marked, flat, rows, cols, Segments.of(owner, len(numbers)))

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def owner(self) -> Integers:
        """Index of the object of each pixel, (m,)."""
        return self.segments.owner

    @property
    def areas(self) -> Integers:
        """Number of pixels of each object, (n,)."""
        return self.segments.areas

    def values(self, plane: NDArray[Any]) -> Floats:
        """Return the values (m,) of the pixels in an image (Y, X)."""
        return plane.ravel()[self.flat].astype(np.float64, copy=False)

    def corners(self) -> tuple[Integers, Integers, Integers, Integers]:
        """Return the first row and column of each object, and those after the last, each (n,)."""
        segments = self.segments
        top, bottom = self.rows[segments.starts], self.rows[segments.starts + segments.areas - 1]
        if not len(self):
            return top, self.cols[segments.starts], bottom + 1, bottom + 1
        left = np.minimum.reduceat(self.cols, segments.starts)
        right = np.maximum.reduceat(self.cols, segments.starts)
        return top, left, bottom + 1, right + 1

    def where_all(self, finite: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return for each object whether all of its pixels fulfil a condition (m,)."""
        return np.asarray(self.segments.sums(finite) == self.areas)


def divided(numerator: NDArray[Any], denominator: NDArray[Any]) -> Floats:
    """Return a quotient that is NaN where the denominator is 0."""
    some = denominator != 0
    quotient: Floats = np.divide(numerator, denominator, out=np.full(np.shape(numerator), np.nan), where=some)
    return quotient
