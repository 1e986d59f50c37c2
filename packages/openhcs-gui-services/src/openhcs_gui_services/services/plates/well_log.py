"""Log lines of a plate that its server does not have: why wells failed, and the log in the folder of a run."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from openhcs_gui_services.services.plates.wording import window_text
from zmqruntime.execution import AxisProgress, AxisState
from zmqruntime.messages import LogLevel, LogLine

__all__ = ["failure_lines", "run_log_lines"]

_LOG_NAME = "run.log"
_MOST_BYTES = 4 * 1024 * 1024
_LINE = re.compile(r"(\S+) (DEBUG|INFO|WARNING|ERROR|CRITICAL) +(?:([A-Z]{1,2}\d{2}) )?([^:]*): (.*)")


def failure_lines(
    execution_id: str, wells: Iterable[AxisProgress], known: Iterable[LogLine], at: float
) -> list[LogLine]:
    """Return a line for each failed well whose log says nothing of an error.

    Args:
        execution_id: the execution that the lines belong to.
        wells: the wells.
        known: the lines that there are.
        at: time of the new lines, in seconds since the epoch.
    """
    heard = {line.axis_id for line in known if line.axis_id and line.level in (LogLevel.ERROR, LogLevel.CRITICAL)}
    return [
        _line(execution_id, at, LogLevel.ERROR, "run", _failure(well), well.axis_id)
        for well in wells
        if well.state is AxisState.FAILED and well.axis_id not in heard
    ]


def run_log_lines(folder: Path, execution_id: str) -> list[LogLine]:
    """Return the log in the folder of a run, its latest part if it is long; empty if there is none."""
    path = folder / _LOG_NAME
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _MOST_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return _parsed(text.splitlines()[1 if size > _MOST_BYTES else 0 :], execution_id)


def _parsed(lines: Sequence[str], execution_id: str) -> list[LogLine]:
    found: list[LogLine] = []
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            continue  # the rest of a line that was cut
        when, level, axis_id, logger, said = match.groups()
        try:
            timestamp = datetime.fromisoformat(when).timestamp()
        except ValueError:
            continue
        found.append(_line(execution_id, timestamp, LogLevel(level.lower()), logger, said, axis_id or ""))
    return found


def _failure(well: AxisProgress) -> str:
    step = f" in step {well.step_name}" if well.step_name else ""
    return f"failed{step}: {window_text(well.error) or 'no reason was given'}"


def _line(execution_id: str, at: float, level: LogLevel, logger: str, text: str, axis_id: str) -> LogLine:
    return LogLine(
        execution_id=execution_id, sequence=1, timestamp=at, level=level, logger=logger, text=text, axis_id=axis_id
    )
