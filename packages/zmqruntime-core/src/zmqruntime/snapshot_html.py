"""One execution as an HTML table of what is known of it, for notebooks."""

import datetime
from typing import TYPE_CHECKING

from zmqruntime.html import code, fields, shortened, status_badge

if TYPE_CHECKING:
    from zmqruntime.execution_messages import ExecutionSnapshot

__all__ = ["snapshot_html"]


def snapshot_html(snapshot: "ExecutionSnapshot") -> str:
    """Return a table of the fields that say something; a long error or result is shortened."""
    pairs = [("execution", code(snapshot.execution_id)), ("status", status_badge(snapshot.status.value))]
    pairs += [(name, code(shortened(str(value)))) for name, value in _texts(snapshot) if value]
    return fields(pairs)


def _texts(snapshot: "ExecutionSnapshot") -> list[tuple[str, object]]:
    position = snapshot.queue_position
    return [
        ("about", snapshot.plate_id),
        ("submitted", _moment(snapshot.submitted_at)),
        ("started", _moment(snapshot.started_at)),
        ("ended", _moment(snapshot.ended_at)),
        ("position in the queue", "" if position is None else str(position)),
        ("attempts", snapshot.attempts if snapshot.attempts > 1 else ""),
        ("error", snapshot.error),
        ("result", "" if snapshot.result is None else shortened(repr(snapshot.result))),
    ]


def _moment(seconds: float | None) -> str:
    return "" if seconds is None else datetime.datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")
