"""What a sweep writes: ``sweep.csv``, ``sweep.png`` and ``sweep.json`` in a folder next to those of its runs."""

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from openhcs_runtime.atomic import atomic_file
from openhcs_runtime.exceptions import DamagedResultError, OutputError
from openhcs_runtime.outputs.run_folder import make_new_folder
from openhcs_runtime.outputs.wells import WellRecord, read_part
from openhcs_runtime.pipeline.cells import COUNT_SUFFIX, Cell
from openhcs_runtime.results import PlateResult, ResultStatus, WellResult
from openhcs_runtime.sweep.parameters import Combination
from openhcs_runtime.sweep.record import SweepRecord, SweepRun
from openhcs_runtime.sweep.table import write_table

TABLE_NAME, PICTURE_NAME, RECORD_NAME = "sweep.csv", "sweep.png", "sweep.json"


class SweepFolder:
    """Writes the results of a sweep as its runs end, so that what is done is there if it is broken off.

    Args:
        parameters: names of the parameters that are swept.
        now: local time, for the name of the folder.
    """

    def __init__(self, parameters: Sequence[str], now: datetime) -> None:
        self._parameters = tuple(parameters)
        self._now = now
        self._record: SweepRecord | None = None
        self._rows: list[dict[str, Cell]] = []

    @property
    def record(self) -> SweepRecord | None:
        """What was written so far; None if no run has processed a well."""
        return self._record

    def add(self, combination: Combination, result: PlateResult | None, message: str = "") -> None:
        """Add a run that has ended.

        Args:
            combination: its values.
            result: its result; None if no well was processed.
            message: why there is no result.

        Raises:
            OutputError: the folder can't be written to.
        """
        if self._record is None and result is not None:
            root = Path(result.output_dir).parent
            names = "_".join("".join(c if c.isalnum() else "_" for c in name) for name in self._parameters)
            folder = make_new_folder(root, f"{self._now:%Y-%m-%d_%H%M%S}_sweep_{names[:60]}")
            self._record = SweepRecord(plate_path=result.plate_path, parameters=self._parameters, folder=str(folder))
        if self._record is None:
            return
        run = SweepRun(settings=combination.settings, status=message)
        if result is not None:
            self._rows += [_row(combination, result, well) for well in result.wells]
            run = _run(combination, result)
        self._write(msgspec.structs.replace(self._record, runs=(*self._record.runs, run)))

    def finish(self) -> SweepRecord | None:
        """Draw the picture.

        Raises:
            OutputError: it can't be written.
        """
        if self._record is None:
            return None
        # Drawing loads image libraries, which nothing else here needs.
        from openhcs_runtime.sweep.montage import write_montage  # noqa: PLC0415

        path = Path(self._record.folder, PICTURE_NAME)
        problem = write_montage(path, self._record.runs)
        self._write(
            msgspec.structs.replace(self._record, picture="" if problem else str(path), no_picture=problem),
        )
        return self._record

    def _write(self, record: SweepRecord) -> None:
        table = Path(record.folder, TABLE_NAME)
        write_table(table, self._rows, (*self._parameters, "well", "status", "seconds"), ("run", "error"))
        self._record = msgspec.structs.replace(record, table=str(table))
        with atomic_file(Path(record.folder, RECORD_NAME)) as file:
            file.write(msgspec.json.format(msgspec.json.encode(self._record), indent=1))


def _run(combination: Combination, result: PlateResult) -> SweepRun:
    return SweepRun(
        settings=combination.settings,
        status=result.status.value,
        folder=result.output_dir,
        counts=result.counts,
        wells_done=len(result.wells_with(ResultStatus.COMPLETE)),
        seconds=sum(well.elapsed_s for well in result.wells),
    )


def _row(combination: Combination, result: PlateResult, well: WellResult) -> dict[str, Cell]:
    """Return the row of a well: its values, and its measurements over all its images."""
    folder = Path(result.output_dir)
    row: dict[str, Cell] = {setting.name: setting.text for setting in combination.settings}
    row |= {"well": well.well, "status": well.status.value, "seconds": round(well.elapsed_s, 3)}
    row |= {"run": folder.name, "error": well.error}
    if well.status is ResultStatus.COMPLETE:
        try:
            part = read_part(folder, well.well)
        except DamagedResultError as error:
            raise OutputError(str(error)) from error
        row |= _measurements(part) if part is not None else {}
    return row


def _measurements(part: WellRecord) -> dict[str, Cell]:
    """Return the sum of each count over the images of a well, and the mean of each other number."""
    values: dict[str, list[int | float]] = {}
    for image in part.measured:
        for name, value in image.values.items():
            if isinstance(value, (int, float)) and not (isinstance(value, float) and math.isnan(value)):
                values.setdefault(name, []).append(value)
    return {
        name: sum(found) if name.endswith(COUNT_SUFFIX) else math.fsum(found) / len(found)
        for name, found in values.items()
    }
