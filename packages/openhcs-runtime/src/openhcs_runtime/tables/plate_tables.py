"""Writes the tables of a plate when its wells have ended: objects by set, images, wells."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from openhcs_runtime.atomic import writing_to
from openhcs_runtime.outputs.runs import plate_name
from openhcs_runtime.outputs.wells import WellRecord
from openhcs_runtime.pipeline.decorators import OutputKind, traits_of
from openhcs_runtime.pipeline.plan import PlateJob
from openhcs_runtime.results import WellResult
from openhcs_runtime.tables.columns import channel_tokens, column_of
from openhcs_runtime.tables.csv_copy import write_csv
from openhcs_runtime.tables.image_rows import image_rows
from openhcs_runtime.tables.join import ObjectTable, object_tables, write_object_table
from openhcs_runtime.tables.map_columns import MapColumn, PlateFacts, map_columns
from openhcs_runtime.tables.measurements import write_measurements
from openhcs_runtime.tables.places import IMAGES, WELLS, remove_tables, run_plate_map, table_names
from openhcs_runtime.tables.rows import write_rows
from openhcs_runtime.tables.schema import IMAGE_KEYS, OBJECT_KEYS, WELL_KEYS, Measure, TableKind
from openhcs_runtime.tables.well_rows import OWN_COLUMNS, ObjectMeans, mean_columns, well_rows

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WrittenTables:
    """The tables of a plate on disk.

    Attributes:
        measurements: path of ``measurements.csv``; empty if the pipeline measures nothing.
        names: names of the other tables.
        problem: why some of them could not be written; empty if all are.
    """

    measurements: str = ""
    names: tuple[str, ...] = ()
    problem: str = ""


def write_tables(run: Path, job: PlateJob, parts: Iterable[WellRecord], wells: Sequence[WellResult]) -> WrittenTables:
    """Write ``measurements.csv`` and the tables of objects, images and wells, in place of those of an earlier attempt.

    A table that can't be made does not prevent the others.

    Args:
        run: folder of the run.
        job: what the wells have in common.
        parts: the records of the complete wells, in plate order.
        wells: how each well ended.

    Raises:
        OutputError: a file can't be written, or the copy of the plate map can't be read.
    """
    parts = list(parts)
    measurements = run / "measurements.csv"
    remove_tables(run)
    if not _measures(job):
        with writing_to(measurements):
            measurements.unlink(missing_ok=True)
        return WrittenTables()
    write_measurements(measurements, parts)
    problems = _write_plate_tables(run, job, parts, wells)
    names = table_names(run)
    for name in names if job.csv else ():
        write_csv(run, name)
    return WrittenTables(str(measurements), names, "; ".join(problems))


def _write_plate_tables(
    run: Path, job: PlateJob, parts: Sequence[WellRecord], wells: Sequence[WellResult]
) -> Sequence[str]:
    """Write all tables but the measurements; return what is wrong with those that can't be written."""
    measured = [image for part in parts for image in part.measured]
    tokens = channel_tokens((image.channel for image in measured), dict(job.channel_names))
    images, measures = image_rows(measured, {name for part in parts for name in part.without_channel}, tokens)
    tables, problems = object_tables(run, parts)
    columns = _map_columns(run, tables, measures)
    channels = {tokens[number]: number for number in sorted({image.channel for image in measured})}
    plate = PlateFacts(plate_name(job.plate_path), channels, columns)
    means = ObjectMeans()
    for table in tables:
        write_object_table(run, replace(table, plate=plate), means.add)
    if images:
        write_rows(run, IMAGES, TableKind.IMAGES, IMAGE_KEYS, images, measures, plate)
    of_wells, measures = well_rows(wells, images, measures, means)
    write_rows(run, WELLS, TableKind.WELLS, WELL_KEYS, of_wells, measures, plate)
    return problems


def _map_columns(run: Path, tables: Iterable[ObjectTable], images: Mapping[str, Measure]) -> tuple[MapColumn, ...]:
    """Return the columns of the plate map, which have the same names in all tables."""
    taken = {*OBJECT_KEYS, *OWN_COLUMNS, *images}
    for table in tables:
        taken.update(table.measures)
        taken.update(map(column_of, mean_columns(table).values()))
    columns = map_columns(run_plate_map(run), taken)
    for column in columns:
        if column.name != column.source:
            _log.warning(
                "column %s of the plate map is named %s in the tables, which have another column of that name",
                column.source,
                column.name,
            )
    return columns


def _measures(job: PlateJob) -> bool:
    return any(
        OutputKind.MEASUREMENTS in traits_of(call.function).outputs
        for step in job.steps
        for chain in step.branches().values()
        for call in chain
    )
