"""The wells and the steps over the plate of one run, phase by phase."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from openhcs_runtime.atomic import atomic_file
from openhcs_runtime.engine.executors import WellExecutor
from openhcs_runtime.outputs.plate_values import ValueRecord, find_value, value_path, value_record
from openhcs_runtime.outputs.resume import finished_wells, take_over
from openhcs_runtime.outputs.runs import RunSummary
from openhcs_runtime.outputs.states import KEPT, StateHead, find_state, state_head, state_path
from openhcs_runtime.outputs.wells import copy_file
from openhcs_runtime.pipeline.decorators import traits_of
from openhcs_runtime.pipeline.phases import Phase, phases, plate_steps, saved_states, state_index
from openhcs_runtime.pipeline.plan import CompiledPlate, MadeValue, PlateJob, PlatePlan, WellPlan, WellWork
from openhcs_runtime.pipeline.plate_step import PlateStep
from openhcs_runtime.pipeline.run_basis import Prefixes
from openhcs_runtime.results import ResultStatus, WellResult
from openhcs_runtime.thumbnails import copy_run_thumbnail
from openhcs_runtime.viewers.view_counts import OnViewed
from zmqruntime.execution import Task
from zmqruntime.execution.text import plural

_TRIED_WELLS = 3
"""How many wells are looked at to find out whether the states of an earlier run can be used."""


@dataclass(slots=True)
class RunState:
    """What is known of a run so far.

    Attributes:
        ended: How wells have ended.
        begun: Wells that have been begun in this run.
        identities: Identities of the values of steps over the plate, by the index of the step.
        values: The values themselves, by name.
        records: Records of these values, in order.
        error: Why a step over the plate failed; empty if none did.
    """

    ended: dict[str, WellResult] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    identities: dict[int, str] = field(default_factory=dict)
    values: dict[str, MadeValue] = field(default_factory=dict)
    records: list[ValueRecord] = field(default_factory=list)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Reports:
    """Called as a run goes on.

    Attributes:
        kept: With wells that were finished in an earlier attempt.
        taken: With wells that were taken over from an earlier run.
        done: With each well, and each step over the plate, that was processed.
        viewed: With the counts of images sent to a viewer.
    """

    kept: Callable[[Iterable[str]], None]
    taken: Callable[[Mapping[str, WellResult]], None]
    done: Callable[[WellResult], None]
    viewed: OnViewed


class PlatePhases:
    """Processes the wells of a run, and its steps over the plate.

    Args:
        task: The task it is part of.
        compiled: The compiled pipeline, with the folder and the seed of the run.
        earlier: Earlier runs of the plate, in order of preference; none to compute everything.
        executor: Called only if there is something to process.
        reports: Called as the run goes on.
    """

    def __init__(
        self,
        task: Task,
        compiled: CompiledPlate,
        earlier: Sequence[RunSummary],
        executor: Callable[[], WellExecutor],
        reports: Reports,
    ) -> None:
        self._task = task
        self._compiled = compiled
        self._job = compiled.job
        self._folder = Path(compiled.job.output_dir)
        self._earlier = earlier
        self._executor = executor
        self._reports = reports
        self._prefixes = Prefixes(compiled.job, compiled.seed)
        self._steps = compiled.job.steps
        self._sources = _sources(self._prefixes, compiled, earlier)
        self.state = RunState()
        self._take_values()

    def kept(self) -> dict[str, WellResult]:
        """Return the wells that are finished in the folder of the run, if all values they depend on are known."""
        phase = next(phase for phase in phases(self._steps) if phase.finishes)
        if not set(self._values_before(phase.stop)) <= set(self.state.identities):
            return {}
        return finished_wells(self._folder, [self._at_work(plan, phase) for plan in self._compiled.wells])

    def run(self, *, first_only: bool = False) -> RunState:
        """Run all phases, or only the first one.

        Raises:
            OutputError: a file can't be written.
            WorkerError: workers can't be started.
        """
        for phase in phases(self._steps):
            is_made = phase.plate_step is None or phase.plate_step in self.state.identities
            if is_made and not phase.finishes:
                continue
            self._run_wells(phase)
            if first_only or self._task.cancelled:
                break
            if not is_made and not self._make_value(phase):
                break
        self._end_rest()
        return self.state

    # --- wells -------------------------------------------------------------------------------------------------------

    def _run_wells(self, phase: Phase) -> None:
        """Process wells up to the end of a phase."""
        plans = [self._at_work(plan, phase) for plan in self._alive()]
        if phase.finishes:
            kept = finished_wells(self._folder, plans)
            self.state.ended |= kept
            self._reports.kept(kept)
            taken = self._taken_over([plan for plan in plans if plan.well not in kept])
            self.state.ended |= taken
            waiting = [plan for plan in plans if plan.well not in self.state.ended]
        else:
            waiting = [plan for plan in plans if not self._has_state(plan, phase.stop)]
        self._process(waiting, finishes=phase.finishes)

    def _process(self, plans: Sequence[WellPlan], *, finishes: bool) -> None:
        if not plans:
            return
        job = self._job_now()
        self.state.begun |= {plan.well for plan in plans}
        for result in self._executor().run(self._task, job, plans, self._reports.viewed):
            if finishes or result.status is not ResultStatus.COMPLETE:
                self.state.ended[result.well] = result
                self._reports.done(result)

    def _taken_over(self, plans: Sequence[WellPlan]) -> dict[str, WellResult]:
        if not plans or not self._earlier:
            return {}
        taken = take_over(self._folder, plans, self._earlier, self._job.seed, lambda: self._task.cancelled)
        folders = {run.folder.name: run.folder for run in self._earlier}
        for well, result in taken.items():
            copy_run_thumbnail(folders[result.taken_from], self._folder, well)
        self._reports.taken(taken)
        return taken

    def _alive(self) -> list[WellPlan]:
        """Return the wells that have not ended."""
        return [plan for plan in self._compiled.wells if plan.well not in self.state.ended]

    def _at_work(self, plan: WellPlan, phase: Phase) -> WellPlan:
        """Return the plan of a well for a phase."""
        stop = min(phase.stop, len(self._steps))
        known = self._identities_before(stop)
        lengths = {length for length in saved_states(self._steps) | self._kept_lengths() if length <= stop}
        states = {
            length: self._prefixes.of_well(plan, length, known)
            for length in sorted(lengths)
            if set(self._values_before(length)) <= set(known)
        }
        work = WellWork(
            stop=stop,
            finishes=phase.finishes,
            states=states,
            sources=(str(self._folder), *map(str, self._sources)),
            continues=plan.well in self.state.begun,
            values={self._name(index): known[index] for index in self._values_before(stop)},
        )
        return dataclasses.replace(plan, work=work)

    def _has_state(self, plan: WellPlan, stop: int) -> bool:
        length = state_index(self._steps, stop)
        if not length:
            return True
        assert plan.work is not None
        path = state_path(self._folder, self._steps[length - 1].name, length, plan.well)
        return find_state(path, plan.work.states[length], self._job.seed) is not None

    def _kept_lengths(self) -> set[int]:
        """Return the numbers of steps after which an earlier run has kept something that can be used."""
        return {length for lengths in self._sources.values() for length in lengths}

    def _end_rest(self) -> None:
        """Give wells a result that the run can't finish, because it was cancelled or a step over the plate failed."""
        for plan in self._alive() if self._task.cancelled or self.state.error else ():
            status = ResultStatus.CANCELLED if self._task.cancelled else ResultStatus.FAILED
            result = WellResult(well=plan.well, status=status, error=self.state.error)
            self.state.ended[plan.well] = result
            self._reports.done(result)

    # --- steps over the plate ----------------------------------------------------------------------------------------

    def _take_values(self) -> None:
        """Take values that exist already, as long as they were made from all wells of the run."""
        for index in plate_steps(self._steps):
            signature = self._prefixes.of_value(index, self._states_before(index, self._compiled.wells))
            record = self._found_value(index, signature)
            if record is None:
                return
            self._know_value(index, record)

    def _make_value(self, phase: Phase) -> bool:
        """Run the step over the plate that follows a phase; return whether the run can go on."""
        index = phase.plate_step
        assert index is not None
        self._write_lacking_states(phase)
        plans = [plan for plan in self._compiled.wells if self._has_passed(plan)]
        if not plans or self._task.cancelled:
            return False
        signature = self._prefixes.of_value(index, self._states_before(index, plans))
        record = self._found_value(index, signature)
        if record is None:
            if left_out := len(self._compiled.wells) - len(plans):
                self._task.log.warning(
                    "step %r works on %s without %d that failed",
                    self._steps[index].name,
                    plural(len(plans), "well"),
                    left_out,
                )
            record = self._made_value(index, signature, plans)
        if record is not None:
            self._know_value(index, record)
        return record is not None

    def _made_value(self, index: int, signature: str, plans: Sequence[WellPlan]) -> ValueRecord | None:
        step = self._steps[index]
        length = state_index(self._steps, index)
        states = {
            plan.well: str(state_path(self._folder, self._steps[length - 1].name, length, plan.well))
            for plan in plans
            if length
        }
        work = PlatePlan(index, signature, tuple(plans), states)
        for result in self._executor().run(self._task, self._job_now(), [work], self._reports.viewed):
            if result.status is ResultStatus.FAILED:
                self.state.error = f"step {step.name!r} over the plate failed: {result.error}"
                if result.traceback:
                    self._task.log.error("%s", result.traceback)
        return find_value(value_path(self._folder, step.name, index), signature, self._job.seed)

    def _write_lacking_states(self, phase: Phase) -> None:
        """Write the states of wells that were finished by an earlier run, whose states are gone."""
        stops = dataclasses.replace(phase, finishes=False)
        plans = [self._at_work(plan, stops) for plan in self._compiled.wells if self._has_passed(plan)]
        lacking = [plan for plan in plans if not self._has_state(plan, phase.stop)]
        self._process(lacking, finishes=False)
        self._reports.kept([plan.well for plan in lacking if self._has_passed(plan) and phase.finishes])

    def _has_passed(self, plan: WellPlan) -> bool:
        ended = self.state.ended.get(plan.well)
        return ended is None or ended.status is ResultStatus.COMPLETE

    def _found_value(self, index: int, signature: str) -> ValueRecord | None:
        """Return the record of a value in the folder of the run; it is copied from an earlier run if one has it."""
        step, seed = self._steps[index], self._job.seed
        path = value_path(self._folder, step.name, index)
        if (record := find_value(path, signature, seed)) is not None:
            return record
        for run in self._earlier:
            other = value_path(run.folder, step.name, index)
            found = find_value(other, signature, seed) if run.folder != self._folder else None
            if found is not None and found.used.is_all:
                _copy_value(other, path, found, run.folder, self._folder)
                return found
        return None

    def _know_value(self, index: int, record: ValueRecord) -> None:
        path = value_path(self._folder, self._steps[index].name, index)
        self.state.identities[index] = record.identity
        self.state.values[record.name] = MadeValue(str(path), record.identity)
        self.state.records.append(record)

    def _states_before(self, index: int, plans: Iterable[WellPlan]) -> dict[str, str]:
        known = self._identities_before(index)
        return {plan.well: self._prefixes.of_well(plan, index, known) for plan in plans}

    def _identities_before(self, stop: int) -> dict[int, str]:
        return {index: text for index, text in self.state.identities.items() if index < stop}

    def _values_before(self, stop: int) -> tuple[int, ...]:
        return plate_steps(self._steps[:stop])

    def _name(self, index: int) -> str:
        step = self._steps[index]
        assert isinstance(step, PlateStep)
        output = traits_of(step.call.function).plate_output
        assert output is not None
        return output.name

    def _job_now(self) -> PlateJob:
        return dataclasses.replace(self._job, values=dict(self.state.values))


def kept_seed(compiled: CompiledPlate, run: RunSummary) -> int | None:
    """Return the seed with which a run has made values or kept states that can be used; None if there are none."""
    steps, prefixes = compiled.job.steps, Prefixes(compiled.job, compiled.seed)
    for index in plate_steps(steps)[:1]:
        wells = {plan.well: prefixes.of_well(plan, index, {}) for plan in compiled.wells}
        record = value_record(value_path(run.folder, steps[index].name, index))
        if record is not None and record.signature == prefixes.of_value(index, wells):
            return record.seed
    for length in _lengths_in(compiled.job, run.folder):
        if not plate_steps(steps[:length]):
            for head in _heads(prefixes, compiled, run.folder, length):
                return head.seed
    return None


def _sources(prefixes: Prefixes, compiled: CompiledPlate, earlier: Iterable[RunSummary]) -> dict[Path, tuple[int, ...]]:
    """Return the folders of earlier runs with states that may be used, and the numbers of steps these are after."""
    found: dict[Path, tuple[int, ...]] = {}
    for run in earlier:
        if str(run.folder) == compiled.job.output_dir:
            continue
        lengths = [
            length
            for length in _lengths_in(compiled.job, run.folder)
            if plate_steps(compiled.job.steps[:length]) or any(_heads(prefixes, compiled, run.folder, length))
        ]
        if lengths:
            found[run.folder] = tuple(lengths)
    return found


def _lengths_in(job: PlateJob, folder: Path) -> list[int]:
    """Return the numbers of steps after which a run has kept states of steps with the same names, highest first."""
    if not (folder / KEPT).is_dir():
        return []
    lengths = range(len(job.steps), 0, -1)
    return [length for length in lengths if state_path(folder, job.steps[length - 1].name, length, "").parent.is_dir()]


def _heads(prefixes: Prefixes, compiled: CompiledPlate, folder: Path, length: int) -> Iterator[StateHead]:
    """Yield the heads of states that can be used, of the first wells that have a state."""
    name = compiled.job.steps[length - 1].name
    there = [(plan, path) for plan in compiled.wells if (path := state_path(folder, name, length, plan.well)).is_file()]
    for plan, path in there[:_TRIED_WELLS]:
        head = state_head(path)
        if head is not None and head.signature == prefixes.of_well(plan, length, {}):
            yield head


def _copy_value(source: Path, target: Path, record: ValueRecord, run: Path, folder: Path) -> None:
    for file in record.files:
        copy_file(run / file.name, folder / file.name, file)
    with atomic_file(target) as writing:
        writing.write(source.read_bytes())
