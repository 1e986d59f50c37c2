"""The model of a window: its plates, their wells, and its executions at the server."""

import asyncio
import functools
import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.connection.client import ZMQClientService
from openhcs_gui_services.services.plates.choice import ChosenPreview, WellChoice, preview_choice
from openhcs_gui_services.services.plates.collection import PlateCollection
from openhcs_gui_services.services.plates.outcome import PlateOutcome
from openhcs_gui_services.services.plates.presenter import Trouble
from openhcs_gui_services.services.plates.record import PlateRecord, StopLevel, plate_path
from openhcs_gui_services.services.plates.settings import RunSettings, plate_task, resolve_run_settings
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import (
    PlateRow,
    ServerState,
    ServerStateChanged,
    WorkspaceEvent,
)
from openhcs_gui_services.services.plates.well_log import failure_lines, run_log_lines
from openhcs_gui_services.services.plates.wording import window_text
from openhcs_gui_services.services.runs.batches import BatchWorkflowService, CompileJob, RunJob, compiled_task
from openhcs_gui_services.services.runs.progress_reset import reset_progress_for_batch
from openhcs_gui_services.services.runs.reading import PlateReading
from openhcs_gui_services.services.runs.reattach import find_earlier_runs
from openhcs_gui_services.services.runs.window_server import WindowServer
from openhcs_runtime.service.client import PlateExecution
from openhcs_runtime.tasks import OPENHCS_CONFIG, PlateTask, TaskAction
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.exceptions import ZMQRuntimeError
from zmqruntime.execution import AxisProgress
from zmqruntime.messages import LogLine

__all__ = ["PlateWorkspace"]

_log = logging.getLogger(__name__)

_HAND_OVER_SECONDS = 10.0
"""How long closing waits for the server to accept the runs that wait in the window."""


class PlateWorkspace:
    """The plates of one window on one server. Used from one event loop; its events are emitted on that loop's thread.

    A plate is identified by the absolute path of its folder; unknown paths are reported in the status bar and skipped.
    Failures of a server or a plate are not raised but shown in rows and status messages.

    Args:
        port: port of the server. A server on this machine is started when it is needed, and outlives the window.
        host: host of the server [default: this machine].
        transport_mode: transport of the connection.
        config: configuration of the connection.
        settings: for the runs of all plates without settings of their own.
        default_pipeline: pipeline of new plates, as Python source.
        memory: folder in which windows save their plates, each in a file of its own [default: in the application's data
            folder].
    """

    def __init__(
        self,
        port: int = 7777,
        *,
        host: str | None = None,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig = OPENHCS_CONFIG,
        settings: RunSettings | None = None,
        default_pipeline: str = "",
        memory: Path | None = None,
    ) -> None:
        self.default_pipeline = default_pipeline
        self.default_pipeline_file = ""
        """The file that the default pipeline was read from; empty if there is none."""
        self.is_default_modified = False
        """Whether the default pipeline has edits that are in no file."""
        self._settings = settings or RunSettings()
        server_name = f"{host or 'local'}-{port}".replace(":", "_")
        self._book = PlateCollection(memory or config.data_dir / "windows" / server_name)
        make = functools.partial(ZMQClientService, port, host=host, transport_mode=transport_mode, config=config)
        self._server = WindowServer(self._book, make)
        self._executions = self._server.executions
        self._stopper = self._server.stopper
        self._host = self._server.host
        self._batches = BatchWorkflowService(self._host)
        self._tasks = BackgroundTasks(lambda text: self._book.events.say(text, is_error=True))
        self._reading = PlateReading(self._book, self._tasks, self.settings_of)
        self._host.on_run_ended = self._reading.results_soon
        self._is_finding = False
        self._is_closed = False
        self._book.events.subscribe(self._on_event)

    # --- contents ----------------------------------------------------------------------------------------------------

    def subscribe(self, callback: Callable[[WorkspaceEvent], None]) -> Callable[[], None]:
        """Call ``callback`` with every event until the returned function is called."""
        return self._book.events.subscribe(callback)

    def rows(self) -> tuple[PlateRow, ...]:
        """Return all plates, in the order in which they were added."""
        return self._book.rows()

    def wells(self, path: str) -> tuple[AxisProgress, ...]:
        """Return the wells of a plate, in plate order, as in its current run or else as on disk; empty if not known."""
        record = self._book.get(path)
        return () if record is None else record.shown_wells()

    def problems(self, path: str) -> tuple[str, ...]:
        """Return the problems that the last compilation of a plate found, one line each, in the words of a window."""
        record = self._book.get(path)
        return () if record is None else tuple(map(window_text, record.problems))

    def is_busy(self, path: str) -> bool:
        """Return whether a plate is waiting or being worked on, here or at the server, even if the server is lost."""
        record = self._book.get(path)
        return record is not None and record.is_busy

    def execution(self, path: str) -> PlateExecution | None:
        """Return the latest known state of a plate's latest run, with its result once it has ended."""
        record = self._book.get(path)
        known = None if record is None else record.execution
        return None if known is None else PlateExecution.of(known)

    def settings_of(self, path: str) -> RunSettings:
        """Return the settings that apply to a plate: its own, or else those of the window."""
        record = self._book.get(path)
        return resolve_run_settings(path, self._settings, None if record is None else record.settings)

    @property
    def settings(self) -> RunSettings:
        """The settings of the window."""
        return self._settings

    @property
    def connection(self) -> ZMQClientService:
        """The window's only connection to its server, for other parts that need the server."""
        return self._server.service

    @property
    def server_state(self) -> ServerState:
        """The state of the window's connection to its server."""
        return self._server.service.state

    # --- plates ------------------------------------------------------------------------------------------------------

    async def add(self, paths: Iterable[str | os.PathLike[str]]) -> None:
        """Show these folders as plates; plates that are already there are left as they are.

        The plates are not read, but their results on disk are looked up in the background.
        """
        absolute = dict.fromkeys(map(plate_path, paths))
        records = [self._new_record(path) for path in absolute if path not in self._book]
        other = self._of_same_pipeline(records[0]) if records else None
        self._book.add(records)
        self._say_from_where(records, other.name if other is not None and other.is_pipeline_modified else "")
        self._tasks.start(self._reading.read_results(records), "Reading results")

    async def remove(self, paths: Iterable[str]) -> None:
        """Remove these plates from the window, except running ones; :meth:`take_back` undoes it. Files are kept."""
        records = self._book.pick(paths)
        for record in records:
            if record.is_busy:
                text = f"{record.name} is running: stop it before removing it"
                self._book.events.say(text, is_error=True, path=record.path)
        self._book.remove([record for record in records if not record.is_busy])

    async def take_back(self) -> None:
        """Add the plates again that were removed last, with their pipelines and results; nothing if there are none."""
        records = self._book.take_back()
        self._tasks.start(self._reading.read_results(records), "Reading results")

    async def set_pipeline(
        self,
        paths: Iterable[str],
        source: str,
        file: str = "",
        *,
        name: str = "",
        is_modified: bool | None = None,
        basis: str = "",
    ) -> None:
        """Use this pipeline for these plates from their next check or run on; the session keeps it, saved or not.

        Args:
            paths: the plates.
            source: Python source; it is not executed here.
            file: the file that it was read from; modules next to it can be imported.
            name: what it is called [default: the name of the file].
            is_modified: whether it has edits that are in no file [default: whether the file has another text].
            basis: digest of the text of the file that it was made from [default: not known].
        """
        records = self._book.pick(paths)
        if is_modified is None:
            is_modified = not file or not await asyncio.to_thread(_has_text, file, source)
        for record in records:
            is_new = record.pipeline != source
            record.pipeline, record.pipeline_file = source, file
            record.pipeline_name, record.is_pipeline_modified = name, is_modified
            record.pipeline_basis = basis
            if is_new:
                self._forget_compilation(record)
            else:
                self._book.change(record)
        self._book.flush()
        self._book.save_soon()

    async def set_settings(self, settings: RunSettings, paths: Iterable[str] | None = None) -> None:
        """Use these settings from now on: for these plates, or for all plates without settings of their own."""
        if paths is None:
            self._settings = settings
        records = self._book.records() if paths is None else self._book.pick(paths)
        for record in records:
            if paths is None or record.settings != settings:
                record.settings = record.settings if paths is None else settings
                self._forget_compilation(record)
        self._book.flush()

    async def initialise(self, paths: Iterable[str]) -> None:
        """Read the folders of these plates."""
        records = self._free(paths)
        for record in records:
            record.pend(PlateStatus.INIT_PENDING)
            self._book.change(record)
        self._book.flush()
        await self._tasks.finish(self._reading.read(records))

    async def look(self, path: str) -> None:
        """Look again at a plate and its results, which other programs may have changed; cheap if they have not."""
        record = self._book.get(path)
        if record is not None:
            await self._reading.look(record)

    async def look_at_server(self) -> None:
        """Show the state of a server that is running on this machine; none is started."""
        await self._server.look()

    # --- executions --------------------------------------------------------------------------------------------------

    async def compile(self, paths: Iterable[str]) -> None:
        """Have the server check the pipelines of these plates; return when all are done."""
        records = self._with_pipeline(self._free(paths))
        for record in records:
            record.pend(PlateStatus.COMPILE_PENDING)
            self._book.change(record)
        self._server.begin_work()
        await self._tasks.finish(self._compile(records))

    async def run(self, paths: Iterable[str], choice: WellChoice | None = None) -> None:
        """Run these plates, checking them first if necessary; return when all have ended.

        Wells that earlier runs have finished with the same pipeline are taken over. Cancelling this call does not stop
        the runs; use :meth:`stop`.

        Args:
            paths: the plates.
            choice: the wells and sites to run [default: all].
        """
        records = self._with_pipeline(self._free(paths))
        reset_progress_for_batch(self._book, records, choice=choice)
        self._server.begin_work()
        await self._tasks.finish(self._reading.then_results(self._run(records, choice), records))

    async def run_wells(self, path: str, choice: WellChoice) -> None:
        """Run some wells of a plate; :meth:`run` runs the rest and takes these over."""
        await self.run([path], choice)

    async def preview_wells(self, path: str, choice: WellChoice) -> ChosenPreview:
        """Return which wells a choice stands for, or what is wrong with it."""
        known = self.settings_of(path)
        how = known.pattern, known.plate_format, known.pages
        return await asyncio.to_thread(preview_choice, path, choice, how)

    async def move_in_queue(self, path: str, place: int) -> None:
        """Move a waiting plate in the queue of the server, which keeps the order when the window is closed.

        Args:
            path: the plate.
            place: its new place among the waiting ones, from 1, the next to run.
        """
        record = self._book.get(path)
        if record is None or record.state is not PlateStatus.QUEUED or record.live_id is None:
            return
        try:
            await self._executions.move(record.live_id, max(0, place - 1))
            await self._server.refresh()
        except ZMQRuntimeError as error:
            self._book.events.say(f"{record.name} could not be moved: {error}", is_error=True, path=path)

    async def resume(self, paths: Iterable[str]) -> None:
        """Finish the latest runs of these plates, keeping complete wells.

        Returns when all have ended. A plate without an earlier run is run from the start.
        """
        records = self._with_pipeline(self._free(paths))
        reset_progress_for_batch(self._book, records, resume=True)
        self._server.begin_work()
        await self._tasks.finish(self._reading.then_results(self._resume(records), records))

    async def stop_plates(self, paths: Iterable[str], graceful: bool = True) -> None:
        """Stop the runs of these plates, and take those out of the queue that are waiting; see :meth:`stop`."""
        await self.stop(graceful, list(paths))

    async def stop_plates_after_wells(self, paths: Iterable[str]) -> None:
        """Start no more wells of these plates, but finish the running ones."""
        await self.stop_after_wells(list(paths))

    async def stop(self, graceful: bool = True, paths: Iterable[str] | None = None) -> None:
        """Stop the runs of this window or of these plates; return when the requests have been sent.

        Args:
            graceful: stop at the next check, between steps and pattern groups, instead of killing processes at once.
            paths: plates to stop [default: all].
        """
        await self._stopper.stop(self._working(paths), StopLevel.GRACEFUL if graceful else StopLevel.FORCE)

    async def stop_after_wells(self, paths: Iterable[str] | None = None) -> None:
        """Start no more wells, but finish the running ones, so that no work is lost."""
        await self._stopper.stop_after_wells(self._working(paths))

    async def cancel_well(self, path: str, axis_id: str) -> None:
        """Cancel one well of a running plate; the others continue."""
        record = self._book.get(path)
        if record is None or record.execution_id is None or record.state is not PlateStatus.RUNNING:
            self._book.events.say(f"well {axis_id} can't be cancelled: its plate is not running", is_error=True)
            return
        try:
            reply = await self._executions.cancel(record.execution_id, axis_id)
        except ZMQRuntimeError as error:
            self._book.events.say(f"well {axis_id} of {record.name} could not be cancelled: {error}", is_error=True)
        else:
            self._book.events.say(reply.message, is_error=reply.status != "ok")

    async def logs(self, path: str) -> list[LogLine]:
        """Return the log of a plate's latest run, with a line for each failed well.

        If the server does not know the run, it is the log in the folder of its results, with the name of that folder as
        the id of its execution. If a log can't be read, it is empty and a status message says why.
        """
        record = self._book.get(path)
        if record is None:
            return []
        found = record.found
        if record.execution_id is None:
            return (
                [] if found is None else await asyncio.to_thread(run_log_lines, found.run.folder, found.run.folder.name)
            )
        try:
            lines = await self._executions.logs(record.execution_id)
        except ZMQRuntimeError as error:
            self._book.events.say(f"the log of {record.name} can't be read: {error}", is_error=True, path=path)
            return []
        ended = None if record.execution is None else record.execution.ended_at
        return [*lines, *failure_lines(record.execution_id, record.wells.rows(), lines, ended or time.time())]

    async def history(self, limit: int = 100) -> list[PlateExecution]:
        """Return the latest ended executions of all windows, newest first; see :meth:`logs` for failures."""
        try:
            return await self._executions.history(limit)
        except ZMQRuntimeError as error:
            self._book.events.say(f"the history can't be read: {error}", is_error=True)
            return []

    # --- life --------------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Connect to the server, or start it, before it is needed."""
        try:
            await self._server.service.connect()
        except ZMQRuntimeError as error:
            self._book.events.say(str(error), is_error=True)

    async def reattach(self) -> None:
        """Show the plates of an earlier window, and find their executions, running or ended.

        If the server can't be reached, executions are looked up when the window is connected again.
        """
        try:
            records = [PlateRecord.of(plate) for plate in await self._book.take_left_over()]
            self._book.add(records)
            self._tasks.start(self._reading.learn(records), "Reading plates")
        except OSError as error:
            self._book.events.say(f"the plates of the last window can't be read: {error}", is_error=True)
        if any(record.is_run_unknown for record in self._book.records()):
            await self._find_earlier_runs()

    async def close(self) -> None:
        """Release everything; runs continue, also waiting ones, and :meth:`reattach` finds them. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        await self._tasks.close()
        await self._hand_over()
        await self._server.end()
        await self._book.close()
        await self._server.service.close()

    # --- parts -------------------------------------------------------------------------------------------------------

    async def _find_earlier_runs(self) -> None:
        self._is_finding = True
        try:
            followed = await find_earlier_runs(self._book, self._executions, self._host)
        except ZMQRuntimeError as error:
            self._book.events.say(f"the state of earlier runs is unknown: {error}", is_error=True)
            return
        finally:
            self._is_finding = False
        self._server.begin_work()
        self._tasks.start(self._batches.adopt(followed), "Following earlier runs")

    def _on_event(self, event: WorkspaceEvent) -> None:
        is_connected = isinstance(event, ServerStateChanged) and event.state is ServerState.CONNECTED
        if not is_connected or self._is_finding or self._is_closed:
            return
        if any(record.is_run_unknown for record in self._book.records()):
            self._tasks.start(self._find_earlier_runs(), "Looking for earlier runs")

    def _free(self, paths: Iterable[str]) -> list[PlateRecord]:
        """The plates that are not busy; the others are reported."""
        records = self._book.pick(paths)
        busy = [record for record in records if record.is_busy]
        is_lost = self._server.service.state is ServerState.LOST
        for record in busy:
            text = "continues when the server is back; looking for it" if is_lost else "is already running"
            self._book.events.say(f"{record.name} {text}", is_error=not is_lost, path=record.path)
        if busy and is_lost:
            self._tasks.start(self.connect(), "Connecting")
        return [record for record in records if not record.is_busy]

    def _with_pipeline(self, records: Sequence[PlateRecord]) -> list[PlateRecord]:
        for record in records:
            if not record.pipeline.strip():
                text = f"{record.name} has no pipeline: choose one first"
                self._book.events.say(text, is_error=True, path=record.path)
        return [record for record in records if record.pipeline.strip()]

    def _working(self, paths: Iterable[str] | None) -> list[PlateRecord]:
        if paths is None:
            return self._book.busy()
        return [record for record in self._book.pick(paths) if record.is_busy]

    def _forget_compilation(self, record: PlateRecord) -> None:
        """Forget what was checked, and what a check has found: it was about another pipeline, or other settings."""
        record.artifact = None
        is_refused = record.state is PlateStatus.FAILED and record.trouble is Trouble.CHECK
        if record.state is PlateStatus.COMPILED or is_refused:
            record.problems = ()
            record.rest()
        self._book.change(record, record.merge_wells())

    def _new_record(self, path: str) -> PlateRecord:
        """Return a plate with the default pipeline, and what is known of it from other plates."""
        record = PlateRecord(path, self.default_pipeline)
        record.pipeline_file, record.is_pipeline_modified = self.default_pipeline_file, self.is_default_modified
        if (other := self._of_same_pipeline(record)) is not None:
            record.pipeline_file, record.pipeline_name = other.pipeline_file, other.pipeline_name
            record.is_pipeline_modified, record.pipeline_basis = other.is_pipeline_modified, other.pipeline_basis
        return record

    def _of_same_pipeline(self, record: PlateRecord) -> PlateRecord | None:
        """Return the plate that was added last of those with the same pipeline."""
        found = [other for other in self._book.records() if other is not record and other.pipeline == record.pipeline]
        return found[-1] if found else None

    def _say_from_where(self, records: Sequence[PlateRecord], owner: str) -> None:
        """Say that new plates have taken over a pipeline that was edited in another one."""
        if owner and records:
            names = records[0].name if len(records) == 1 else f"{len(records)} plates"
            self._book.events.say(f"{names}: pipeline taken from {owner}", path=records[0].path)

    def _task(self, record: PlateRecord, choice: WellChoice | None = None) -> PlateTask:
        settings = self.settings_of(record.path)
        task = plate_task(record.path, record.pipeline, settings, record.pipeline_file, record.pipeline_name)
        return task if choice is None else choice.applied_to(task)

    def _compiled(self, record: PlateRecord) -> PlateTask:
        assert record.artifact is not None
        return compiled_task(self._task(record), record.artifact.artifact_id, record.artifact.signature)

    async def _run(self, records: Sequence[PlateRecord], choice: WellChoice | None) -> None:
        """Check and run plates; while the server is busy they are queued there unchecked, and checked when it is ready.

        A check would wait for the server, too, and a plate that waits here would be lost with the window.
        """
        records = await self._there(records)
        known = [each for each in records if each.artifact is not None and choice is None]
        ready = [RunJob(each.path, self._compiled(each)) for each in known]
        others = [each for each in records if each not in known]
        if others and await self._is_server_busy():
            ready += [RunJob(each.path, self._task(each, choice)) for each in others]
            others = []
        await self._batches.run([CompileJob(each.path, self._task(each, choice)) for each in others], ready)

    async def _is_server_busy(self) -> bool:
        try:
            await self._server.service.connect()
            return (await self._executions.status()).running > 0
        except ZMQRuntimeError:
            return False  # whatever is wrong is found, and reported, by the submission

    async def _hand_over(self) -> None:
        """Submit the runs that wait in this window, so that none is lost when it is closed."""
        waiting = [each for each in self._book.busy() if each.is_scheduled and not each.is_accepted and not each.stop]
        try:
            async with asyncio.timeout(_HAND_OVER_SECONDS):
                for record in waiting:
                    await self._host.hand_over(record, self._task(record, record.choice))
        except (TimeoutError, ZMQRuntimeError) as error:
            _log.warning("plates that were waiting in the window could not be queued: %s", error)

    async def _compile(self, records: Sequence[PlateRecord]) -> None:
        records = await self._there(records)
        await self._batches.compile([CompileJob(record.path, self._task(record)) for record in records])

    async def _there(self, records: Sequence[PlateRecord]) -> Sequence[PlateRecord]:
        """The plates whose folders are there; a server on another machine may have folders that this one lacks."""
        return await self._reading.there(records) if self._server.service.host is None else records

    async def _resume(self, records: Sequence[PlateRecord]) -> None:
        ready, fresh = [], []
        for record in await self._there(records):
            try:
                task = await self._executions.task_of(record.execution_id) if record.execution_id else None
            except ZMQRuntimeError as error:
                self._host.on_ended(PlateOutcome(record.path, PlateStatus.FAILED, str(error)))
                continue
            if task is None:
                fresh.append(CompileJob(record.path, msgspec.structs.replace(self._task(record), resume=True)))
            else:
                ready.append(RunJob(record.path, _rest_of(task, record.execution_id or "")))
        await self._batches.run(fresh, ready)


def _has_text(file: str, text: str) -> bool:
    """Return whether a file has this text; for a worker thread."""
    try:
        return Path(file).read_text(encoding="utf-8") == text
    except (OSError, ValueError):
        return False


def _rest_of(task: PlateTask, execution_id: str) -> PlateTask:
    """The rest of a run. Images may have been repaired since, so wells are checked one by one, not by signature."""
    return msgspec.structs.replace(
        task,
        resume=True,
        resume_of=execution_id,
        action=TaskAction.RUN,
        compile_artifact_id="",
        expected_signature="",
    )
