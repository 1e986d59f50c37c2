"""Results of a whole plate: checks that the files of each well exist, and finishes its images."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from openhcs_runtime.config import ImageFormat
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.outputs.wells import WellRecord, digest_of, lost_file, part_path, read_part
from openhcs_runtime.pipeline.plan import PlateJob
from openhcs_runtime.plate_map import PlateMap
from openhcs_runtime.results import ResultStatus, WellResult


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


def finish_images(job: PlateJob, wells: Iterable[str], plate_map: PlateMap | None) -> None:
    """Write what the image format needs once all wells are done.

    Args:
        job: what the wells have in common.
        wells: the complete wells.
        plate_map: the plate map of the run; None if it has none.

    Raises:
        OutputError: a file cannot be written.
    """
    if job.image_format is ImageFormat.OME_ZARR:
        # Importing zarr takes most of a second.
        from openhcs_runtime.outputs.zarr_plates import finish_zarr_plates  # noqa: PLC0415

        finish_zarr_plates(job, tuple(wells), plate_map)
