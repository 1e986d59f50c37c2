"""The result of a run, for the plate and for each well."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from openhcs_runtime.result_html import result_html
from openhcs_runtime.viewer_target import ViewCounts


class ResultStatus(StrEnum):
    """How a well or a plate ended."""

    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class StepCost:
    """What one step of a well has cost.

    Attributes:
        step: name of the step.
        seconds: how long it took, with reading its images and writing its files.
        peak_memory_bytes: peak memory of its process during the step; None if it was not measured, because the process
            worked on other wells at the same time or the platform does not provide it.
        device: where it ran if it asked for a GPU: "GPU 0", or "CPU" if it did not get one; otherwise empty.
        why_cpu: why it ran on the CPU although it asked for a GPU; otherwise empty.
        waited_s: how long it waited for a GPU or cores, which ``seconds`` does not contain.
    """

    step: str
    seconds: float
    peak_memory_bytes: int | None = None
    device: str = ""
    why_cpu: str = ""
    waited_s: float = 0.0

    def __str__(self) -> str:
        memory = "" if self.peak_memory_bytes is None else f"{self.peak_memory_bytes / 1e6:.0f} MB"
        return ", ".join(filter(None, [f"{self.seconds:.1f} s", self.device, memory]))


@dataclass(frozen=True, slots=True)
class WellResult:
    """How one well ended.

    Attributes:
        well: name of the well.
        status: how it ended.
        error: why it failed, in one line.
        step: the step in which it failed or was cancelled; may be empty.
        file: the image or output the error is about; may be empty.
        traceback: traceback of an exception raised by a pipeline function; otherwise empty.
        outputs: number of files written.
        counts: the sum of each ``..._count`` column of its measurements.
        elapsed_s: processing time in seconds.
        peak_memory_bytes: peak memory of its process; None if it shares the process with other wells.
        reused: whether it was finished before this run began, and its results are kept.
        taken_from: folder of the earlier run whose files were taken over; empty for the run's own.
        reused_steps: number of steps that were not computed, because the well began after them with what the run in
            ``reused_from`` had kept.
        reused_from: folder of that run.
        steps: what each step has cost, in order, up to the one it failed in or was cancelled in.
    """

    well: str
    status: ResultStatus
    error: str = ""
    step: str = ""
    file: str = ""
    traceback: str = ""
    outputs: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    elapsed_s: float = 0.0
    peak_memory_bytes: int | None = None
    reused: bool = False
    taken_from: str = ""
    reused_steps: int = 0
    reused_from: str = ""
    steps: tuple[StepCost, ...] = ()


@dataclass(frozen=True, slots=True)
class PlateResult:
    """How a run ended.

    Attributes:
        status: complete if every well is; cancelled if the run was cancelled; otherwise failed, with the other wells
            finished.
        plate_path: the plate.
        output_dir: folder with the results.
        signature: signature of the compiled run.
        wells: how each well ended, in plate order.
        measurements: path of the table of measurements; empty if there is none.
        tables: names of the tables in ``tables/``: sets of objects, images and wells.
        error: what went wrong apart from the wells (the tables could not be written); otherwise empty.
        elapsed_s: duration in seconds.
        viewed: counts of the images sent to a viewer; None if there was no viewer.
        seed: seed of the random numbers, whether it was given or generated.
        left_out_files: number of image files in the plate folder that are not images of the plate, as listed by
            ``info``.
        plate_steps: what the steps over the plate have cost.
    """

    status: ResultStatus
    plate_path: str
    output_dir: str
    signature: str
    wells: tuple[WellResult, ...]
    measurements: str = ""
    tables: tuple[str, ...] = ()
    error: str = ""
    elapsed_s: float = 0.0
    viewed: ViewCounts | None = None
    seed: int = 0
    left_out_files: int = 0
    plate_steps: tuple[StepCost, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """The sum of each ``..._count`` column over the plate."""
        total: Counter[str] = Counter()
        for well in self.wells:
            total.update(well.counts)
        return dict(total)

    def wells_with(self, status: ResultStatus) -> tuple[WellResult, ...]:
        """Return the wells that ended with this status."""
        return tuple(well for well in self.wells if well.status is status)

    @property
    def without_gpu(self) -> tuple[str, ...]:
        """A sentence for each step that asked for a GPU and ran on the CPU in this run, in how many wells, and why."""
        found: Counter[tuple[str, str]] = Counter()
        for well in self.wells:
            if not well.reused and not well.taken_from:
                found.update((cost.step, cost.why_cpu) for cost in well.steps if cost.why_cpu)
        return tuple(
            f"step {step!r} asked for a GPU and ran on the CPU in {wells} {'well' if wells == 1 else 'wells'}: {why}"
            for (step, why), wells in found.items()
        )

    def _repr_html_(self) -> str:
        return result_html(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain dicts, lists, strings and numbers, for JSON and msgpack."""
        plain = asdict(self)
        plain["status"] = self.status.value
        plain["wells"] = [
            {**asdict(well), "status": well.status.value, "counts": dict(well.counts)} for well in self.wells
        ]
        plain["counts"] = self.counts
        plain["wells_total"] = len(self.wells)
        for status in ResultStatus:
            plain[f"wells_{status.value}"] = len(self.wells_with(status))
        return plain


def overall_status(wells: tuple[WellResult, ...], *, cancelled: bool, error: str) -> ResultStatus:
    """Return the status of a plate from those of its wells.

    Args:
        wells: how each well ended.
        cancelled: whether the whole plate was cancelled.
        error: what went wrong apart from the wells; empty for nothing.

    Returns:
        The status.
    """
    statuses = {well.status for well in wells}
    if statuses <= {ResultStatus.COMPLETE}:
        return ResultStatus.FAILED if error else ResultStatus.COMPLETE
    if ResultStatus.CANCELLED in statuses and (cancelled or ResultStatus.FAILED not in statuses):
        return ResultStatus.CANCELLED
    return ResultStatus.FAILED
