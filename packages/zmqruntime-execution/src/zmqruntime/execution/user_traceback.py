"""The traceback of an error in a task, without the calls that belong to this library and not to the task."""

import traceback
from types import TracebackType

from zmqruntime.codec import clean_text

__all__ = ["user_traceback"]

_OWN_PACKAGES = ("zmqruntime", "importlib")
_MOST_CHARACTERS = 40_000


def user_traceback(error: BaseException) -> str | None:
    """Return the formatted traceback from the first call of the task's own code on; None if there is no such call.

    The calls before it run the task. An error that was raised by them alone, such as that a result cannot be sent, is
    told by its message; the same holds for errors that are the cause of another one.
    """
    try:
        told = traceback.TracebackException.from_exception(error)
        if not _cut(told, error):
            return None
        return clean_text("".join(told.format())[-_MOST_CHARACTERS:])
    except Exception:  # noqa: BLE001 - str() of a user's class
        return None


def _cut(told: traceback.TracebackException, error: BaseException) -> bool:
    """Remove what is not of the task; return whether anything is left."""
    had_calls = bool(told.stack)
    del told.stack[: _count_own(error.__traceback__)]
    if told.__cause__ is not None and error.__cause__ is not None and not _cut(told.__cause__, error.__cause__):
        told.__cause__ = None
    if told.__context__ is not None and error.__context__ is not None and not _cut(told.__context__, error.__context__):
        told.__context__ = None
    shown = told.__cause__ or (None if told.__suppress_context__ else told.__context__)
    return bool(told.stack) or not had_calls or shown is not None


def _count_own(found: TracebackType | None) -> int:
    """Return the number of calls before the first one of the task's own code."""
    count = 0
    while found is not None and _is_own(found):
        count, found = count + 1, found.tb_next
    return count


def _is_own(found: TracebackType) -> bool:
    return str(found.tb_frame.f_globals.get("__name__", "")).partition(".")[0] in _OWN_PACKAGES
