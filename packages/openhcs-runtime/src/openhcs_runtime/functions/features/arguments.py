"""What is wrong with the arguments of a step, in one line for each, before the step runs or when it is compiled."""

import math
from collections.abc import Iterable, Iterator
from numbers import Integral, Real


def number_problems(
    name: str, value: object, *, lowest: float = 0.0, highest: float = math.inf, above: bool = False
) -> Iterator[str]:
    """Yield what is wrong with a number, which has to be finite.

    Args:
        name: Name of the argument.
        value: Its value.
        lowest: The lowest number that is allowed.
        highest: The highest number that is allowed.
        above: Whether it has to be above ``lowest``, which is not allowed itself.
    """
    low = f"above {lowest:g}" if above else f"of {lowest:g} or more"
    allowed = f"{name} must be a number {low}" if highest == math.inf else f"{name} must be a number "
    if highest < math.inf:
        allowed += f"above {lowest:g} and at most {highest:g}" if above else f"from {lowest:g} to {highest:g}"
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    if not math.isfinite(number) or not lowest <= number <= highest or (above and number == lowest):
        yield f"{allowed}, not {value!r}"


def whole_problems(name: str, value: object, lowest: int, highest: int | None = None) -> Iterator[str]:
    """Yield what is wrong with a whole number.

    Args:
        name: Name of the argument.
        value: Its value.
        lowest: The lowest number that is allowed.
        highest: The highest number that is allowed; None for any.
    """
    allowed = f"of {lowest} or more" if highest is None else f"from {lowest} to {highest}"
    number = _whole(value)
    if number is None or number < lowest or (highest is not None and number > highest):
        yield f"{name} must be a whole number {allowed}, not {value!r}"


def length_problems(
    name: str, pixels: object, micrometres: object, *, lowest_px: float = 0.0, highest_px: float = math.inf
) -> Iterator[str]:
    """Yield what is wrong with a length that is given in pixels or in micrometres; None is not given.

    Args:
        name: Name of the arguments without their unit.
        pixels: The length in pixels.
        micrometres: The length in micrometres.
        lowest_px: The smallest length in pixels; 0 is never allowed itself.
        highest_px: The largest length in pixels.
    """
    if pixels is not None and micrometres is not None:
        yield f"give {name}_px or {name}_um, not both"
    if pixels is not None:
        yield from number_problems(f"{name}_px", pixels, lowest=lowest_px, highest=highest_px, above=lowest_px == 0)
    if micrometres is not None:
        yield from number_problems(f"{name}_um", micrometres, above=True)


def distances_problems(name: str, value: object) -> Iterator[str]:
    """Yield what is wrong with a list of distances in whole pixels."""
    if not isinstance(value, Iterable) or isinstance(value, str | bytes):
        yield f"{name} must be a list of whole numbers of 1 or more, such as [3], not {value!r}"
        return
    distances = list(value)
    if not distances or min(_whole(each) or 0 for each in distances) < 1:
        yield f"{name} must be a list of whole numbers of 1 or more, such as [3], not {distances!r}"


def refuse(problems: Iterator[str]) -> None:
    """Raise ValueError for the first problem, if there is one."""
    problem = next(problems, None)
    if problem is not None:
        raise ValueError(problem)


def _whole(value: object) -> int | None:
    """Return a value as a whole number; None if it is not one."""
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else None
