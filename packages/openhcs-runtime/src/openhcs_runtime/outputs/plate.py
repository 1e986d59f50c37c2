"""What is left of a run for the whole plate: which wells are really there, and the tables made of their parts."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from openhcs_runtime.atomic import writing_to
from openhcs_runtime.config import ImageFormat
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.outputs import parquet
from openhcs_runtime.outputs.tables import Kinds, join_objects, write_measurements
from openhcs_runtime.outputs.wells import WellRecord, digest_of, lost_file, part_path, read_part
from openhcs_runtime.pipeline.decorators import OutputKind, traits_of
from openhcs_runtime.pipeline.plan import PlateJob
from openhcs_runtime.results import ResultStatus, WellResult

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PlateParts:
    """The wells of a run as they are on disk, and the parts of the complete ones, in the order of the wells."""

    wells: tuple[WellResult, ...]
    parts: Mapping[str, WellRecord]


def collect_parts(output_dir: Path, wells: Iterable[WellResult]) -> PlateParts:
    """Look whether what the wells have written is still there; a complete one of which something is gone has failed."""
    checked: list[WellResult] = []
    parts: dict[str, WellRecord] = {}
    for well in wells:
        if well.status is ResultStatus.COMPLETE:
            try:
                parts[well.well] = _whole_part(output_dir, well.well)
            except OutputError as error:
                well = replace(well, status=ResultStatus.FAILED, error=str(error), counts={}, reused=False)
        checked.append(well)
    return PlateParts(tuple(checked), parts)


def _whole_part(output_dir: Path, well: str) -> WellRecord:
    part = read_part(output_dir, well)
    if part is None:
        raise OutputError(f"{part_path(output_dir, well)} has vanished during the run: resume does the well again")
    if lost := lost_file(output_dir, part):
        raise OutputError(f"{output_dir / lost} was removed or changed during the run: resume does the well again")
    if part.objects is not None:
        known = next((file.digest for file in part.files if file.name == part.objects), "")
        try:
            is_same = digest_of(output_dir / part.objects) == known
        except OSError as error:
            raise OutputError(f"{output_dir / part.objects} cannot be read: {error.strerror or error}") from error
        if not is_same:
            raise OutputError(f"{output_dir / part.objects} was changed during the run: resume does the well again")
    return part


def finish_images(job: PlateJob, wells: Iterable[str]) -> None:
    """What is left to be written of the images when all wells are done. Raises OutputError."""
    if job.image_format is ImageFormat.OME_ZARR:
        # Loads zarr, which takes most of a second.
        from openhcs_runtime.outputs.zarr_plates import finish_zarr_plates  # noqa: PLC0415

        finish_zarr_plates(job, tuple(wells))


def write_tables(output_dir: Path, job: PlateJob, parts: Iterable[WellRecord]) -> dict[str, str]:
    """Write `measurements.csv` and `objects.csv` of these wells, in their order; those of an earlier attempt go.

    Where the job wants it they are written as `.parquet`, too; when that can't be the log says why.
    Returns the path of each that there is, by "measurements" and "objects". Raises OutputError.
    """
    parts = list(parts)
    paths = {"measurements": output_dir / "measurements.csv", "objects": output_dir / "objects.csv"}
    measures = any(
        OutputKind.MEASUREMENTS in traits_of(call.function).outputs
        for step in job.steps
        for chain in step.branches().values()
        for call in chain
    )
    written: dict[str, Kinds] = {}
    if measures:
        written["measurements"] = write_measurements(paths["measurements"], parts)
    if any(part.objects for part in parts):
        with writing_to(paths["objects"]):
            written["objects"] = join_objects(paths["objects"], output_dir, parts)
    as_parquet = job.parquet and parquet.can_write()
    if job.parquet and not as_parquet:
        _log.warning(parquet.MISSING)
    for name, path in paths.items():
        with writing_to(path):
            if name not in written:
                path.unlink(missing_ok=True)
            if not (name in written and as_parquet):
                path.with_suffix(".parquet").unlink(missing_ok=True)
        if name in written and as_parquet:
            parquet.write_parquet(path, path.with_suffix(".parquet"), written[name])
    return {name: str(path) for name, path in paths.items() if name in written}
