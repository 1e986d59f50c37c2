"""The one owner of what a window shows: its plates, their wells, and its executions at the server."""

import functools
import os
from collections.abc import Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.connection.client import ZMQClientService
from openhcs_gui_services.services.plates.collection import PlateCollection
from openhcs_gui_services.services.plates.outcome import PlateOutcome
from openhcs_gui_services.services.plates.reader import read_results, read_wells
from openhcs_gui_services.services.plates.record import PlateRecord, StopLevel, plate_path
from openhcs_gui_services.services.plates.settings import RunSettings, plate_task, resolve_run_settings
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import PlateRow, ServerState, ServerStateChanged, WorkspaceEvent
from openhcs_gui_services.services.runs.batches import BatchWorkflowService, CompileJob, RunJob, compiled_task
from openhcs_gui_services.services.runs.progress_reset import reset_progress_for_batch
from openhcs_gui_services.services.runs.reattach import find_earlier_runs
from openhcs_gui_services.services.runs.window_server import WindowServer
from openhcs_runtime.exceptions import OpenHCSError
from openhcs_runtime.service.client import PlateExecution
from openhcs_runtime.tasks import OPENHCS_CONFIG, PlateTask, TaskAction
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.exceptions import ZMQRuntimeError
from zmqruntime.execution import AxisProgress
from zmqruntime.messages import LogLine

__all__ = ["PlateWorkspace"]


class PlateWorkspace:
    """The plates of one window on one server. Used from one event loop; its events are emitted on that loop's thread.

    Plates are named by their folder's absolute path; a path that is not in the window is reported in the status bar and
    left out. Nothing raises because a server or a plate fails: that is in the rows and the status messages.

    Args:
        port, host, transport_mode, config: of the server; one on this machine is started when it is needed, and
            outlives the window.
        settings: of all runs, where a plate has none of its own.
        default_pipeline: Python source that new plates have.
        memory: the folder in which windows remember their plates; in the application's data folder when None. Windows
            that are open at the same time have files of their own in it.
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
        self._is_finding = False
        self._is_closed = False
        self._book.events.subscribe(self._on_event)

    # --- what it shows -----------------------------------------------------------------------------------------------

    def subscribe(self, callback: Callable[[WorkspaceEvent], None]) -> Callable[[], None]:
        """Call it with every event from now on; call what is returned to end that."""
        return self._book.events.subscribe(callback)

    def rows(self) -> tuple[PlateRow, ...]:
        """All plates, in the order in which they were added."""
        return self._book.rows()

    def wells(self, path: str) -> tuple[AxisProgress, ...]:
        """The wells of a plate, in plate order; none before they are known."""
        record = self._book.get(path)
        return () if record is None else record.wells.rows()

    def problems(self, path: str) -> tuple[str, ...]:
        """What the last compilation of a plate has found wrong, a line for each."""
        record = self._book.get(path)
        return () if record is None else record.problems

    def is_busy(self, path: str) -> bool:
        """Whether a plate waits or is worked on, here or at the server, be that lost or not."""
        record = self._book.get(path)
        return record is not None and record.is_busy

    def execution(self, path: str) -> PlateExecution | None:
        """The latest run of a plate as the server told it last, with its result once it has ended."""
        record = self._book.get(path)
        known = None if record is None else record.execution
        return None if known is None else PlateExecution.of(known)

    @property
    def connection(self) -> ZMQClientService:
        """The one connection of the window to its server, for whatever else asks that server something."""
        return self._server.service

    @property
    def server_state(self) -> ServerState:
        """How the window stands with its server."""
        return self._server.service.state

    # --- plates ------------------------------------------------------------------------------------------------------

    async def add(self, paths: Iterable[str | os.PathLike[str]]) -> None:
        """Show these folders as plates; those that are there already stay as they are.

        Of the plates nothing is read; what results they have on disk is looked up in the background.
        """
        absolute = dict.fromkeys(map(plate_path, paths))
        records = [PlateRecord(path, self.default_pipeline) for path in absolute if path not in self._book]
        self._book.add(records)
        self._tasks.start(self._read_all_results(records), "Reading results")

    async def remove(self, paths: Iterable[str]) -> None:
        """Show these plates no more. Nothing on disk is touched; one that is at work stays until it was stopped."""
        records = self._book.pick(paths)
        for record in records:
            if record.is_busy:
                self._book.events.say(f"{record.name} is at work: stop it before you remove it", is_error=True)
        self._book.remove([record for record in records if not record.is_busy])

    async def set_pipeline(self, paths: Iterable[str], source: str, file: str = "") -> None:
        """From their next compilation on, these plates have this pipeline.

        Args:
            paths: the plates.
            source: Python source; it is not run here.
            file: where it was read from; modules next to it can be imported.
        """
        for record in self._book.pick(paths):
            record.pipeline, record.pipeline_file = source, file
            self._forget_compilation(record)
        self._book.flush()
        self._book.save_soon()

    async def set_settings(self, settings: RunSettings, paths: Iterable[str] | None = None) -> None:
        """What is compiled from now on has these settings: of these plates, or those of all that have none."""
        if paths is None:
            self._settings = settings
        records = self._book.records() if paths is None else self._book.pick(paths)
        for record in records:
            if paths is None or record.settings != settings:
                record.settings = record.settings if paths is None else settings
                self._forget_compilation(record)
        self._book.flush()

    async def initialise(self, paths: Iterable[str]) -> None:
        """Read what the folders of these plates hold."""
        records = self._free(paths)
        for record in records:
            record.pend(PlateStatus.INIT_PENDING)
            self._book.change(record)
        self._book.flush()
        await self._tasks.finish(self._read(records))

    # --- executions --------------------------------------------------------------------------------------------------

    async def compile(self, paths: Iterable[str]) -> None:
        """Let the server check these plates' pipelines; returns when all have been."""
        records = self._with_pipeline(self._free(paths))
        for record in records:
            record.pend(PlateStatus.COMPILE_PENDING)
            self._book.change(record)
        self._server.begin_work()
        jobs = [CompileJob(record.path, self._task(record)) for record in records]
        await self._tasks.finish(self._compile(jobs))

    async def run(self, paths: Iterable[str]) -> None:
        """Compile these plates, those that are not, and run them; returns when all have ended.

        Giving up this call stops nothing; :meth:`stop` does.
        """
        records = self._with_pipeline(self._free(paths))
        reset_progress_for_batch(self._book, records)
        self._server.begin_work()
        jobs = [CompileJob(each.path, self._task(each)) for each in records if each.artifact is None]
        ready = [RunJob(each.path, self._compiled(each)) for each in records if each.artifact is not None]
        await self._tasks.finish(self._then_read_results(self._batches.run(jobs, ready), records))

    async def resume(self, paths: Iterable[str]) -> None:
        """Do what the latest runs of these plates have left undone: wells that are complete are kept.

        Returns when all have ended. A plate that was never run is run.
        """
        records = self._with_pipeline(self._free(paths))
        reset_progress_for_batch(self._book, records, resume=True)
        self._server.begin_work()
        await self._tasks.finish(self._then_read_results(self._resume(records), records))

    async def stop(self, graceful: bool = True, paths: Iterable[str] | None = None) -> None:
        """Stop what this window has under way: all of it, or these plates. Returns when the server has been told.

        Args:
            graceful: at the next check, between steps and pattern groups; else its processes are killed at once.
            paths: these plates only.
        """
        await self._stopper.stop(self._working(paths), StopLevel.GRACEFUL if graceful else StopLevel.FORCE)

    async def stop_after_wells(self, paths: Iterable[str] | None = None) -> None:
        """Begin no more wells; those that are worked on are finished, so that no work is lost."""
        await self._stopper.stop_after_wells(self._working(paths))

    async def cancel_well(self, path: str, axis_id: str) -> None:
        """Stop one well of a plate that runs; the others go on."""
        record = self._book.get(path)
        if record is None or record.execution_id is None or record.state is not PlateStatus.RUNNING:
            self._book.events.say(f"well {axis_id} can't be cancelled: its plate does not run", is_error=True)
            return
        try:
            reply = await self._executions.cancel(record.execution_id, axis_id)
        except ZMQRuntimeError as error:
            self._book.events.say(f"well {axis_id} of {record.name} could not be cancelled: {error}", is_error=True)
        else:
            self._book.events.say(reply.message, is_error=reply.status != "ok")

    async def logs(self, path: str) -> list[LogLine]:
        """The log of a plate's latest run up to now; empty, with a status message, when it can't be had."""
        record = self._book.get(path)
        if record is None or record.execution_id is None:
            return []
        try:
            return await self._executions.logs(record.execution_id)
        except ZMQRuntimeError as error:
            self._book.events.say(f"the log of {record.name} can't be read: {error}", is_error=True)
            return []

    async def history(self, limit: int = 100) -> list[PlateExecution]:
        """The latest executions that have ended, of all windows, newest first; see :meth:`logs` for failures."""
        try:
            return await self._executions.history(limit)
        except ZMQRuntimeError as error:
            self._book.events.say(f"the history can't be read: {error}", is_error=True)
            return []

    # --- life --------------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Attach to the server, or start it, before anything needs it."""
        try:
            await self._server.service.connect()
        except ZMQRuntimeError as error:
            self._book.events.say(str(error), is_error=True)

    async def reattach(self) -> None:
        """Show the plates of an earlier window, and find their executions, which go on or have ended meanwhile.

        When the server can't be asked, that is done as soon as the window is connected to it.
        """
        try:
            records = [PlateRecord.of(plate) for plate in await self._book.take_left_over()]
            self._book.add(records)
            self._tasks.start(self._read_all_results(records), "Reading results")
        except OSError as error:
            self._book.events.say(f"the plates of the last window can't be read: {error}", is_error=True)
        if any(record.is_run_unknown for record in self._book.records()):
            await self._find_earlier_runs()

    async def close(self) -> None:
        """Let go of it all; executions go on, and the next window's :meth:`reattach` finds them. May be repeated."""
        if self._is_closed:
            return
        self._is_closed = True
        await self._tasks.close()
        await self._server.end()
        await self._book.close()
        await self._server.service.close()

    # --- how it does that --------------------------------------------------------------------------------------------

    async def _find_earlier_runs(self) -> None:
        self._is_finding = True
        try:
            followed = await find_earlier_runs(self._book, self._executions, self._host)
        except ZMQRuntimeError as error:
            self._book.events.say(f"how earlier runs went is not known: {error}", is_error=True)
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
        """Those that can be taken on."""
        records = self._book.pick(paths)
        busy = [record for record in records if record.is_busy]
        is_lost = self._server.service.state is ServerState.LOST
        for record in busy:
            text = "goes on by itself when the server is back; looking for it" if is_lost else "is at work already"
            self._book.events.say(f"{record.name} {text}", is_error=not is_lost)
        if busy and is_lost:
            self._tasks.start(self.connect(), "Connecting")
        return [record for record in records if not record.is_busy]

    def _with_pipeline(self, records: Sequence[PlateRecord]) -> list[PlateRecord]:
        for record in records:
            if not record.pipeline.strip():
                self._book.events.say(f"{record.name} has no pipeline: give it one first", is_error=True)
        return [record for record in records if record.pipeline.strip()]

    def _working(self, paths: Iterable[str] | None) -> list[PlateRecord]:
        if paths is None:
            return self._book.busy()
        return [record for record in self._book.pick(paths) if record.is_busy]

    def _forget_compilation(self, record: PlateRecord) -> None:
        record.artifact = None
        if record.state is PlateStatus.COMPILED:
            record.rest()
        self._book.change(record)

    def _task(self, record: PlateRecord) -> PlateTask:
        settings = resolve_run_settings(record.path, self._settings, record.settings)
        return plate_task(record.path, record.pipeline, settings, record.pipeline_file)

    def _compiled(self, record: PlateRecord) -> PlateTask:
        assert record.artifact is not None
        return compiled_task(self._task(record), record.artifact.artifact_id, record.artifact.signature)

    async def _read(self, records: Sequence[PlateRecord]) -> None:
        for record in records:
            await self._read_one(record)

    async def _read_one(self, record: PlateRecord) -> None:
        settings = resolve_run_settings(record.path, self._settings, record.settings)
        await self._read_results(record)
        try:
            wells = () if record.stop else await read_wells(record.path, settings.pattern)
        except OpenHCSError as error:
            record.fail(str(error))
            self._book.events.say(str(error), is_error=True)
            self._book.change(record)
        else:
            changed = () if record.stop else record.be_read(wells)
            record.rest()
            self._book.change(record, changed)
        self._book.flush()
        self._book.save_soon()

    async def _read_results(self, record: PlateRecord) -> None:
        """What is on disk of the plate, whatever its latest run here has come to."""
        settings = resolve_run_settings(record.path, self._settings, record.settings)
        try:
            record.on_disk = await read_results(record.path, settings.output_dir)
        except OpenHCSError as error:
            self._book.events.say(str(error), is_error=True)
        self._book.change(record)

    async def _read_all_results(self, records: Sequence[PlateRecord]) -> None:
        for record in records:
            await self._read_results(record)

    async def _then_read_results(self, work: Coroutine[Any, Any, None], records: Sequence[PlateRecord]) -> None:
        try:
            await work
        finally:
            await self._read_all_results(records)

    async def _compile(self, jobs: Sequence[CompileJob]) -> None:
        await self._batches.compile(jobs)

    async def _resume(self, records: Sequence[PlateRecord]) -> None:
        ready, fresh = [], []
        for record in records:
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


def _rest_of(task: PlateTask, execution_id: str) -> PlateTask:
    """The rest of a run. Images may have been repaired since, so each well is judged by itself, not by a signature."""
    return msgspec.structs.replace(
        task,
        resume=True,
        resume_of=execution_id,
        action=TaskAction.RUN,
        compile_artifact_id="",
        expected_signature="",
    )
