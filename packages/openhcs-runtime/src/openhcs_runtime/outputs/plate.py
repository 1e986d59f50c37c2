"""Results of a whole plate: checks that the files of each well exist, and joins the wells into tables."""

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
    if part.objects is not None:
        known = next((file.digest for file in part.files if file.name == part.objects), "")
        try:
            is_same = digest_of(output_dir / part.objects) == known
        except OSError as error:
            raise OutputError(f"{output_dir / part.objects} cannot be read: {error.strerror or error}") from error
        if not is_same:
            raise OutputError(
                f"{output_dir / part.objects} was changed during the run: resume the run to redo the well"
            )
    return part


def finish_images(job: PlateJob, wells: Iterable[str]) -> None:
    """Write what the image format needs once all wells are done.

    Raises:
        OutputError: a file cannot be written.
    """
    if job.image_format is ImageFormat.OME_ZARR:
        # Importing zarr takes most of a second.
        from openhcs_runtime.outputs.zarr_plates import finish_zarr_plates  # noqa: PLC0415

        finish_zarr_plates(job, tuple(wells))


def write_tables(output_dir: Path, job: PlateJob, parts: Iterable[WellRecord]) -> dict[str, str]:
    """Write ``measurements.csv`` and ``objects.csv`` of these wells, in their order.

    Tables of an earlier attempt are removed. If the job asks for Parquet, the tables are written as ``.parquet`` as
    well; if that is not possible, the log says why.

    Returns:
        The paths of the tables written, with the keys "measurements" and "objects".

    Raises:
        OutputError: a table cannot be written.
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
