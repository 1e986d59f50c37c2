"""``watch``: the progress of an execution until it has ended, on one line; and progress as text for other commands."""

import math
import sys
import threading
import time

from zmqruntime.execution.cli.endpoint import Endpoint, attached
from zmqruntime.execution.cli.failures import ExitCode
from zmqruntime.execution.cli.ids import find_id
from zmqruntime.execution.cli.output import Output
from zmqruntime.execution.client.client import ExecutionClient
from zmqruntime.execution.events.event_batches import Reader
from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.execution.progress.projection import PlateProjection
from zmqruntime.execution.progress.values import PlateProgress, PlateState
from zmqruntime.execution.text import one_line, plural, timing
from zmqruntime.messages import EventsRequest, EventsResponse, ExecutionSnapshot

__all__ = ["progress_document", "progress_of", "progress_text", "running_lines", "watch"]

_LOOK_SECONDS = 1.0
_LINE_SECONDS = 5.0
_MOST_EVENTS = 1_000
_MOST_RUNNING = 4
_MANY_EVENTS = 20_000


def watch(endpoint: Endpoint, given_id: str, output: Output) -> int:
    """Show the progress of an execution until it has ended; the exit code says whether it is complete."""
    with attached(endpoint) as client:
        execution_id = find_id(client, given_id)
        snapshot = client.snapshot_of(execution_id)
        projection, lines = PlateProjection(), _Lines(output)
        projection.on_execution(snapshot)
        changed = threading.Event()
        with client.opened(execution_id, 0, has_ended(snapshot.status, snapshot.resumable)) as sink:
            sink.on_change = changed.set
            is_recent = not snapshot.event_count
            while (events := sink.take(_MOST_EVENTS)) is not None:
                for event in events:
                    projection.apply(event)
                    is_recent = is_recent or event.number >= snapshot.event_count
                if not events:
                    if is_recent:
                        lines.show(projection.progress())
                    is_recent = not changed.wait(_LOOK_SECONDS) or is_recent
                    changed.clear()
        ended = client.snapshot_of(execution_id)
        projection.on_execution(ended)
        lines.end(projection.progress(), ended)
    return ExitCode.OK if projection.progress().state is PlateState.COMPLETE else ExitCode.FAILED


def progress_of(client: ExecutionClient, execution_id: str) -> PlateProgress:
    """Return the progress of an execution, from all its events so far."""
    reader, projection = Reader(), PlateProjection()
    while True:
        request = EventsRequest(execution_id=execution_id, after=reader.position)
        response = client.request(request, EventsResponse)
        for batch in response.batches:
            for event in reader.read(batch):
                projection.apply(event)
        reader.note(response.upto)
        if not response.batches or not reader.is_behind:
            return projection.progress()


def running_lines(client: ExecutionClient, executions: list[ExecutionSnapshot]) -> list[str]:
    """Return the progress of the first running executions, without those that have very many events."""
    running = [entry for entry in executions if entry.status.is_working and entry.event_count <= _MANY_EVENTS]
    found = [progress_of(client, entry.execution_id) for entry in running[:_MOST_RUNNING]]
    return [f"{progress.execution_id}  {_line(progress, time.time())}" for progress in found if progress.has_reported]


def progress_text(progress: PlateProgress, now: float) -> str:
    """Return how far an execution is: ``37 %, 3 min 5 s, about 8 min left``."""
    share = f"{math.floor(progress.percent)} %, " if progress.percent else ""
    return share + timing(progress.elapsed_seconds(now), progress.remaining_seconds(now))


def progress_document(progress: PlateProgress, now: float) -> dict[str, object]:
    """Return the same for programs."""
    return {
        "percent": progress.percent,
        "elapsed_seconds": progress.elapsed_seconds(now),
        "remaining_seconds": progress.remaining_seconds(now),
        "text": progress.text,
    }


class _Lines:
    """Redraws one line on a terminal; otherwise prints a line every few seconds if there is something new."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._redraws = not output.as_json and sys.stdout.isatty()
        self._shown: tuple[object, ...] = ()
        self._shown_at = 0.0
        self._width = 0

    def show(self, progress: PlateProgress) -> None:
        """Show the present progress."""
        now, news = time.time(), (progress.state, progress.percent, progress.text)
        is_due = progress.state not in self._shown or time.monotonic() - self._shown_at >= _LINE_SECONDS
        if self._redraws:
            self._draw(_line(progress, now))
        elif is_due and news != self._shown:
            self._shown, self._shown_at = news, time.monotonic()
            self._print(progress, now)

    def end(self, progress: PlateProgress, ended: ExecutionSnapshot) -> None:
        """Show how it has ended."""
        if self._redraws:
            self._draw("")
            self._output.redraw("")
        self._print(progress, time.time(), one_line(ended.error or ""))

    def _print(self, progress: PlateProgress, now: float, error: str = "") -> None:
        self._output.line(_line(progress, now) + (f": {error}" if error else ""))
        document = {"execution_id": progress.execution_id, "status": progress.state.value}
        self._output.json_line({**document, **progress_document(progress, now), "error": error or None})

    def _draw(self, text: str) -> None:
        self._output.redraw(f"{text:{self._width}}")
        self._width = len(text)


def _line(progress: PlateProgress, now: float) -> str:
    words = [progress.state.replace("_", " ")]
    if progress.started_at is not None:
        words.append(progress_text(progress, now))
    if progress.axes_total > 1 and not progress.text:
        words.append(f"{progress.axes_done} of {plural(progress.axes_total, 'part')}")
    return "  ".join([*words, one_line(progress.text)]).rstrip()
