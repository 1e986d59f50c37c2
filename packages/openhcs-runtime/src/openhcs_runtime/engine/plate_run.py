"""One run of a compiled pipeline: its folder, the wells it takes over or processes, and its results."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from openhcs_runtime.atomic import remove_leftovers
from openhcs_runtime.components import well_position
from openhcs_runtime.config import GlobalConfig, PipelineConfig
from openhcs_runtime.engine.executors import WellExecutor
from openhcs_runtime.engine.plate_phases import PlatePhases, Reports, kept_seed
from openhcs_runtime.engine.progress import WellProgress
from openhcs_runtime.engine.randomness import fresh_seed
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.outputs.plate import PlateParts, collect_parts, finish_images
from openhcs_runtime.outputs.plate_values import ValueRecord
from openhcs_runtime.outputs.provenance import Provenance, read_provenance
from openhcs_runtime.outputs.resume import earlier_seed
from openhcs_runtime.outputs.run_folder import open_run_folder
from openhcs_runtime.outputs.run_log import RunLog
from openhcs_runtime.outputs.runs import RunStatus, RunSummary, list_runs, read_run, results_root
from openhcs_runtime.outputs.states import intact, kept_folders, remove_states
from openhcs_runtime.outputs.wells import OutputFile, describe_files
from openhcs_runtime.pipeline.plan import CompiledPlate
from openhcs_runtime.pipeline.source import Pipeline
from openhcs_runtime.plate_map import PlateMapFile
from openhcs_runtime.plate_map.read import digest_of_plate_map
from openhcs_runtime.results import PlateResult, ResultStatus, WellResult, overall_status
from openhcs_runtime.stores.path import as_path
from openhcs_runtime.tables.places import copy_plate_map, plate_map_copy, run_plate_map, table_names, table_path
from openhcs_runtime.tables.plate_tables import WrittenTables, write_tables
from openhcs_runtime.viewers.view_counts import ViewTally
from zmqruntime.execution import Task
from zmqruntime.messages import LogLevel

_KEPT = "finished in an earlier attempt"


@dataclass(frozen=True, slots=True)
class RunChoice:
    """How a run begins.

    Attributes:
        resume: continue in the folder of an earlier run, and keep the wells it has finished.
        resume_of: the execution to resume; empty for the newest run of the same plate, pipeline and settings.
        fresh: process all wells, even those that are identical in an earlier run.
        replace: replace a named output folder that already contains results, once the new ones are complete.
        is_partial: more wells will follow in the same run: it is not marked as ended.
        known: wells whose end has been reported before, in an earlier part of the same run.
    """

    resume: bool = False
    resume_of: str = ""
    fresh: bool = False
    replace: bool = False
    is_partial: bool = False
    known: frozenset[str] = frozenset()


class PlateRun:
    """A run, from its folder to its result.

    Args:
        task: the task it is part of.
        compiled: the compiled pipeline.
        pipeline: the pipeline it was compiled from, for the provenance.
        global_config: the settings it was compiled with, for the provenance.
        pipeline_config: the settings it was compiled with, for the provenance.
        choice: how it begins.

    Raises:
        OutputError: the folder can't be used; see ``open_run_folder``.
    """

    def __init__(
        self,
        task: Task,
        compiled: CompiledPlate,
        pipeline: Pipeline,
        global_config: GlobalConfig,
        pipeline_config: PipelineConfig,
        choice: RunChoice,
    ) -> None:
        self._started = time.monotonic()
        self._task = task
        self._pipeline = pipeline
        self._settings = global_config, pipeline_config
        self._choice = choice
        self._folder = open_run_folder(
            compiled,
            resume=choice.resume,
            execution_id=choice.resume_of,
            replace=choice.replace,
            now=datetime.now().astimezone(),
        )
        self._log = RunLog(self._folder.path)
        self._compiled = compiled
        job = replace(compiled.job, output_dir=str(self._folder.path), seed=self._seed())
        self._compiled = replace(compiled, job=job)

    def run(self, executor: Callable[[], WellExecutor]) -> PlateResult:
        """Process all wells.

        Args:
            executor: called only if there are wells to process.

        Returns:
            How each well ended.

        Raises:
            OutputError: another run is writing to the folder, or files cannot be written to it.
            WorkerError: workers can't be started.
        """
        with self._folder.held(), self._logged():
            remove_leftovers(self._folder.path)
            tally = ViewTally(self._task)
            run = self._phases(executor, tally)
            if (known := self._known_result(run)) is not None:
                return known
            provenance = self._begin()
            try:
                result, parts = self._do(run, tally)
            except BaseException as error:
                self._log.note(f"aborted: {error or type(error).__name__}", level=LogLevel.ERROR)
                _write_if_possible(self._task, provenance.broken_off(error), self._folder.path)
                raise
            return self._end(provenance, result, parts, run.state.records)

    def _seed(self) -> int:
        """Return the configured seed, that of the wells this run keeps or takes over, or a fresh one."""
        if self._compiled.seed is not None:
            return self._compiled.seed
        runs: Iterable[RunSummary] = () if self._choice.fresh else self._earlier_runs()
        if self._folder.earlier is not None:
            runs = [self._folder.earlier, *runs]
        for run in runs:
            seed = earlier_seed(run, self._compiled.wells)
            seed = kept_seed(self._compiled, run) if seed is None else seed
            if seed is not None:
                return seed
        return fresh_seed()

    def _phases(self, executor: Callable[[], WellExecutor], tally: ViewTally) -> PlatePhases:
        reports = Reports(self._report_kept, self._report_taken, self._log.note_well, tally.on_counts)
        earlier = () if self._choice.fresh else tuple(self._earlier_runs())
        return PlatePhases(self._task, self._compiled, earlier, executor, reports)

    def _known_result(self, run: PlatePhases) -> PlateResult | None:
        """Return the result of a complete run without missing files, which is not written again; else None."""
        earlier, folder = self._folder.earlier, self._folder.path
        if earlier is None or earlier.status is not RunStatus.COMPLETE or self._folder.replaces is not None:
            return None
        kept = run.kept()
        if set(kept) != {plan.well for plan in self._compiled.wells} or set(kept) != set(earlier.planned or ()):
            return None
        parts = collect_parts(folder, _in_order(kept.values()))
        before, tables = read_provenance(folder), table_names(folder)
        has_same = _digest(before.plate_map) == _digest(self._compiled.plate_map) and intact(folder, before.tables)
        measurements = folder / "measurements.csv"
        if len(parts.parts) < len(kept) or not has_same or not (measurements.is_file() and before.tables):
            return None
        for well in kept:
            self._progress(well).axis_completed(_KEPT)
        return self._result(parts.wells, WrittenTables(str(measurements), tables), "")

    def _begin(self) -> Provenance:
        executions = [*(self._folder.earlier.executions if self._folder.earlier else ()), self._task.execution_id]
        provenance = Provenance.begin(self._pipeline, self._compiled, *self._settings, executions)
        provenance.write(self._folder.path)
        if self._folder.earlier is not None and self._has_other_map():
            self._log.note("the plate map has changed: all tables are joined with the new one", level=LogLevel.WARNING)
        copy_plate_map(self._compiled.plate_map, self._folder.path)
        begun = "continues" if self._folder.earlier else "begins"
        self._log.note(f"{self._compiled.run_name} {begun} on {self._compiled.plate_path}")
        return provenance

    def _do(self, run: PlatePhases, tally: ViewTally) -> tuple[PlateResult, PlateParts]:
        state = run.run(first_only=self._choice.is_partial)
        parts = collect_parts(self._folder.path, _in_order(state.ended.values()))
        tables, failure = WrittenTables(), state.error
        try:
            tables = write_tables(self._folder.path, self._compiled.job, parts.parts.values(), parts.wells)
            failure = failure or tables.problem
            finish_images(self._compiled.job, parts.parts, run_plate_map(self._folder.path))
        except OutputError as error:
            failure = str(error)
        costs = tuple(record.cost for record in state.records)
        plate = replace(self._result(parts.wells, tables, failure), viewed=tally.end(), plate_steps=costs)
        for text in plate.without_gpu:
            self._task.log.warning(text)
        return plate, parts

    def _report_kept(self, wells: Iterable[str]) -> None:
        for well in wells:
            if well not in self._choice.known:
                self._progress(well).axis_completed(_KEPT)

    def _report_taken(self, taken: Mapping[str, WellResult]) -> None:
        for well, result in taken.items():
            self._log.note(f"taken over from {result.taken_from}", well)
            self._progress(well).axis_completed(f"taken over from {result.taken_from}")

    def _earlier_runs(self) -> Iterator[RunSummary]:
        if self._folder.replaces is not None:
            yield read_run(self._folder.replaces)
        root = self._folder.root or results_root(as_path(self._compiled.plate_path))
        if root.is_dir():
            yield from list_runs(root)

    def _result(self, wells: tuple[WellResult, ...], tables: WrittenTables, error: str) -> PlateResult:
        return PlateResult(
            status=overall_status(wells, cancelled=self._task.cancelled, error=error),
            plate_path=self._compiled.plate_path,
            output_dir=str(self._folder.path),
            signature=self._compiled.signature,
            wells=wells,
            measurements=tables.measurements,
            tables=tables.names,
            error=error,
            elapsed_s=time.monotonic() - self._started,
            seed=self._compiled.job.seed,
            left_out_files=self._compiled.left_out_files,
        )

    def _end(
        self, provenance: Provenance, result: PlateResult, parts: PlateParts, values: Sequence[ValueRecord]
    ) -> PlateResult:
        """Write how the run ended, and put its folder in its final place."""
        counts = (f"{len(result.wells_with(status))} {status}" for status in ResultStatus)
        self._log.note(f"ended as {result.status}: {', '.join(counts)}{f'; {result.error}' if result.error else ''}")
        if self._choice.is_partial:
            return result
        read = {well: part.read for well, part in parts.parts.items()}
        final = _moved(result, self._folder.replaces) if result.status is ResultStatus.COMPLETE else result
        if result.status is ResultStatus.COMPLETE:
            remove_states(self._folder.path, kept_folders(self._folder.path, self._compiled.job.steps))
        try:
            provenance.ended(final, read, values, self._table_files(result)).write(self._folder.path)
            self._folder.finish(result.status)
        except OutputError as error:
            return replace(result, status=_worse(result.status), error=str(error))
        return final

    def _has_other_map(self) -> bool:
        """Return whether the run began with another plate map."""
        copy = plate_map_copy(self._folder.path)
        before = "" if copy is None else digest_of_plate_map(copy.read_bytes())
        return before != _digest(self._compiled.plate_map)

    def _table_files(self, result: PlateResult) -> list[OutputFile]:
        """Return the tables with their digests, by which a damaged one is recognized."""
        folder = self._folder.path
        return describe_files(
            folder, [table_path(folder, name).relative_to(folder).as_posix() for name in result.tables]
        )

    def _progress(self, well: str) -> WellProgress:
        return WellProgress(self._task, well, [step.name for step in self._compiled.job.steps])

    @contextmanager
    def _logged(self) -> Iterator[None]:
        """Write what the task logs during the block to the log in the folder as well."""
        try:
            with self._task.listening(self._log.add):
                yield
        finally:
            self._log.close()


def _in_order(wells: Iterable[WellResult]) -> list[WellResult]:
    return sorted(wells, key=lambda well: well_position(well.well))


def _moved(result: PlateResult, target: Path | None) -> PlateResult:
    """Return the result with the paths its files will have in another folder."""
    if target is None:
        return result
    measurements = str(target / Path(result.measurements).name) if result.measurements else ""
    return replace(result, output_dir=str(target), measurements=measurements)


def _digest(plate_map: PlateMapFile | None) -> str:
    return plate_map.digest if plate_map else ""


def _worse(status: ResultStatus) -> ResultStatus:
    return ResultStatus.FAILED if status is ResultStatus.COMPLETE else status


def _write_if_possible(task: Task, provenance: Provenance, folder: Path) -> None:
    """Write the provenance after a failure; if that fails too, the original error must not be hidden."""
    try:
        provenance.write(folder)
    except OutputError as error:
        task.log.warning("the outcome of this run could not be written: %s", error)
