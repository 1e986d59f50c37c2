"""Checks of the arguments of senders, streams and receivers, where they are given."""

import math
import operator
from collections.abc import Iterable
from typing import Final, SupportsIndex

from zmqruntime.config import ZMQConfig
from zmqruntime.exceptions import ConfigurationError

__all__ = ["checked_budget", "checked_name", "checked_port", "checked_seconds", "checked_shape"]

_LARGEST_PORT: Final = 65_535
_LEAST_BUDGET: Final = 64 * 1024
_LONGEST_NAME: Final = 200


def checked_port(port: object, config: ZMQConfig | None) -> int:
    """Return a data port whose control port exists as well.

    Raises:
        ConfigurationError: it is not a whole number, or out of range.
    """
    offset = (config or ZMQConfig()).control_port_offset
    number = _whole(port)
    largest = _LARGEST_PORT - max(0, offset)
    if number is None or not 0 < number <= largest:
        raise ConfigurationError(
            f"{port!r} is not a port for arrays; give a whole number from 1 to {largest} (the port {offset} above it "
            "is used, too)"
        )
    return number


def checked_budget(budget: object) -> int:
    """Return a memory budget in bytes.

    Raises:
        ConfigurationError: it is not a whole number of bytes, or too small for any array.
    """
    number = _whole(budget)
    if number is None or number < _LEAST_BUDGET:
        raise ConfigurationError(
            f"memory_budget={budget!r} is not enough memory; give bytes as a whole number, at least {_LEAST_BUDGET:_} "
            "and twice the size of the largest array"
        )
    return number


def checked_name(name: object) -> str:
    """Return the name of a sender.

    Raises:
        ValueError: it is not text, empty, too long, or cannot be encoded.
    """
    if not isinstance(name, str):
        raise ValueError(f"the name {name!r} of the sender is not text; use str(...)")
    if not 0 < len(name) <= _LONGEST_NAME:
        raise ValueError(f"a name must have 1 to {_LONGEST_NAME} characters, not {len(name)}; choose another name")
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"the name {name!r} of the sender is not valid text: {error}; choose another name") from error
    return name


def checked_seconds(seconds: object) -> float:
    """Return a timeout in seconds.

    Raises:
        ConfigurationError: it is not a number from 0.
    """
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or math.isnan(float(seconds)) or float(seconds) < 0:  # type: ignore[arg-type]
        raise ConfigurationError(f"timeout={seconds!r} is not a number of seconds; give a number from 0")
    return float(seconds)  # type: ignore[arg-type]


def checked_shape(shape: object) -> tuple[int, ...]:
    """Return the shape of an array.

    Raises:
        ValueError: it is not one or several whole numbers from 0.
    """
    given = shape if isinstance(shape, Iterable) else (shape,)
    sizes = [_whole(size) for size in given]
    found = tuple(size for size in sizes if size is not None and size >= 0)
    if len(found) != len(sizes):
        raise ValueError(f"{shape!r} is not the shape of an array; give whole numbers from 0, such as (512, 512)")
    return found


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        return None
    return operator.index(value)
