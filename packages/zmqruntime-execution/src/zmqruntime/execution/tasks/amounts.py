"""How much is done, from the numbers of a report: whole units, whatever kind of numbers a library calls back with."""

import math
import operator
from dataclasses import dataclass
from typing import Final, SupportsFloat, SupportsIndex

from zmqruntime.codec import clean_text

__all__ = ["Amount", "Number", "amount_of", "text_of"]

Number = SupportsIndex | SupportsFloat
"""What a report counts with: an int, a float, or a number of another library, such as one of an array."""

_MOST_UNITS: Final = 2**53
_LARGEST: Final = 2**1000  # can still be divided as floating point
_NO_NUMBER: Final = "{} must be a number, not {}: report(3, 10) says that 3 of 10 units are done"
_MOST_CHARACTERS: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Amount:
    """How much is done.

    Attributes:
        done: Number of whole units that are done, at most ``total``.
        total: Number of units; None if it is unknown.
        fraction: How much is done before rounding, 0 to 1; 0 if the total is unknown.
    """

    done: int
    total: int | None
    fraction: float


def amount_of(done: Number, total: Number | None) -> Amount:
    """Return how much is done, so that 0 <= ``done`` <= ``total``.

    Units that are done are rounded down and totals are rounded up, so that only the end is 100 %. Less than nothing is
    nothing, and more than all is all. A total that is infinite, negative, or zero after work was done is unknown.

    Raises:
        TypeError: One of them is not a number.
        ValueError: One of them is not a number in the sense of floating point, or ``done`` is infinite.
    """
    exact = max(0, _number(done, "done"))
    if exact == math.inf:
        raise ValueError("done is infinite: report the number of units that are done")
    whole = None if total is None else _number(total, "total")
    if whole is None or whole == math.inf or whole < 0 or (whole == 0 and exact > 0):
        return Amount(_units(math.floor(exact)), None, 0.0)
    units = _units(math.ceil(whole))
    if exact >= whole:
        return Amount(units, units, 1.0 if units else 0.0)
    return Amount(min(_units(math.floor(exact)), units), units, exact / whole)


def text_of(text: str | None) -> str:
    """Return the text of a report as it can be sent: without invalid characters, and cut if it is very long.

    Raises:
        TypeError: It is not a text.
    """
    if text is not None and not isinstance(text, str):
        raise TypeError(f"the text of a report must be a string, not {type(text).__name__}: use str(...)")
    return clean_text(text or "", _MOST_CHARACTERS)


def _number(value: Number, name: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, SupportsIndex | SupportsFloat):
        raise TypeError(_NO_NUMBER.format(name, type(value).__name__))
    try:
        number = _plain(value)
    except (TypeError, ValueError, OverflowError) as error:  # such as of an array of several numbers
        raise TypeError(_NO_NUMBER.format(name, type(value).__name__)) from error
    if number != number:
        raise ValueError(f"{name} is not a number (nan): report how many units are done, such as report(3, 10)")
    return number


def _plain(value: Number) -> int | float:
    try:
        exact = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return float(value)
    return max(-_LARGEST, min(exact, _LARGEST))


def _units(number: int) -> int:
    return min(number, _MOST_UNITS)
