"""The tables of a plate, put together from the parts of its finished wells."""

import logging
from collections.abc import Sequence
from pathlib import Path

from openhcs_runtime.config import ImageFormat
from openhcs_runtime.exceptions import DamagedResultError
from openhcs_runtime.outputs import parquet
from openhcs_runtime.outputs.atomic import writing_to
from openhcs_runtime.outputs.tables import Kinds, join_objects, write_measurements
from openhcs_runtime.outputs.wells import WellPart, part_path, read_part
from openhcs_runtime.pipeline.declare import OutputKind, traits_of
from openhcs_runtime.plan import PlateJob
from openhcs_runtime.results import ResultStatus, WellResult

_log = logging.getLogger(__name__)


def finish_images(job: PlateJob) -> None:
    """What is left to be written of the images when all wells are done. Raises OutputError."""
    if job.image_format is ImageFormat.OME_ZARR:
        # Loads zarr, which takes most of a second.
        from openhcs_runtime.outputs.zarr_plates import finish_zarr_plates  # noqa: PLC0415

        finish_zarr_plates(job)


def write_tables(output_dir: Path, job: PlateJob, wells: Sequence[WellResult]) -> dict[str, str]:
    """Write `measurements.csv` and `objects.csv` of the complete wells, in their order; those of an earlier run go.

    Where the job wants it they are written as `.parquet`, too; when that can't be the log says why.
    Returns the path of each that there is, by "measurements" and "objects". Raises OutputError.
    """
    done = [well.well for well in wells if well.status is ResultStatus.COMPLETE]
    parts = [_part(output_dir, well) for well in done]
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


def _part(output_dir: Path, well: str) -> WellPart:
    """The part of a well that is said to be done."""
    part = read_part(output_dir, well)
    if part is None:
        raise DamagedResultError(
            f"{part_path(output_dir, well)} is gone, though well {well} was done: resume the run, which does it again"
        )
    return part
