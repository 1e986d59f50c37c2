"""What the pipeline engine costs over a hand-written loop that calls the same functions.

    python tools/bench/engine_overhead.py [--wells 24] [--repeat 7] [--size 512] [--workers 2] [--bar 1.1]

Both count nuclei on the same made plate with as many worker processes and write the same label images and tables. The
loop is a `ProcessPoolExecutor` with one task per well and plain file writes: no progress, no cancelling, no checks, no
atomic files. They take turns; each run of either starts and ends its own worker processes. Prints both medians and
their ratio; the exit code is 1 when the ratio is above the bar.
"""

import argparse
import csv
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import tifffile

from openhcs_runtime import (
    ExecutionMode,
    GlobalConfig,
    PipelineConfig,
    PipelineOrchestrator,
    builtin_pipeline,
    make_plate,
)
from openhcs_runtime.functions import denoise, max_projection, measure_objects, segment_nuclei, subtract_background

PIXEL_SIZE_UM = 0.65
Rows = list[tuple[object, ...]]


def main() -> int:
    """Run both in turns and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--wells", type=int, default=24)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--bar", type=float, default=1.1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plate = make_plate(Path(folder) / "plate", wells=options.wells, size=options.size)
        contenders: dict[str, Callable[[Path], None]] = {
            "loop": lambda output: run_loop(plate, output, options.workers),
            "engine": lambda output: run_engine(plate, output, options.workers),
        }
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for turn in range(options.repeat + 1):
            for name, run in contenders.items():
                started = time.perf_counter()
                run(Path(folder) / f"{name}{turn}")
                if turn:  # the first turn fills caches
                    seconds[name].append(time.perf_counter() - started)
        check_equal(Path(folder) / "loop0", Path(folder) / "engine0")
    loop, engine = (statistics.median(seconds[name]) for name in contenders)
    print(f"{options.wells} wells, 2 sites of {options.size} pixels, {options.workers} workers, {options.repeat} turns")
    print(f"hand-written loop  {loop:.3f} s  ({min(seconds['loop']):.3f} to {max(seconds['loop']):.3f})")
    print(f"engine             {engine:.3f} s  ({min(seconds['engine']):.3f} to {max(seconds['engine']):.3f})")
    pairs = statistics.median(mine / other for mine, other in zip(seconds["engine"], seconds["loop"], strict=True))
    print(f"ratio              {engine / loop:.3f}  (bar {options.bar}; median of the ratios turn by turn {pairs:.3f})")
    return int(engine / loop > options.bar)


def run_engine(plate: Path, output: Path, workers: int) -> None:
    """The engine, from opening the plate to the end of its workers."""
    config = GlobalConfig(num_workers=workers, mode=ExecutionMode.PROCESSES)
    with PipelineOrchestrator(plate, builtin_pipeline(), config, PipelineConfig(str(output))) as orchestrator:
        result = orchestrator.run()
    if result.status != "complete":
        raise SystemExit(f"the engine ended {result.status}: {result.wells[0].error}")


def run_loop(plate: Path, output: Path, workers: int) -> None:
    """What one would write by hand."""
    (output / "labels").mkdir(parents=True, exist_ok=True)
    images: dict[str, list[Path]] = {}
    for path in sorted((plate / "TimePoint_1").glob("*_w1.tif")):
        images.setdefault(path.stem.split("_")[1], []).append(path)
    with ProcessPoolExecutor(workers) as pool:
        results = list(pool.map(count_well, images, images.values(), [output] * len(images)))
    write_csv(output / "measurements.csv", [row for rows, _ in results for row in rows])
    write_csv(output / "objects.csv", [row for _, rows in results for row in rows])


def count_well(well: str, paths: list[Path], output: Path) -> tuple[Rows, Rows]:
    """All sites of one well."""
    measured: Rows = []
    objects: Rows = []
    for site, path in enumerate(paths, start=1):
        stack = max_projection(tifffile.imread(path)[np.newaxis])
        stack = denoise(subtract_background(stack))
        _, labels = segment_nuclei(stack)
        tifffile.imwrite(
            output / "labels" / f"{well}_s{site}_w1.tif", labels[0].astype(np.uint16), compression="zlib", metadata=None
        )
        _, (values,) = measure_objects(stack, labels=labels, pixel_size_um=PIXEL_SIZE_UM, name="nuclei")
        measured.append((well, site, 1, 1, 1, *values.summary.values()))
        columns = (column.tolist() for column in values.objects.values())
        objects.extend((well, site, 1, 1, 1, *row) for row in zip(*columns, strict=True))
    return measured, objects


def write_csv(path: Path, rows: Rows) -> None:
    """A table without a header."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def check_equal(loop: Path, engine: Path) -> None:
    """Both must have found the same."""
    for path in sorted((loop / "labels").iterdir()):
        if not np.array_equal(tifffile.imread(path), tifffile.imread(engine / "labels" / path.name)):
            raise SystemExit(f"{path.name} differs")


if __name__ == "__main__":
    sys.exit(main())
