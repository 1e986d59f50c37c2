"""``schedules``: tasks that a server submits again and again."""

from collections.abc import Sequence

from zmqruntime.execution.cli.endpoint import Endpoint, attached
from zmqruntime.execution.cli.output import Output
from zmqruntime.execution.text import duration, moment, one_line, table
from zmqruntime.messages import Schedule

__all__ = ["list_schedules", "remove_schedule"]


def list_schedules(endpoint: Endpoint, output: Output) -> int:
    """Show the schedules of a server, by name."""
    with attached(endpoint) as client:
        schedules = client.schedules()
    if not schedules:
        output.line("No schedules.")
    else:
        for line in _lines(schedules):
            output.line(line)
    return output.document({"schedules": schedules})


def remove_schedule(endpoint: Endpoint, name: str, output: Output) -> int:
    """Remove a schedule; what it has submitted stays."""
    with attached(endpoint) as client:
        removed = client.unschedule(name)
    output.line(f"Removed {name}: nothing more is submitted for it; what it has submitted is not affected.")
    return output.document({"schedule": removed})


def _lines(schedules: Sequence[Schedule]) -> list[str]:
    lines = list(table(("SCHEDULE", "DUE", "NEXT", "LAST", "TASK"), map(_row, schedules)))
    return lines + [f"{each.name}: {one_line(each.trouble)}" for each in schedules if each.trouble]


def _row(schedule: Schedule) -> tuple[str, ...]:
    zone = f" {schedule.timezone or 'UTC'}"
    due = f"every {duration(schedule.every)}" if schedule.every is not None else f"{schedule.cron}{zone}"
    last = "" if schedule.last_due is None else moment(schedule.last_due)
    return (schedule.name, due, moment(schedule.next_due), last, schedule.task)
