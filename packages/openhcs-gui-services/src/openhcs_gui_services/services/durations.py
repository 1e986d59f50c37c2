"""Durations as text for people, no more precise than useful."""

__all__ = ["duration_text", "timing_text"]

MINUTE, HOUR, DAY = 60, 3600, 86400


def duration_text(seconds: float) -> str:
    """Return a duration in its two largest units: ``42 s``, ``3 min 5 s``, ``2 h 10 min``, ``1 d 4 h``."""
    whole = max(0, round(seconds))
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return _two(whole, MINUTE, "min", 1, "s")
    if whole < DAY:
        return _two(whole, HOUR, "h", MINUTE, "min")
    return _two(whole, DAY, "d", HOUR, "h")


def timing_text(elapsed_seconds: float, remaining: float | None = None) -> str:
    """Return ``3 min 5 s, about 8 min left``, or only the first part if ``remaining`` is None."""
    elapsed = duration_text(elapsed_seconds)
    return elapsed if remaining is None else f"{elapsed}, about {_rough_text(remaining)} left"


def _two(whole: int, large: int, large_name: str, small: int, small_name: str) -> str:
    count, rest = divmod(whole, large)
    rest //= small
    return f"{count} {large_name} {rest} {small_name}" if rest else f"{count} {large_name}"


def _rough_text(seconds: float) -> str:
    """Return an estimate rounded up: to 5 s, from a minute on to minutes, from an hour on to 5 min."""
    step = 5 if seconds < MINUTE else MINUTE if seconds < HOUR else 5 * MINUTE
    return duration_text(max(step, -(-seconds // step) * step))
