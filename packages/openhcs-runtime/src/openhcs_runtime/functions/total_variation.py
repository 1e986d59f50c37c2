"""Chambolle's method for total variation denoising, strip by strip of an image, so that each stays in the cache."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["least_variation"]

Floats = NDArray[np.float32]

_STEP = 0.25
"""Step of the descent, for which the method converges in two dimensions; a power of two, so that it does not round."""
_ENOUGH = 2e-4
"""Change of the energy, relative to that of the image, below which the iteration ends."""
_MOST_STEPS = 200
_STRIP_PX = 1 << 15


def least_variation(image: Floats, weight: float) -> Floats:
    """Return the image (Y, X) with less total variation.

    Minimises half the squared distance from the image, plus the weight times the total variation of the result, by the
    dual iteration of Chambolle (J. Math. Imaging Vision 20, 2004). Equal to
    ``skimage.restoration.denoise_tv_chambolle`` in every pixel, unless rounding decides about the last iteration.

    Args:
        image: The image, from 0 to 1.
        weight: Weight of the variation.
    """
    descent = _Descent.of(np.ascontiguousarray(image), weight)
    first = last = 0.0
    for step in range(_MOST_STEPS):
        energy = descent.advance() / image.size
        if step == 0:
            first = energy
        elif abs(last - energy) < _ENOUGH * first:
            break
        last = energy
    return descent.found


@dataclass(frozen=True, slots=True, eq=False)
class _Descent:
    """The state of the iteration.

    Attributes:
        image: The image.
        weight: Weight of the variation.
        down: The dual variable along columns, divided by the step; its last row is always 0.
        over: The dual variable along rows, divided by the step; its last column is always 0.
        found: The result that belonged to the dual variables before the last step.
        rows: Rows of a strip.
    """

    image: Floats
    weight: float
    down: Floats
    over: Floats
    found: Floats
    rows: int

    @classmethod
    def of(cls, image: Floats, weight: float) -> "_Descent":
        rows = max(1, _STRIP_PX // image.shape[1])
        return cls(image, weight, np.zeros_like(image), np.zeros_like(image), np.empty_like(image), rows)

    def advance(self) -> float:
        """Compute the result of the dual variables, and these for the next step; returns the energy."""
        height = len(self.image)
        energy = self._result(0, 1)
        for top in range(0, height, self.rows):
            bottom = min(height, top + self.rows)
            energy += self._result(top + 1, min(height, bottom + 1))  # the row below is needed for the gradient
            energy += self._ascend(top, bottom)
        return energy

    def _result(self, top: int, bottom: int) -> float:
        """Compute rows of the result; returns their squared distance from the image."""
        if top >= bottom:
            return 0.0
        change = self.down[top:bottom] + self.over[top:bottom]
        if top:
            np.subtract(self.down[top - 1 : bottom - 1], change, out=change)
        else:
            np.negative(change, out=change)
        left, flat = self.over[top:bottom].ravel(), change.ravel()
        np.add(flat[1:], left[:-1], out=flat[1:])  # the last one of the row before is 0
        np.multiply(change, _STEP, out=change)
        np.add(self.image[top:bottom], change, out=self.found[top:bottom])
        return _sum_of_rows(np.vecdot(change, change))

    def _ascend(self, top: int, bottom: int) -> float:
        """Move rows of the dual variables along the gradient of the result; returns their part of the energy."""
        here = self.found[top:bottom]
        down, over = np.empty_like(here), np.empty_like(here)
        inner = min(bottom, len(self.found) - 1) - top
        np.subtract(self.found[top + 1 : top + 1 + inner], here[:inner], out=down[:inner])
        down[inner:] = 0
        np.subtract(here.ravel()[1:], here.ravel()[:-1], out=over.ravel()[:-1])
        over[:, -1] = 0
        size, other = np.square(down), np.square(over)
        np.add(size, other, out=size)
        np.sqrt(size, out=size)
        energy = self.weight * _sum_of_rows(np.vecdot(size, np.ones(size.shape[1], size.dtype)))
        np.multiply(size, _STEP / self.weight, out=size)
        np.add(size, 1, out=size)
        for dual, gradient in ((self.down[top:bottom], down), (self.over[top:bottom], over)):
            np.subtract(dual, gradient, out=dual)
            np.divide(dual, size, out=dual)
        return energy


def _sum_of_rows(sums: Floats) -> float:
    return float(sums.sum(dtype=np.float64))
