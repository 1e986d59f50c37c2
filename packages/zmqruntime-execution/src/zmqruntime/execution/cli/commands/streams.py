"""``events`` and ``logs``: what an execution reports and prints, as it comes."""

from zmqruntime.execution.cli.endpoint import Endpoint, attached
from zmqruntime.execution.cli.ids import find_id
from zmqruntime.execution.cli.output import Output
from zmqruntime.execution.cli.sources import Source, reading
from zmqruntime.execution.client.client import ExecutionClient
from zmqruntime.execution.events.compaction import is_superseded_by_next
from zmqruntime.execution.events.log_files import format_line
from zmqruntime.execution.progress.loops import in_words
from zmqruntime.execution.text import moment, one_line, speaker
from zmqruntime.messages import Event, LogLine, ProgressUpdate, StateChange

__all__ = ["follow_events", "show_logs"]


def follow_events(endpoint: Endpoint, given_id: str, after: int, output: Output) -> int:
    """Print the events of an execution, past and live, until it has ended."""
    with attached(endpoint) as client:
        for event in client.events(find_id(client, given_id), after):
            output.line(_in_words(event))
            output.json_line(event)
    return 0


def show_logs(endpoint: Endpoint, given_id: str, follow: bool, output: Output) -> int:
    """Print the log of an execution; with ``follow`` also what comes, until it has ended."""
    with reading(endpoint) as source:
        execution_id = source.find_id(given_id)
        output.note(source.note)
        if follow:
            return _follow_log(source, execution_id, output)
        lines = source.log_lines(execution_id)
    for line in lines:
        output.line(line)
    return output.document({"execution_id": execution_id, "from_disk": source.server is None, "lines": lines})


def _follow_log(source: Source, execution_id: str, output: Output) -> int:
    """Without a server nothing more comes, so that what is on disk is all of it."""
    known = source.executions
    for event in known.events(execution_id) if isinstance(known, ExecutionClient) else known.logs(execution_id):
        if isinstance(event, LogLine):
            output.line(format_line(event).removesuffix("\n"))
            output.json_line(event)
    return 0


def _in_words(event: Event) -> str:
    when = moment(event.timestamp)
    match event:
        case StateChange(execution=execution):
            reason = f": {one_line(execution.error)}" if execution.error else ""
            return f"{when}  {execution.status}{reason}"
        case LogLine():
            return f"{when}  {event.level} {speaker(event.axis_id, event.logger)}: {event.text}"
        case ProgressUpdate() if is_superseded_by_next(event):
            return f"{when}  {event.percent:.0f} %  {one_line(in_words(event))}".rstrip()
        case ProgressUpdate():
            words = [event.axis_id, event.step_name, event.phase.replace("_", " "), event.status]
            words += [f"{event.completed}/{event.total}", event.message or "", event.error or ""]
            return f"{when}  " + "  ".join(one_line(word) for word in words if word)
