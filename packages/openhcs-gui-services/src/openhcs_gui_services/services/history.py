"""Past executions as rows of a table, from the server's history and the provenance in their output folders."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec

from openhcs_gui_services.services.connection.in_full import in_full
from openhcs_gui_services.services.durations import duration_text
from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_runtime.results import PlateResult, ResultStatus
from openhcs_runtime.tasks import CompileReport, PlateTask, Refusal, read_result
from zmqruntime.execution.client.aio import AsyncExecutionClient
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus

__all__ = ["HistoryRow", "HistorySource", "ServerHistory", "history_row", "provenance_text"]

_TONES = {
    ExecutionStatus.COMPLETE: Tone.GOOD,
    ExecutionStatus.FAILED: Tone.BAD,
    ExecutionStatus.INTERRUPTED: Tone.BAD,
}


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One execution that has ended.

    Attributes:
        execution_id: id of the execution.
        plate_path: folder of the plate.
        status: the final status.
        ended_at: end of the execution, in seconds since the epoch.
        duration_seconds: run time; None if it never ran.
        what: what was done, as a word: "Run" or "Check".
        wells: the numbers of wells, as text.
        error: first line of the error; "" if there is none.
        output: folder with the results; "" if there is none.
    """

    execution_id: str
    plate_path: str
    status: ExecutionStatus
    ended_at: float
    duration_seconds: float | None
    what: str
    wells: str
    error: str = ""
    output: str = ""

    @property
    def name(self) -> str:
        """The plate's name."""
        return os.path.basename(self.plate_path.rstrip("/\\")) or self.plate_path

    @property
    def tone(self) -> Tone:
        """The tone in which it is shown."""
        return _TONES.get(self.status, Tone.NEUTRAL)

    @property
    def ended_text(self) -> str:
        """End of the execution in local time, as text."""
        return datetime.fromtimestamp(self.ended_at).strftime("%Y-%m-%d %H:%M")

    @property
    def results_name(self) -> str:
        """Name of the folder with the results; empty if there is none."""
        return os.path.basename(self.output.rstrip("/\\"))

    @property
    def duration(self) -> str:
        """Run time as text; empty if it never ran."""
        return "" if self.duration_seconds is None else duration_text(self.duration_seconds)

    def matches(self, text: str) -> bool:
        """Return whether any shown value contains this text, ignoring case."""
        parts = (self.plate_path, self.status.value, self.what, self.wells, self.error, self.ended_text)
        return text.casefold() in "\n".join((*parts, self.execution_id)).casefold()


class HistorySource(Protocol):
    """Source of the rows of a history view, which can also run an execution again."""

    async def rows(self, limit: int, before: float | None = None) -> Sequence[HistoryRow]:
        """Return executions that have ended, newest first.

        Args:
            limit: maximum number of rows.
            before: only executions that ended before this time, in seconds since the epoch [default: all].

        Raises:
            ZMQRuntimeError: the rows can't be loaded.
        """

    async def run_again(self, execution_id: str) -> str:
        """Submit the same task again.

        Returns:
            The id of the new execution.

        Raises:
            ZMQRuntimeError: the task can't be submitted.
        """


class ServerHistory:
    """The history of the server that a client is connected to."""

    def __init__(self, client: AsyncExecutionClient) -> None:
        self._client = client

    async def rows(self, limit: int, before: float | None = None) -> list[HistoryRow]:
        """See :class:`HistorySource`."""
        listed = await self._client.history(limit, before)
        return [history_row(snapshot) for snapshot in await in_full(self._client, listed)]

    async def run_again(self, execution_id: str) -> str:
        """See :class:`HistorySource`.

        A plate is processed from scratch, into a new folder; a task of another kind is submitted unchanged.
        """
        request = await self._client.submission_of(execution_id)
        try:
            payload = msgspec.to_builtins(_again(msgspec.convert(request.payload, PlateTask)))
        except msgspec.ValidationError:
            payload = request.payload
        return await self._client.submit(
            payload, plate_id=request.plate_id, resumable=request.resumable, environment=request.environment
        )


def _again(task: PlateTask) -> PlateTask:
    """Return the task for an independent run, with its results next to the old folder, which has results already."""
    named = task.output_dir or (task.pipeline_config.output_dir if task.pipeline_config else None)
    parent = str(Path(named).parent) if named else task.results_dir
    return msgspec.structs.replace(
        task, resume=False, resume_of="", replace=False, fresh=True, output_dir=None, results_dir=parent
    )


def history_row(snapshot: ExecutionSnapshot) -> HistoryRow:
    """Return the row of an execution; for a task of another kind it has only what every execution has."""
    try:
        result = read_result(snapshot.result)
    except msgspec.ValidationError:
        result = None
    ended = snapshot.ended_at or snapshot.submitted_at
    return HistoryRow(
        execution_id=snapshot.execution_id,
        plate_path=snapshot.plate_id,
        status=snapshot.status,
        ended_at=ended,
        duration_seconds=snapshot.run_seconds,
        what="Check" if isinstance(result, CompileReport) else "Run",
        wells=_wells(result),
        error=_error(result, snapshot),
        output=result.output_dir if isinstance(result, PlateResult) else "",
    )


def provenance_text(output: str) -> str:
    """Return the provenance of an output folder as text, or why it can't be read. Reads from disk."""
    # Loads image libraries, which nothing else here needs.
    from openhcs_runtime.exceptions import OutputError  # noqa: PLC0415
    from openhcs_runtime.outputs.provenance import read_provenance  # noqa: PLC0415

    if not output:
        return "This execution has not written any results."
    try:
        known = read_provenance(Path(output))
    except OutputError as error:
        return str(error)
    packages = ("openhcs-runtime", "numpy", "scikit-image", "scipy")
    versions = ", ".join(f"{name} {known.packages[name]}" for name in packages if name in known.packages)
    lines = [
        f"Plate: {known.plate_path} ({known.plate_format}, {len(known.inputs)} images)",
        f"Results: {known.output_dir}",
        f"Started: {known.begun_at}   Ended: {known.ended_at or 'not yet'}   Status: {known.status}",
        f"Machine: {known.platform}, {known.cores} cores, Python {known.python.split()[0]}",
        f"Packages: {versions}",
        f"Signature: {known.signature}",
        "",
        f"Pipeline {known.pipeline_name}:",
        "",
        known.pipeline_source or known.no_source,
    ]
    return "\n".join(lines)


def _wells(result: PlateResult | CompileReport | Refusal | None) -> str:
    if isinstance(result, CompileReport):
        return f"{len(result.wells)} to do"
    if not isinstance(result, PlateResult):
        return ""
    done = len(result.wells_with(ResultStatus.COMPLETE))
    failed = len(result.wells_with(ResultStatus.FAILED))
    text = f"{done} of {len(result.wells)} done"
    return f"{text}, {failed} failed" if failed else text


def _error(result: PlateResult | CompileReport | Refusal | None, snapshot: ExecutionSnapshot) -> str:
    if isinstance(result, Refusal):
        return "; ".join(result.problems)
    return (snapshot.error or "").partition("\n")[0]
