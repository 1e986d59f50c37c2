"""Results of a whole plate: checks that the files of each well exist, and writes its tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from openhcs_runtime.atomic import writing_to
from openhcs_runtime.config import ImageFormat
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.outputs.measurements import write_measurements
from openhcs_runtime.outputs.wells import WellRecord, digest_of, lost_file, part_path, read_part
from openhcs_runtime.pipeline.decorators import OutputKind, traits_of
from openhcs_runtime.pipeline.plan import PlateJob
from openhcs_runtime.results import ResultStatus, WellResult
from openhcs_runtime.tables.places import remove_tables, run_plate_map


@dataclass(frozen=True, slots=True)
class PlateParts:
    """Results of all wells as found on disk, and the records of the complete ones, in well order."""

    wells: tuple[WellResult, ...]
    parts: Mapping[str, WellRecord]


def collect_parts(output_dir: Path, wells: Iterable[WellResult]) -> PlateParts:
    """Check that the files of each complete well still exist; a well with missing or changed files has failed."""
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
        raise OutputError(f"{part_path(output_dir, well)} disappeared during the run: resume the run to redo the well")
    if lost := lost_file(output_dir, part):
        raise OutputError(f"{output_dir / lost} was removed or changed during the run: resume the run to redo the well")
    digests = {file.name: file.digest for file in part.files}
    for table in part.tables:
        path = output_dir / table.file
        try:
            is_same = digest_of(path) == digests.get(table.file)
        except OSError as error:
            raise OutputError(f"{path} cannot be read: {error.strerror or error}") from error
        if not is_same:
            raise OutputError(f"{path} was changed during the run: resume the run to redo the well")
    return part


def finish_images(job: PlateJob, wells: Iterable[str]) -> None:
    """Write what the image format needs once all wells are done.

    Raises:
        OutputError: a file cannot be written, or the copy of the plate map cannot be read.
    """
    if job.image_format is ImageFormat.OME_ZARR:
        # Importing zarr takes most of a second.
        from openhcs_runtime.outputs.zarr_plates import finish_zarr_plates  # noqa: PLC0415

        finish_zarr_plates(job, tuple(wells), run_plate_map(Path(job.output_dir)))


def write_tables(
    output_dir: Path, job: PlateJob, parts: Iterable[WellRecord], wells: Sequence[WellResult]
) -> tuple[str, tuple[str, ...]]:
    """Write ``measurements.csv`` and the tables of objects, images and wells, in place of those of an earlier attempt.

    Args:
        output_dir: folder of the run.
        job: what the wells have in common.
        parts: the records of the complete wells, in plate order.
        wells: how each well ended.

    Returns:
        The path of ``measurements.csv``, empty if the pipeline measures nothing, and the names of the other tables.

    Raises:
        OutputError: a table cannot be written.
    """
    parts = list(parts)
    measurements = output_dir / "measurements.csv"
    if not _measures(job):
        with writing_to(measurements):
            measurements.unlink(missing_ok=True)
        remove_tables(output_dir)
        return "", ()
    write_measurements(measurements, parts)
    # Importing pyarrow takes a third of a second.
    from openhcs_runtime.tables.plate_tables import write_plate_tables  # noqa: PLC0415

    return str(measurements), write_plate_tables(output_dir, job, parts, wells)


def _measures(job: PlateJob) -> bool:
    return any(
        OutputKind.MEASUREMENTS in traits_of(call.function).outputs
        for step in job.steps
        for chain in step.branches().values()
        for call in chain
    )
