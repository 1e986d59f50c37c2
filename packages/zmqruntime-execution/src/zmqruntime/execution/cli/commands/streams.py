"""``events`` and ``logs``: what an execution reports and prints, as it comes."""

from collections.abc import Iterator
from pathlib import Path

from zmqruntime.execution.cli.endpoint import Endpoint, attached, attached_or_none, no_server
from zmqruntime.execution.cli.failures import CommandError, ErrorKind
from zmqruntime.execution.cli.ids import find_id, only_one
from zmqruntime.execution.cli.output import Output
from zmqruntime.execution.cli.text import one_line
from zmqruntime.execution.events.log_files import format_line, log_dir, log_paths
from zmqruntime.execution.text import moment, speaker
from zmqruntime.messages import Event, LogLine, ProgressUpdate, StateChange

__all__ = ["follow_events", "show_logs"]


def follow_events(place: Endpoint, given_id: str, after: int, output: Output) -> int:
    """Print the events of an execution, past and live, until it has ended."""
    with attached(place) as client:
        for event in client.events(find_id(client, given_id), after):
            output.line(_in_words(event))
            output.json_line(event)
    return 0


def show_logs(place: Endpoint, given_id: str, follow: bool, output: Output) -> int:
    """Print the log of an execution; with ``follow`` also what comes, until it has ended."""
    if follow:
        return _follow_log(place, given_id, output)
    with attached_or_none(place) as client:
        if client is None:
            execution_id, lines = _kept_log(place, given_id)
        else:
            execution_id = find_id(client, given_id)
            lines = list(_file_lines(place, execution_id)) or [
                format_line(line).removesuffix("\n") for line in client.logs(execution_id)
            ]
    for line in lines:
        output.line(line)
    return output.document({"execution_id": execution_id, "lines": lines})


def _follow_log(place: Endpoint, given_id: str, output: Output) -> int:
    with attached(place) as client:
        for event in client.events(find_id(client, given_id)):
            if isinstance(event, LogLine):
                output.line(format_line(event).removesuffix("\n"))
                output.json_line(event)
    return 0


def _kept_log(place: Endpoint, given_id: str) -> tuple[str, list[str]]:
    """The log that a server which does not run has left."""
    if place.host is not None:
        raise no_server(place)
    folder = log_dir(place.config, place.port)
    known = [path.stem for path in sorted(folder.glob(f"{given_id}*.log"))]
    execution_id = given_id if given_id in known else only_one(given_id, known)
    if execution_id is None:
        message = f"no log of {given_id} is in {folder}, and {no_server(place)}"
        raise CommandError(ErrorKind.NOT_FOUND, message)
    return execution_id, list(_file_lines(place, execution_id))


def _file_lines(place: Endpoint, execution_id: str) -> Iterator[str]:
    """From the server's own files, which keep more lines than its events do."""
    if place.host is not None:
        return
    for path in log_paths(log_dir(place.config, place.port) / f"{execution_id}.log"):
        yield from _lines_of(path)


def _lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").removesuffix("\n").split("\n")


def _in_words(event: Event) -> str:
    when = moment(event.timestamp)
    match event:
        case StateChange(execution=execution):
            reason = f": {one_line(execution.error)}" if execution.error else ""
            return f"{when}  {execution.status}{reason}"
        case LogLine():
            return f"{when}  {event.level} {speaker(event.axis_id, event.logger)}: {event.text}"
        case ProgressUpdate():
            words = [event.axis_id, event.step_name, event.phase.replace("_", " "), event.status]
            words += [f"{event.completed}/{event.total}", event.message or "", event.error or ""]
            return f"{when}  " + "  ".join(one_line(word) for word in words if word)
