"""``status``, ``history`` and ``cancel``: executions of a server, one or all, and how to stop one."""

import time
from typing import TYPE_CHECKING

from zmqruntime.execution.cli.endpoint import Endpoint, attached
from zmqruntime.execution.cli.executions import (
    SHOWN_EXECUTIONS,
    brief,
    shown,
    status_document,
    will_stop,
)
from zmqruntime.execution.cli.failures import CommandError, ErrorKind, ExitCode
from zmqruntime.execution.cli.ids import find_id
from zmqruntime.execution.cli.output import Output
from zmqruntime.execution.cli.sources import Source, interrupted_in, reading, reading_or_none
from zmqruntime.execution.text import duration, moment, one_line, plural, size, table

if TYPE_CHECKING:  # while there is no server, a command ends without loading them
    from zmqruntime.execution.progress.values import PlateProgress
    from zmqruntime.messages import ExecutionSnapshot, StatusResponse

__all__ = ["cancel", "show_history", "show_status"]

_SHOWN_RESULT = 2_000
_PLAIN_WORDS = 2


def show_status(endpoint: Endpoint, given_id: str | None, output: Output) -> int:
    """Show the server with its executions, or one of them in full."""
    if given_id is not None:
        return _show_one(endpoint, given_id, output)
    with reading_or_none(endpoint) as source:
        report = None if source is None else source.executions.status(SHOWN_EXECUTIONS)
        running = [] if source is None or report is None or output.as_json else _running(source, report)
    if source is None or report is None:
        output.line(f"N{endpoint.absence[1:]}; {endpoint.remedy}.")
    else:
        _print_overview(source, report, output)
    for line in running:
        output.line(line)
    return output.document(status_document(source, report))


def show_history(endpoint: Endpoint, limit: int, output: Output) -> int:
    """Show what has ended, newest first."""
    with reading(endpoint) as source:
        ended = source.history(limit)
    output.note(source.note)
    _print_table(ended, 0, output)
    return output.document({"from_disk": source.server is None, "executions": [brief(entry) for entry in ended]})


def cancel(endpoint: Endpoint, given_id: str, axis_id: str | None, grace_seconds: float | None, output: Output) -> int:
    """Ask an execution, or one axis of it, to stop."""
    with attached(endpoint) as client:
        reply = client.cancel(find_id(client, given_id), axis_id, grace_seconds)
    document = {"execution_id": reply.execution_id, "status": reply.status, "message": reply.message}
    if not will_stop(reply):
        return output.document(document, CommandError(ErrorKind.REFUSED, reply.message, ExitCode.FAILED))
    output.line(f"{reply.message[:1].upper()}{reply.message[1:]}.")
    return output.document(document)


def _show_one(endpoint: Endpoint, given_id: str, output: Output) -> int:
    with reading(endpoint) as source:
        execution = source.executions.snapshot_of(source.find_id(given_id))
        progress = _progress(source, execution)
    from zmqruntime.execution.cli.commands.watch import progress_document  # noqa: PLC0415

    now = time.time()
    output.note(source.note)
    for line in [*_in_full(execution), *([] if progress is None else _progress_lines(progress, now))]:
        output.line(line)
    document = {"server": source.server, "from_disk": source.server is None, "execution": execution}
    return output.document({**document, "progress": None if progress is None else progress_document(progress, now)})


def _running(source: Source, report: "StatusResponse") -> list[str]:
    from zmqruntime.execution.cli.commands.watch import running_lines  # noqa: PLC0415
    from zmqruntime.execution.client.client import ExecutionClient  # noqa: PLC0415

    client = source.executions
    return running_lines(client, report.executions) if isinstance(client, ExecutionClient) else []


def _progress(source: Source, execution: "ExecutionSnapshot") -> "PlateProgress | None":
    from zmqruntime.execution.cli.commands.watch import progress_of  # noqa: PLC0415
    from zmqruntime.execution.client.client import ExecutionClient  # noqa: PLC0415

    if isinstance(source.executions, ExecutionClient) and execution.status.is_working:
        return progress_of(source.executions, execution.execution_id)
    return None


def _progress_lines(progress: "PlateProgress", now: float) -> list[str]:
    from zmqruntime.execution.cli.commands.watch import progress_text  # noqa: PLC0415

    lines = [f"{'Progress':<10} {progress_text(progress, now)}"]
    return [*lines, f"{'Doing':<10} {one_line(progress.text)}"] if progress.text else lines


def _print_overview(source: Source, report: "StatusResponse", output: Output) -> None:
    server = source.server
    if server is None:
        output.line(source.note)
        output.line(f"{len(interrupted_in(report))} interrupted, {report.queued} queued")
    else:
        app, port = source.endpoint.app, server.port
        output.line(f"{server.server} {server.version} of {app} on port {port}, process {server.pid}")
        output.line(_load(report))
    for line in _queue_lines(report):
        output.line(line)
    if report.trouble:
        output.line(f"Nothing is being started: {one_line(report.trouble)}; it will be tried again.")
    _print_table(*shown(report), output)


def _load(report: "StatusResponse") -> str:
    words = [f"{report.running} running", f"{report.queued} queued", plural(report.workers, "worker")]
    if report.paused:
        words.append("paused: nothing is started")
    if report.draining:
        words.append("draining: nothing is accepted")
    return ", ".join(words)


def _queue_lines(report: "StatusResponse") -> list[str]:
    """What is worth saying about named queues and schedules."""
    lines = []
    for queue in report.queues:
        words = [f"{queue.running} running", f"{queue.queued} queued"]
        words += [] if queue.limit is None else [f"at most {queue.limit} at once"]
        words += ["paused"] if queue.paused else []
        if len(words) > _PLAIN_WORDS or len(report.queues) > 1:
            lines.append(f"Queue {queue.name}: {', '.join(words)}")
    if report.schedules:
        following = min(report.schedules, key=lambda schedule: schedule.next_due)
        count = plural(len(report.schedules), "schedule")
        lines.append(f"{count}, next is {following.name} at {moment(following.next_due)}")
    return lines


def _print_table(executions: "list[ExecutionSnapshot]", left_out: int, output: Output) -> None:
    if not executions:
        output.line("No executions yet.")
        return
    heads = ["EXECUTION", "STATUS", "SUBMITTED", "TOOK", "ABOUT"]
    rows = [_row(execution) for execution in executions]
    for head, texts in (
        ("QUEUE", [entry.queue if entry.queue != "default" else "" for entry in executions]),
        ("NAME", [entry.name for entry in executions]),
    ):
        if any(texts):  # a column only where it says something
            heads.insert(1, head)
            rows = [(row[0], text, *row[1:]) for row, text in zip(rows, texts, strict=True)]
    for line in table(heads, rows):
        output.line(line)
    if left_out:
        output.line(f"{left_out:,} more are queued.")


def _row(execution: "ExecutionSnapshot") -> tuple[str, ...]:
    submitted, took = moment(execution.submitted_at), _took(execution)
    return (execution.execution_id, _status(execution), submitted, took, execution.plate_id)


def _status(execution: "ExecutionSnapshot") -> str:
    if execution.held:
        return f"{execution.status}, held"
    return f"{execution.status} ({execution.waits_for})" if execution.waits_for else execution.status.value


def _took(execution: "ExecutionSnapshot") -> str:
    return "" if execution.run_seconds is None else duration(execution.run_seconds)


def _in_full(execution: "ExecutionSnapshot") -> list[str]:
    entries: list[tuple[str, str | None]] = [
        ("Execution", execution.execution_id),
        ("Name", execution.name or None),
        ("Queue", execution.queue if execution.queue != "default" else None),
        ("Status", _status(execution)),
        ("Before it", None if execution.queue_position is None else plural(execution.queue_position, "execution")),
        ("About", execution.plate_id or None),
        ("Submitted", moment(execution.submitted_at)),
        ("Started", _moment_or_none(execution.started_at)),
        ("Ended", _moment_or_none(execution.ended_at)),
        ("Took", _took(execution) or None),
        ("Attempts", str(execution.attempts) if execution.attempts > 1 else None),
        ("Processor", None if execution.cpu_seconds is None else duration(execution.cpu_seconds)),
        ("Memory", None if execution.peak_memory_bytes is None else size(execution.peak_memory_bytes)),
        ("Events", f"{execution.event_count:,}"),
        ("Error", None if execution.error is None else one_line(execution.error)),
        ("Result", _result(execution)),
    ]
    lines = [f"{label:<10} {text}" for label, text in entries if text is not None]
    return [*lines, "", *execution.traceback.rstrip().splitlines()] if execution.traceback else lines


def _moment_or_none(seconds: float | None) -> str | None:
    return None if seconds is None else moment(seconds)


def _result(execution: "ExecutionSnapshot") -> str | None:
    from zmqruntime.execution.executor.opened import is_failure, open_value  # noqa: PLC0415
    from zmqruntime.execution.executor.shown import text_of  # noqa: PLC0415

    if is_failure(execution):
        return None
    if execution.result is not None:
        return _shortened(text_of(open_value(execution.result)))
    return None if execution.result_bytes is None else f"{size(execution.result_bytes)}, for a program to fetch"


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN_RESULT else f"{text[:_SHOWN_RESULT]} ... (all of it with --json)"
