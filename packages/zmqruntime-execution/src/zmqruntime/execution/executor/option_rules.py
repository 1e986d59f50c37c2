"""What each option of a task may be, checked where it is given and in the words of who gives it."""

import math
import numbers
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from zmqruntime.environment import TaskEnvironment
from zmqruntime.execution.client.options import Concurrency, Rate
from zmqruntime.execution.executor.futures import TaskFuture

__all__ = ["check_key", "check_option", "check_timing", "checked_after", "rate_of"]

_NAME = re.compile(r"[0-9A-Za-z_.-]{1,64}")
_ID = re.compile(r"[0-9A-Za-z_-]{8,64}")
_RATE = re.compile(r" *([1-9][0-9]*) */ *((?:[0-9]+\.?[0-9]*|\.[0-9]+)?) *(s|min|h|d) *")
_UNITS: Final = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_LONGEST_PERIOD: Final = 366 * 86_400.0
_MOST_IDS: Final = 1000
_MOST_RESOURCES: Final = 32
_MOST_STARTS: Final = 10_000
_LONGEST_CRON, _LONGEST_ZONE = 200, 64


@dataclass(frozen=True, slots=True)
class _Rule:
    """What an option may be: in words, by type, and by value."""

    allowed: str
    is_type: Callable[[Any], bool]
    is_valid: Callable[[Any], bool] = lambda value: True


def check_option(name: str, value: object) -> None:
    """Check one option of a task, or another setting that follows the same rule.

    Raises:
        TypeError: It is of the wrong type.
        ValueError: Its value is not allowed.
    """
    rule = _RULES.get(name)
    if rule is None:
        return
    if not rule.is_type(value):
        raise TypeError(f"{name} must be {rule.allowed}, not {_in_words(value)}")
    if not rule.is_valid(value):
        raise ValueError(f"{name} must be {rule.allowed}, not {_short(value)}")


def check_key(key: object) -> None:
    """Check the key of a submission.

    Raises:
        TypeError: It is not text.
        ValueError: It is empty.
    """
    check_option("key", key)


def checked_after(after: object) -> tuple[TaskFuture[Any] | str, ...]:
    """Return the futures and ids of what has to be complete first.

    Raises:
        TypeError: They are not a list, or something else to iterate over, of those.
        ValueError: One cannot be an id, or there are too many.
    """
    if isinstance(after, (str, bytes, Mapping)) or not isinstance(after, Iterable):
        raise TypeError(f"after must be a list of futures of executors or of execution ids, not {_in_words(after)}")
    found = tuple(after)
    if len(found) > _MOST_IDS:
        raise ValueError(f"after can have {_MOST_IDS:,} executions at most, not {len(found):,}: name fewer")
    for each in found:
        if isinstance(each, TaskFuture):
            continue
        if not isinstance(each, str):
            raise TypeError(f"after must have futures of executors or execution ids, not {_in_words(each)}")
        if not _ID.fullmatch(each):
            raise ValueError(f"after has {each!r}, which cannot be an execution id: take execution_id of a future")
    return found


def check_timing(name: object, every: object, cron: object, timezone: object) -> None:
    """Check the name and the times of a schedule.

    Raises:
        TypeError: One is of the wrong type, or there are both kinds of times, or none.
        ValueError: A value is not allowed.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a schedule must be text, not {_in_words(name)}")
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be the name of a schedule: use 1 to 64 letters, digits, dots, dashes and underscores"
        )
    if (every is None) == (cron is None):
        raise TypeError("a schedule needs either every=, in seconds, or cron=: give one of them")
    for option, value in (("every", every), ("cron", cron), ("timezone", timezone)):
        if value is not None:
            check_option(option, value)


def rate_of(text: str, key: str) -> Rate:
    """Return the rate that a text such as ``10/min`` or ``5/2h`` names.

    Raises:
        ValueError: It is not one.
    """
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError(f"rate {text!r} is not one: write how many in which time, such as '10/min' or '5/2h'")
    count, seconds = int(match[1]), float(match[2] or 1) * _UNITS[match[3]]
    if count > _MOST_STARTS or not 0 < seconds <= _LONGEST_PERIOD:
        raise ValueError(f"rate {text!r} must be at most {_MOST_STARTS:,} in a period above 0 and up to 366 days")
    return Rate(key, count, seconds)


def _in_words(value: object) -> str:
    return f"{type(value).__name__} ({_short(value)})"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_whole(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)  # also those of numpy


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_name(value: Any) -> bool:
    return _NAME.fullmatch(value) is not None


def _or_none(is_type: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or is_type(value)


def _within(least: float, most: float) -> Callable[[Any], bool]:
    return lambda value: least <= value <= most  # False for NaN


def _is_time_limit(value: Any) -> bool:
    return value is None or 0 < value < math.inf


def _is_amounts(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(name, str) and _is_number(value[name]) for name in value)


def _are_amounts_valid(value: Any) -> bool:
    names_fit = len(value) <= _MOST_RESOURCES and all(map(_is_name, value))
    return names_fit and all(0 <= amount < math.inf for amount in value.values())


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def _are_variables_valid(value: Any) -> bool:
    """Check them one by one, because a message must not have the values of all, which may be secret."""
    for name, text in value.items():
        if not isinstance(name, str):
            raise TypeError(f"env must have names of variables that are text, not {_in_words(name)}")
        if not isinstance(text, str):
            raise TypeError(f"env[{name!r}] must be text, not {type(text).__name__}")
        problem = TaskEnvironment(variables={name: text}, folder=os.path.abspath(os.sep)).problem()
        if problem is not None:
            raise ValueError(f"env: {problem}")
    return True


def _is_path(value: object) -> bool:
    return isinstance(value, (str, os.PathLike)) and isinstance(os.fspath(value), str)


def _is_rate_valid(value: Any) -> bool:
    if isinstance(value, str):
        rate_of(value, "check")
    return True


_LIMIT = _Rule("a number of seconds above 0, or None for no limit", _or_none(_is_number), _is_time_limit)
_SWITCH = _Rule("True or False", _is_bool)
_RESOURCES = _Rule(
    "up to 32 names of letters, digits, dots, dashes and underscores with amounts of 0 or more, such as {'gpu': 1}",
    _is_amounts,
    _are_amounts_valid,
)
_RULES: Final[dict[str, _Rule]] = {
    "retries": _Rule("a whole number from 0 to 1,000", _is_whole, _within(0, 1000)),
    "backoff": _Rule("a number of seconds, 0 or more", _is_number, lambda value: 0 <= value < math.inf),
    "time_limit": _LIMIT,
    "soft_time_limit": _LIMIT,
    "priority": _Rule("a whole number from -1,000,000 to 1,000,000", _is_whole, _within(-1_000_000, 1_000_000)),
    "queue": _Rule("1 to 64 letters, digits, dots, dashes and underscores", _is_text, _is_name),
    "resources": _RESOURCES,
    "concurrency": _Rule(
        "a whole number from 1 to 1,000,000, a Concurrency, or None for no limit",
        _or_none(lambda value: _is_whole(value) or isinstance(value, Concurrency)),
        lambda value: not _is_whole(value) or 1 <= value <= 1_000_000,
    ),
    "rate": _Rule(
        "text such as '10/min', a Rate, or None for no limit",
        _or_none(lambda value: isinstance(value, (str, Rate))),
        _is_rate_valid,
    ),
    "env": _Rule("a mapping of variables, such as {'OMP_NUM_THREADS': '4'}", _is_mapping, _are_variables_valid),
    "cwd": _Rule("the path of a folder", _is_path, lambda value: "\0" not in os.fspath(value)),
    "resumable": _SWITCH,
    "bars": _SWITCH,
    "key": _Rule("text that is not empty", _is_text, bool),
    "every": _Rule("a number of seconds from 1 to 366 days", _is_number, _within(1, _LONGEST_PERIOD)),
    "cron": _Rule("text of five fields, such as '0 3 * * mon-fri'", _is_text, lambda text: len(text) <= _LONGEST_CRON),
    "timezone": _Rule(
        "the name of a time zone, such as 'Europe/Madrid'", _is_text, lambda text: len(text) <= _LONGEST_ZONE
    ),
    "max_workers": _Rule(
        "greater than 0 and a whole number, or None", _or_none(_is_whole), lambda value: value is None or value > 0
    ),
    "cancel_grace": _Rule("a number of seconds, 0 or more", _is_number, lambda value: 0 <= value < math.inf),
}
