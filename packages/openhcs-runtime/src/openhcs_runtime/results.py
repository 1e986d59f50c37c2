"""What a run says at its end, for the plate and for each well."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from openhcs_runtime.viewer_target import ViewCounts


class ResultStatus(StrEnum):
    """How a well or a plate ended."""

    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class WellResult:
    """How one well ended.

    error, step, file: when it failed, the reason in one line, the step in which it did, and the image or output it is
    about
        (both may be empty). traceback: only for what a pipeline function raised.
    outputs: how many files were written. counts: the sum of each `..._count` column of its measurements.
    elapsed_s: seconds. peak_memory_bytes: the most memory that its process held meanwhile; None where it shares a
    process with others. reused: it was done before this run began, and its results are kept. taken_from: the folder of
    the earlier run whose files were taken over; empty for this run's own.
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


@dataclass(frozen=True, slots=True)
class PlateResult:
    """How a run ended; wells are in plate order.

    status: complete when every well is; cancelled when the run was; failed otherwise, the other wells being done.
    measurements, objects: paths of the plate's tables, empty where there is nothing to measure.
    error: what went wrong besides the wells (the tables could not be written), else empty.
    viewed: what became of the images that were sent to a viewer; None where there was none.
    seed: what random numbers were made from, also where nobody named one.
    left_out_files: how many image files in the plate's folder are none of its images, as `info` lists them.
    """

    status: ResultStatus
    plate_path: str
    output_dir: str
    signature: str
    wells: tuple[WellResult, ...]
    measurements: str = ""
    objects: str = ""
    error: str = ""
    elapsed_s: float = 0.0
    viewed: ViewCounts | None = None
    seed: int = 0
    left_out_files: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """Sums over the plate of each `..._count` column."""
        total: Counter[str] = Counter()
        for well in self.wells:
            total.update(well.counts)
        return dict(total)

    def wells_with(self, status: ResultStatus) -> tuple[WellResult, ...]:
        """The wells that ended so."""
        return tuple(well for well in self.wells if well.status is status)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain dicts, lists, texts and numbers, for JSON and msgpack."""
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
    """The status of a plate from those of its wells; `cancelled` says that all of it was asked to stop."""
    statuses = {well.status for well in wells}
    if statuses <= {ResultStatus.COMPLETE}:
        return ResultStatus.FAILED if error else ResultStatus.COMPLETE
    if ResultStatus.CANCELLED in statuses and (cancelled or ResultStatus.FAILED not in statuses):
        return ResultStatus.CANCELLED
    return ResultStatus.FAILED
