"""``status``, ``history`` and ``cancel``: executions of a server, one or all, and how to stop one."""

import msgspec

from zmqruntime.execution.cli.endpoint import Endpoint, attached
from zmqruntime.execution.cli.failures import CommandError, ErrorKind, ExitCode
from zmqruntime.execution.cli.ids import find_id
from zmqruntime.execution.cli.output import Output
from zmqruntime.execution.cli.text import one_line, size, table
from zmqruntime.execution.text import duration, moment, plural
from zmqruntime.messages import CancelResponse, ExecutionSnapshot, ExecutionStatus, StatusResponse

__all__ = ["cancel", "show_history", "show_status"]

_SHOWN_EXECUTIONS = 20
_SHOWN_RESULT = 2_000
_LONG_FIELDS = ("result", "traceback")


def show_status(place: Endpoint, given_id: str | None, output: Output) -> int:
    """Show the server with its executions, or one of them in full."""
    with attached(place) as client:
        server = client.server
        if given_id is not None:
            execution = client.snapshot_of(find_id(client, given_id))
            for line in _in_full(execution):
                output.line(line)
            return output.document({"server": server, "execution": execution})
        report = client.status(limit=_SHOWN_EXECUTIONS)
    output.line(f"{server.server} {server.version} of {place.app} on port {server.port}, process {server.pid}")
    output.line(f"{_load(report)}")
    if report.trouble:
        output.line(f"Nothing is started: {one_line(report.trouble)}; it is tried again.")
    _print_table(*_shown(report), output)
    counts = {name: getattr(report, name) for name in ("running", "queued", "workers", "paused", "draining", "trouble")}
    return output.document({"server": server, **counts, "executions": [_brief(entry) for entry in report.executions]})


def show_history(place: Endpoint, limit: int, output: Output) -> int:
    """Show ended executions, newest first."""
    with attached(place) as client:
        ended = client.history(limit)
    _print_table(ended, 0, output)
    return output.document({"executions": [_brief(entry) for entry in ended]})


def cancel(place: Endpoint, given_id: str, axis_id: str | None, grace_seconds: float | None, output: Output) -> int:
    """Ask an execution, or one axis of it, to stop."""
    with attached(place) as client:
        reply = client.cancel(find_id(client, given_id), axis_id, grace_seconds)
    document = {"execution_id": reply.execution_id, "status": reply.status, "message": reply.message}
    if not _will_stop(reply):
        return output.fail(CommandError(ErrorKind.REFUSED, reply.message, ExitCode.FAILED), document)
    output.line(f"{reply.message[:1].upper()}{reply.message[1:]}.")
    return output.document(document)


def _will_stop(reply: CancelResponse) -> bool:
    return reply.status == "ok" or reply.execution_status is ExecutionStatus.CANCELLED


def _load(report: StatusResponse) -> str:
    words = [f"{report.running} running", f"{report.queued} queued", plural(report.workers, "worker")]
    if report.paused:
        words.append("paused: starts nothing")
    if report.draining:
        words.append("draining: accepts nothing")
    return ", ".join(words)


def _shown(report: StatusResponse) -> tuple[list[ExecutionSnapshot], int]:
    """All executions but the end of a long queue, and how many that leaves out."""
    queued = [entry for entry in report.executions if entry.status is ExecutionStatus.QUEUED]
    hidden = {entry.execution_id for entry in queued[_SHOWN_EXECUTIONS:]}
    shown = [entry for entry in report.executions if entry.execution_id not in hidden]
    return shown, report.queued - min(len(queued), _SHOWN_EXECUTIONS)


def _print_table(executions: list[ExecutionSnapshot], left_out: int, output: Output) -> None:
    if not executions:
        output.line("No executions yet.")
        return
    for line in table(("EXECUTION", "STATUS", "SUBMITTED", "TOOK", "ABOUT"), map(_row, executions)):
        output.line(line)
    if left_out:
        output.line(f"{left_out:,} more are queued.")


def _row(execution: ExecutionSnapshot) -> tuple[str, ...]:
    status = f"{execution.status}, held" if execution.held else execution.status.value
    return (execution.execution_id, status, moment(execution.submitted_at), _took(execution), execution.plate_id)


def _took(execution: ExecutionSnapshot) -> str:
    return "" if execution.run_seconds is None else duration(execution.run_seconds)


def _brief(execution: ExecutionSnapshot) -> dict[str, object]:
    """Without what can be long: one execution by itself has it."""
    return {name: value for name, value in msgspec.structs.asdict(execution).items() if name not in _LONG_FIELDS}


def _in_full(execution: ExecutionSnapshot) -> list[str]:
    entries: list[tuple[str, str | None]] = [
        ("Execution", execution.execution_id),
        ("Status", execution.status + (", held" if execution.held else "")),
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


def _result(execution: ExecutionSnapshot) -> str | None:
    if execution.result is not None:
        return _shortened(repr(execution.result))
    return None if execution.result_bytes is None else f"{size(execution.result_bytes)}, for a program to fetch"


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN_RESULT else f"{text[:_SHOWN_RESULT]} ... (all of it with --json)"
