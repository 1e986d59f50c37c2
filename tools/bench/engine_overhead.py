"""What the pipeline engine costs over a hand-written loop that calls the same functions.

    python tools/bench/engine_overhead.py [--wells 96] [--repeat 3] [--no-dask] [--size 1024] [--workers 2]
        [--start-method fork]

Both count nuclei on the same synthetic plate with the same number of worker processes, call the same functions and
write the same label images and tables. The loop is a `ProcessPoolExecutor` with one task per well and plain file
writes. The two alternate, and each run starts and ends its own worker processes. The loop uses the start method of the
engine unless `--start-method` is given; with fork servers, both fork from a process that has the libraries loaded. A
third run uses the same engine on a local Dask cluster, which is also started and ended for each run. Prints what each
does, the medians and their ratios to the loop; the exit code is 1 if a ratio is above its limit.
"""

import argparse
import csv
import functools
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import figures
import numpy as np
import threadpoolctl
import tifffile
from figures import Figure, Report, Side

from openhcs_runtime import (
    GlobalConfig,
    PipelineConfig,
    PipelineOrchestrator,
    builtin_pipeline,
    make_plate,
)
from openhcs_runtime.engine.executors import warm_up
from openhcs_runtime.engine.executors.processes import NANNY
from openhcs_runtime.functions import check_nuclei, max_projection, measure_objects, segment_nuclei, subtract_background
from openhcs_runtime.pipeline.cells import as_table
from openhcs_runtime.tables.read import open_results

PIXEL_SIZE_UM = 0.65
Rows = list[tuple[object, ...]]
KEY = ("well", "site", "channel", "z_index", "timepoint")
NOTES = """
loop    starts workers by {method}, one linear algebra thread each; writes label images, measurements.csv and
        a table of objects as CSV; without progress, cancelling, checks, fsync or protection against half-written files
engine  starts workers by forkserver where available, else spawn, one thread each; writes the same and one table part
        per well, with fsync; checks plate and pipeline, reports each pattern group and can be cancelled there
dask    the same on a local Dask cluster with its own key, including its start and end
""".strip()


def main() -> int:
    """Run all in turns and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--wells", type=int, default=96)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--bar", type=float, default=1.05)
    parser.add_argument("--dask-bar", type=float, default=1.15)
    parser.add_argument("--no-dask", action="store_true", help="skip the run on a local Dask cluster")
    methods = multiprocessing.get_all_start_methods()
    same = "forkserver" if "forkserver" in methods else "spawn"
    parser.add_argument(
        "--start-method",
        choices=methods,
        default=same,
        help="start method of the loop's workers [default: that of the engine]",
    )
    with figures.report(parser) as (options, report):
        seconds = in_turns(options)
        print(f"{options.wells} wells, 2 sites of {options.size} pixels, {options.workers} workers")
        print(NOTES.format(method=options.start_method))
        if hasattr(os, "getloadavg"):
            print(f"load average over the last minute: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        bars = {"engine": options.bar, "dask": options.dask_bar}
        ways = {"engine": "processes", "dask": "a local Dask cluster"}
        for name in [name for name in seconds if name != "loop"]:
            tell(report, f"plate of {options.wells} wells on {ways[name]}", seconds[name], seconds["loop"], bars[name])
    return int(report.missed > 0)


def in_turns(options: argparse.Namespace) -> dict[str, list[float]]:
    """Return the seconds that each took, in order of the turns."""
    warm_up(NANNY)  # the process that workers are forked from, also those of the loop
    with tempfile.TemporaryDirectory() as folder:
        plate = make_plate(Path(folder) / "plate", wells=options.wells, size=options.size)
        contenders: dict[str, Callable[[Path], None]] = {
            "loop": lambda output: run_loop(plate, output, options.workers, options.start_method),
            "engine": lambda output: run_engine(plate, output, GlobalConfig(options.workers)),
        }
        if not options.no_dask:
            contenders["dask"] = lambda output: run_engine(plate, output, GlobalConfig(options.workers, dask="local"))
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for turn in range(options.repeat + 1):
            for name, run in contenders.items():
                started = time.perf_counter()
                run(Path(folder) / f"{name}{turn}")
                if turn:  # the first turn fills caches
                    seconds[name].append(time.perf_counter() - started)
        for name in [name for name in contenders if name != "loop"]:
            check_equal(Path(folder) / "loop0", Path(folder) / f"{name}0")
    return seconds


def tell(report: Report, what: str, times: list[float], loop: list[float], bar: float) -> None:
    """Report the time, and that of the loop as its reference."""
    spread = f"{min(times):.2f} to {max(times):.2f} s"
    pairs = statistics.median(mine / other for mine, other in zip(times, loop, strict=True))
    report.tell(
        Figure(what, statistics.median(times), "s", note=spread),
        Figure(
            what,
            statistics.median(loop),
            "s",
            Side.FLOOR,
            "ProcessPoolExecutor, by hand",
            bar=1 / bar,
            note=f"paired ratio of times {pairs:.3f}",
        ),
    )


def run_engine(plate: Path, output: Path, config: GlobalConfig) -> None:
    """Run the engine, from opening the plate to the end of its workers."""
    with PipelineOrchestrator(plate, builtin_pipeline(), config, PipelineConfig(str(output))) as orchestrator:
        result = orchestrator.run()
    if result.status != "complete":
        raise SystemExit(f"the engine ended {result.status}: {result.wells[0].error}")


def run_loop(plate: Path, output: Path, workers: int, start_method: str) -> None:
    """Run the hand-written loop."""
    (output / "labels").mkdir(parents=True, exist_ok=True)
    images: dict[str, list[Path]] = {}
    for path in sorted((plate / "TimePoint_1").glob("*_w1.tif")):
        images.setdefault(path.stem.split("_")[1], []).append(path)
    context = multiprocessing.get_context(start_method)
    one_thread = functools.partial(threadpoolctl.threadpool_limits, 1)
    with ProcessPoolExecutor(workers, context, one_thread) as pool:
        results = list(pool.map(count_well, images, images.values(), [output] * len(images)))
    write_csv(output / "measurements.csv", results[0][0][0], [row for _, rows, _ in results for row in rows])
    write_csv(output / "objects.csv", results[0][0][1], [row for _, _, rows in results for row in rows])


def count_well(well: str, paths: list[Path], output: Path) -> tuple[tuple[list[str], list[str]], Rows, Rows]:
    """Process all sites of one well; return the columns and rows of both tables."""
    header: tuple[list[str], list[str]] = ([], [])
    measured: Rows = []
    objects: Rows = []
    for site, path in enumerate(paths, start=1):
        stack = max_projection(tifffile.imread(path)[np.newaxis])
        _, labels = segment_nuclei(stack, pixel_size_um=PIXEL_SIZE_UM)
        _, (doubts,) = check_nuclei(stack, labels=labels, pixel_size_um=PIXEL_SIZE_UM)
        tifffile.imwrite(
            output / "labels" / f"{well}_s{site}_w1.tif", labels[0].astype(np.uint16), compression="zlib", metadata=None
        )
        corrected = subtract_background(stack, radius_px=200.0)
        _, (values,) = measure_objects(corrected, labels=labels, pixel_size_um=PIXEL_SIZE_UM, name="nuclei")
        table = as_table(values.objects)
        counts = {column: value for column, value in values.summary.items() if column.endswith("_count")}
        summary = {**counts, **doubts.summary, **values.summary}
        header = ([*KEY, *summary], [*KEY, "objects", *table])
        measured.append((well, site, 1, 1, 1, *summary.values()))
        objects.extend(
            (well, site, 1, 1, 1, *row) for row in zip(*(column.cells for column in table.values()), strict=True)
        )
    return header, measured, objects


def write_csv(path: Path, header: list[str], rows: Rows) -> None:
    """Write a table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def check_equal(loop: Path, engine: Path) -> None:
    """Check that both have written the same."""
    ours, theirs = (
        list(csv.reader((folder / "measurements.csv").read_text(encoding="utf-8").splitlines()))
        for folder in (engine, loop)
    )
    if ours[0] != theirs[0] or [row[:5] for row in ours] != [row[:5] for row in theirs]:
        raise SystemExit("measurements.csv differs")
    found = open_results(engine).arrow("nuclei", ["well", "site", "label", "area_px2"])
    with (loop / "objects.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            (row["well"], int(row["site"]), int(row["label"]), int(row["area_px2"])) for row in csv.DictReader(file)
        ]
    if list(zip(*(column.to_pylist() for column in found.columns), strict=True)) != rows:
        raise SystemExit("the objects differ")
    for path in sorted((loop / "labels").iterdir()):
        if not np.array_equal(tifffile.imread(path), tifffile.imread(engine / "labels" / path.name)):
            raise SystemExit(f"{path.name} differs")


if __name__ == "__main__":
    sys.exit(main())
