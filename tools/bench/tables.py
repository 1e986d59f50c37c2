"""How long the tables of objects of a plate take to write, well by well, and to join into one file.

    python tools/bench/tables.py [--objects N] [--columns N] [--wells N]

By default 757,000 objects with 1,000 columns in 384 wells, as two worker processes write them: 70 % of the columns have
full float64 precision, 20 % that of float32, 5 % are whole numbers as floats and 5 % counts. The time that making the
numbers takes does not count. Prints the results with their limits; the exit code is 1 if one is missed.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import figures
import numpy as np
import pyarrow.parquet  # noqa: F401  so that importing it is not measured
from figures import Figure, Report

from openhcs_runtime.outputs.wells import WellTable
from openhcs_runtime.pipeline.cells import Column, ColumnKind
from openhcs_runtime.tables.join import ObjectTable, write_object_table
from openhcs_runtime.tables.map_columns import PlateFacts
from openhcs_runtime.tables.places import table_path
from openhcs_runtime.tables.schema import Measure
from openhcs_runtime.tables.well_rows import ObjectMeans
from openhcs_runtime.tables.well_tables import SetTable, read_well_schema, write_well_table
from openhcs_runtime.wells import well_name

CORES = 2
TOTAL_SECONDS, JOIN_BYTES = 60.0, 2_000_000_000
_PLATE_COLUMNS = 24


@dataclass(frozen=True)
class Size:
    """The size of the table."""

    objects: int
    columns: int
    wells: int

    @property
    def objects_of_well(self) -> int:
        """Objects in each well, rounded."""
        return max(1, round(self.objects / self.wells))

    @property
    def raw_bytes(self) -> int:
        """Bytes of the values in memory."""
        return self.objects_of_well * self.wells * self.columns * 8


def main() -> int:
    """Write the tables of wells, and join them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=757_000, help="objects of the plate [default: 757000]")
    parser.add_argument("--columns", type=int, default=1000, help="measures of each object [default: 1000]")
    parser.add_argument("--wells", type=int, default=384, help="wells of the plate [default: 384]")
    with figures.report(parser) as (options, report), tempfile.TemporaryDirectory(prefix="tables") as folder:
        measure(Path(folder), Size(options.objects, options.columns, options.wells), report)
    return int(report.missed > 0)


def measure(run: Path, size: Size, report: Report) -> None:
    """Write and join tables of a size."""
    (run / "wells").mkdir()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(CORES, mp_context=context) as pool:
        jobs = [pool.submit(write_well, run, number, size) for number in range(size.wells)]
        took = [job.result() for job in jobs]
        written, busy = (sum(seconds) / CORES for seconds in zip(*took, strict=True))
    of_wells = sum(path.stat().st_size for path in (run / "wells").iterdir())
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        joined, computed, peak = pool.submit(join, run, size).result()
    of_plate = table_path(run, "nuclei").stat().st_size
    what = f"{size.objects:,} objects x {size.columns:,} columns"
    report.tell(Figure(f"{what}: tables of {size.wells} wells, {CORES} processes", written, "s"))
    report.tell(Figure(f"{what}: join", joined, "s"))
    report.tell(Figure(f"{what}: both", written + joined, "s", bar=TOTAL_SECONDS))
    report.tell(Figure(f"{what}: both, computing", busy + computed, "s", note="the rest is waiting"))
    report.tell(Figure(f"{what}: peak memory of the join", peak / 1e6, "MB", bar=JOIN_BYTES / 1e6))
    report.tell(Figure(f"{what}: files of wells", of_wells / size.raw_bytes, "x", note="of the size in memory"))
    report.tell(Figure(f"{what}: file of the plate", of_plate / size.raw_bytes, "x", note="of the size in memory"))


def write_well(run: Path, number: int, size: Size) -> tuple[float, float]:
    """Write the table of a well; returns the seconds that it took, and those of computing."""
    labels, columns = tuple(range(1, size.objects_of_well + 1)), list(columns_of(number, size))
    begun, idle = time.perf_counter(), time.process_time()
    table = SetTable("nuclei", "DAPI", {(1, 1, 1): labels})
    for name, column in columns:
        table.add((1, 1, 1), labels, name, Measure(measure=name), column)
    found: WellTable = write_well_table(run, name_of(number), table)
    assert found.rows == len(labels)
    return time.perf_counter() - begun, time.process_time() - idle


def columns_of(number: int, size: Size) -> Iterator[tuple[str, Column]]:
    """Yield name and values of each column."""
    random, rows = np.random.default_rng(number), size.objects_of_well
    for place in range(size.columns):
        match place % 20:
            case kind if kind < 14:
                yield f"m{place}", Column(ColumnKind.FLOAT, random.lognormal(3, 1, rows))
            case kind if kind < 18:
                single = random.lognormal(3, 1, rows).astype(np.float32)
                yield f"m{place}", Column(ColumnKind.FLOAT, single.astype(np.float64))
            case 18:
                yield f"m{place}", Column(ColumnKind.FLOAT, random.normal(2000, 300, rows).round())
            case _:
                yield f"m{place}_count", Column(ColumnKind.INT, random.integers(0, 30, rows))


def join(run: Path, size: Size) -> tuple[float, float, int]:
    """Join the tables of the wells; returns the seconds it took, those of computing, and the peak memory in bytes."""
    parts = tuple(
        (name_of(number), run / "wells" / f"{name_of(number)}.nuclei.DAPI.parquet") for number in range(size.wells)
    )
    begun, idle = time.perf_counter(), time.process_time()
    described = read_well_schema(parts[0][1])
    table = ObjectTable("nuclei", described.measures, described.kinds, parts, PlateFacts("plate", {"DAPI": 1}))
    write_object_table(run, table, ObjectMeans().add)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return time.perf_counter() - begun, time.process_time() - idle, peak if sys.platform == "darwin" else peak * 1024


def name_of(number: int) -> str:
    """Return the name of a well by its number."""
    return well_name(*divmod(number, _PLATE_COLUMNS))


if __name__ == "__main__":
    sys.exit(main())
