"""When a schedule is due: at equal distances, or at the times of a cron text.

Cron texts are those of crontab(5) as Debian's cron reads them, including its rules for changes to and from summer time;
the library ``cronsim`` reads them.
"""

import datetime
import math
import zoneinfo

__all__ = ["DueTimeError", "next_due"]


class DueTimeError(ValueError):
    """A schedule has no due times, or they cannot be computed here."""


def next_due(every: float | None, cron: str | None, timezone: str | None, anchor: float, after: float) -> float:
    """Return the first due time later than ``after``, in seconds since the epoch.

    Args:
        every: Distance of due times in seconds; None if there is a cron text.
        cron: The cron text; None if there is a distance.
        timezone: Time zone of the cron text; None for UTC.
        anchor: Time from which the distances count.
        after: Time in seconds since the epoch.

    Raises:
        DueTimeError: There must be either a distance or a cron text; or the text or the zone is not valid.
    """
    if (every is None) == (cron is None):
        raise DueTimeError("a schedule has either 'every' in seconds or 'cron': give one of them")
    if every is not None:
        if timezone is not None:
            raise DueTimeError("'timezone' is for 'cron' only: leave it out")
        due = anchor + (math.floor((after - anchor) / every) + 1) * every
        return due if due > after else due + every
    return _next_of_cron(cron or "", _zone(timezone), after)


def _zone(name: str | None) -> datetime.tzinfo:
    try:
        return datetime.UTC if name is None else zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        text = f"there is no time zone {name!r} on the server's machine: use a name such as 'Europe/Madrid'"
        raise DueTimeError(text) from error


def _next_of_cron(cron: str, zone: datetime.tzinfo, after: float) -> float:
    try:
        from cronsim import CronSim, CronSimError  # noqa: PLC0415 - an optional package
    except ImportError as error:
        text = "cron texts need a package where the server runs: pip install 'zmqruntime-execution[schedules]'"
        raise DueTimeError(text) from error
    begin = datetime.datetime.fromtimestamp(math.floor(after), zone)
    try:
        return float(next(CronSim(cron, begin)).timestamp())
    except (CronSimError, StopIteration) as error:
        why = str(error) or "it is never due"
        text = f"the cron text {cron!r} is not valid ({why}): write five fields such as '0 3 * * mon-fri'"
        raise DueTimeError(text) from error
