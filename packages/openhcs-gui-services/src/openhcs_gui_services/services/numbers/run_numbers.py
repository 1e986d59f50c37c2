"""What a run has found, in words: counts, failed wells with the reason, and where its steps ran. Without Qt."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs_gui_services.services.numbers.measures import MeasureChoice, measure_choices
from openhcs_runtime.outputs.costs import step_totals
from openhcs_runtime.outputs.exclusions import Exclusions, read_exclusions
from openhcs_runtime.outputs.runs import RunStatus, RunSummary, local_time
from openhcs_runtime.results import ResultStatus, StepCost
from openhcs_runtime.tables.places import IMAGES
from openhcs_runtime.tables.schema import TableKind
from zmqruntime.execution.text import first_line, plural, size

if TYPE_CHECKING:
    from openhcs_runtime.tables.read import Results

__all__ = ["FailedWell", "RunNumbers", "StepLine", "read_run_numbers"]

_ENDINGS = {
    RunStatus.COMPLETE: "complete",
    RunStatus.FAILED: "ended with failed wells",
    RunStatus.CANCELLED: "cancelled",
    RunStatus.RUNNING: "still running",
    RunStatus.INTERRUPTED: "interrupted",
    RunStatus.DAMAGED: "damaged",
}


@dataclass(frozen=True, slots=True)
class FailedWell:
    """A failed well; ``reason`` is one line, and ``step`` the step it failed in, which may be empty."""

    well: str
    reason: str
    step: str = ""


@dataclass(frozen=True, slots=True)
class StepLine:
    """Where a step ran and what it took, as texts.

    Attributes:
        step: its name.
        seconds: the sum over all wells, and seconds per well.
        device: where it ran: "CPU", "GPU 0", or several of them with their number of wells.
        memory: the highest peak memory; empty if it was not measured.
    """

    step: str
    seconds: str
    device: str
    memory: str


@dataclass(frozen=True, slots=True)
class RunNumbers:
    """What the numbers pane knows of a run before a measurement is chosen.

    Attributes:
        results: the tables.
        counts: number of objects of each set.
        wells: number of wells of the run.
        complete: number of complete wells.
        failed: the failed wells, in plate order.
        steps: where the steps ran.
        choices: the measurements.
        sites: the sites of the run, in order.
        exclusions: wells that a person has excluded.
    """

    results: "Results"
    counts: tuple[tuple[str, int], ...]
    wells: int
    complete: int
    failed: tuple[FailedWell, ...]
    steps: tuple[StepLine, ...]
    choices: tuple[MeasureChoice, ...]
    sites: tuple[int, ...]
    exclusions: Exclusions

    @property
    def run(self) -> RunSummary:
        """The run."""
        return self.results.found.run

    @property
    def counted(self) -> str:
        """The counts in words, such as "24 wells, 1,961 nuclei"; with excluded wells, those that are left first."""
        objects = ", ".join(f"{count:,} {name}" for name, count in self.counts)
        wells, excluded = plural(self.wells, "well"), len(self.exclusions.names)
        if not excluded:
            return f"{wells}, {objects}" if objects else wells
        left = f"{self.wells - excluded} of {wells} ({excluded} excluded)"
        return f"{left}; {objects} in all wells" if objects else left

    @property
    def ending(self) -> str:
        """How and when the run ended, in words."""
        run = self.run
        when = local_time(run.ended_at or run.begun_at)
        return f"{run.pipeline or 'The run'} {_ENDINGS[run.status]}" + (f", {when}" if when else "")


def read_run_numbers(folder: Path) -> RunNumbers:
    """Read what is known of a run, without its measurements.

    Args:
        folder: folder of the run.

    Raises:
        OutputError: it is not the folder of a run, or was written by a newer release.
        DamagedResultError: a table, the provenance or the list of excluded wells can't be read.
    """
    from openhcs_runtime.tables.read import open_results  # noqa: PLC0415  heavy

    results = open_results(folder)
    known = results.provenance
    failed = [well for well in known.wells if well.status == ResultStatus.FAILED]
    return RunNumbers(
        results=results,
        counts=tuple((name, results.rows(name)) for name in _object_sets(results)),
        wells=results.found.run.wells_planned,
        complete=len(results.found.run.done),
        failed=tuple(FailedWell(well.well, first_line(well.error), well.step) for well in failed),
        steps=_step_lines([*(well.steps for well in known.wells), [step.cost for step in known.plate_steps]]),
        choices=measure_choices(results),
        sites=_sites(results),
        exclusions=read_exclusions(results.found.run),
    )


def _object_sets(results: "Results") -> list[str]:
    return [name for name in results.tables if results.schema(name).kind is TableKind.OBJECTS]


def _sites(results: "Results") -> tuple[int, ...]:
    if IMAGES not in results.tables:
        return ()
    from pyarrow import compute  # noqa: PLC0415  heavy

    return tuple(sorted(compute.unique(results.arrow(IMAGES, ["site"])["site"]).to_pylist()))


def _step_lines(wells: Sequence[Sequence[StepCost]]) -> tuple[StepLine, ...]:
    devices: dict[str, dict[str, int]] = {}
    for cost in (cost for of_well in wells for cost in of_well):
        of_step = devices.setdefault(cost.step, {})
        of_step[cost.device or "CPU"] = of_step.get(cost.device or "CPU", 0) + 1
    return tuple(
        StepLine(
            total.step,
            f"{total.seconds:,.1f} s, {total.mean_seconds:.2f} s a well",
            _devices(devices[total.step]),
            "" if total.peak_memory_bytes is None else size(total.peak_memory_bytes),
        )
        for total in step_totals(wells)
    )


def _devices(found: dict[str, int]) -> str:
    if len(found) == 1:
        return next(iter(found))
    return ", ".join(f"{device} ({plural(count, 'well')})" for device, count in found.items())
