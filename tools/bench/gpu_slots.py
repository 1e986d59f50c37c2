"""How busy a GPU is that several workers share, for wells with 0.2 s on the GPU and 0.2 s on the CPU.

The GPU is only named, and the work only waits, so that the figures show the engine: how soon the next well gets the
GPU after the one before. Wells whose times on the GPU overlap are counted; there must be none.
"""

import argparse
import itertools
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import figures
from figures import Figure, Report

from openhcs_runtime import ExecutionMode, GlobalConfig, PipelineConfig, PipelineOrchestrator, load_pipeline, make_plate

SECONDS = 0.2
PIPELINE = """
import pathlib, time
from openhcs_runtime import FunctionStep

def infer(stack):
    begun = time.time()
    time.sleep({seconds})
    with open({times!r}, "a") as file:
        file.write(f"{{begun}} {{time.time()}}\\n")
    return stack

def post(stack):
    time.sleep({seconds})
    return stack

pipeline_steps = [FunctionStep(infer, gpu=1), FunctionStep(post)]
"""


@dataclass(frozen=True)
class Use:
    """What part of the time between the first and the last well a GPU was busy, and how many wells overlapped."""

    busy_percent: float
    overlaps: int


def main() -> int:
    """Run the modes that were named; return 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wells", type=int, default=48, help="wells of the plate [default: 48]")
    parser.add_argument("--workers", type=int, default=8, help="workers that share the GPU [default: 8]")
    parser.add_argument("--modes", default="processes,threads,dask", help="[default: processes,threads,dask]")
    with figures.report(parser) as (options, report), tempfile.TemporaryDirectory(prefix="gs") as folder:
        os.environ["HOME"] = folder
        plate = make_plate(Path(folder) / "plate", wells=options.wells, sites=1, channels=1, size=64)
        for mode in map(ExecutionMode, options.modes.split(",")):
            tell(report, mode, options.workers, used(plate, Path(folder), mode, options.workers))
        return int(report.missed > 0)


def tell(report: Report, mode: ExecutionMode, workers: int, use: Use) -> None:
    """Tell what was measured; only the default mode has a limit for the time."""
    name = f"GPU shared by {workers} workers, {mode}"
    bar = 90.0 if mode is ExecutionMode.PROCESSES else None
    report.tell(Figure(f"{name}: busy", use.busy_percent, "%", bar=bar, higher_is_better=True))
    report.tell(Figure(f"{name}: wells at the same time as another", use.overlaps, "", bar=0))


def used(plate: Path, folder: Path, mode: ExecutionMode, workers: int) -> Use:
    """Run the pipeline, and return how its wells used the GPU."""
    times = folder / f"{mode}.txt"
    pipeline = load_pipeline(PIPELINE.format(seconds=SECONDS, times=str(times)))
    settings = GlobalConfig(num_workers=workers, mode=mode, gpus="0")
    config = PipelineConfig(output_dir=str(folder / mode))
    with PipelineOrchestrator(plate, pipeline, settings, config) as orchestrator:
        orchestrator.run()
    spans = sorted((float(begun), float(ended)) for begun, ended in map(str.split, times.read_text().splitlines()))
    busy = sum(ended - begun for begun, ended in spans)
    overlaps = sum(second[0] < first[1] for first, second in itertools.pairwise(spans))
    return Use(100 * busy / (spans[-1][1] - spans[0][0]), overlaps)


if __name__ == "__main__":
    sys.exit(main())
