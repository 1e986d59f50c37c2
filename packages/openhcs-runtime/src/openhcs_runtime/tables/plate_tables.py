"""Writes the tables of a plate when its wells have ended: objects by set, images, wells."""

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from openhcs_runtime.atomic import writing_to
from openhcs_runtime.outputs.wells import WellRecord
from openhcs_runtime.pipeline.decorators import OutputKind, traits_of
from openhcs_runtime.pipeline.plan import PlateJob
from openhcs_runtime.results import WellResult
from openhcs_runtime.tables.columns import channel_tokens
from openhcs_runtime.tables.csv_copy import write_csv
from openhcs_runtime.tables.image_rows import image_rows
from openhcs_runtime.tables.join import object_tables, write_object_table
from openhcs_runtime.tables.map_columns import PlateFacts
from openhcs_runtime.tables.measurements import write_measurements
from openhcs_runtime.tables.places import IMAGES, WELLS, remove_tables, run_plate_map, table_names
from openhcs_runtime.tables.rows import write_rows
from openhcs_runtime.tables.schema import IMAGE_KEYS, WELL_KEYS, TableKind
from openhcs_runtime.tables.well_rows import ObjectMeans, well_rows


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
    return str(measurements), write_plate_tables(output_dir, job, parts, wells)


def write_plate_tables(
    run: Path, job: PlateJob, parts: Sequence[WellRecord], wells: Sequence[WellResult]
) -> tuple[str, ...]:
    """Write the tables of a plate, in place of those of an earlier attempt.

    Args:
        run: folder of the run.
        job: what the wells have in common.
        parts: the records of the complete wells, in plate order.
        wells: how each well ended.

    Returns:
        The names of the tables.

    Raises:
        OutputError: a table can't be written, its columns don't fit together, or the copy of the plate map can't be
            read.
    """
    remove_tables(run)
    measured = [image for part in parts for image in part.measured]
    tokens = channel_tokens((image.channel for image in measured), dict(job.channel_names))
    channels = {tokens[number]: number for number in sorted({image.channel for image in measured})}
    plate = PlateFacts(plate_name(job.plate_path), channels, run_plate_map(run))
    means = ObjectMeans()
    for table in object_tables(run, parts, plate):
        write_object_table(run, table, means.add)
    images, measures = image_rows(measured, {name for part in parts for name in part.without_channel}, tokens)
    if images:
        write_rows(run, IMAGES, TableKind.IMAGES, IMAGE_KEYS, images, measures, plate)
    of_wells, measures = well_rows(wells, images, measures, means)
    write_rows(run, WELLS, TableKind.WELLS, WELL_KEYS, of_wells, measures, plate)
    names = table_names(run)
    for name in names if job.csv else ():
        write_csv(run, name)
    return names


def plate_name(path: str) -> str:
    """Return the name of a plate, which is that of its folder or the last part of its URL."""
    return PurePath(path.rstrip("/\\").replace("\\", "/")).name or path


def _measures(job: PlateJob) -> bool:
    return any(
        OutputKind.MEASUREMENTS in traits_of(call.function).outputs
        for step in job.steps
        for chain in step.branches().values()
        for call in chain
    )
