"""Where in a call stack the program of the user is, below the calls of this library."""

import sys
from types import TracebackType

__all__ = ["of_user", "user_stacklevel"]

_OWN = f"{__name__.partition('.')[0]}."


def user_stacklevel() -> int:
    """Return the ``stacklevel`` for ``warnings.warn`` in the caller that names the line of the user."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and _is_own(frame.f_globals):
        level, frame = level + 1, frame.f_back
    return level


def of_user(found: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the calls of this library at its beginning; None if there are no others."""
    while found is not None and _is_own(found.tb_frame.f_globals):
        found = found.tb_next
    return found


def _is_own(variables: dict[str, object]) -> bool:
    return str(variables.get("__name__", "")).startswith(_OWN)
