"""What a change of the last of four steps costs, compared with a run of that step alone over the images of the plate.

The first run keeps the third step. Each later run has another argument in the fourth one, and is compared with a run
whose pipeline is only that step.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import figures
from figures import Figure, Side

from openhcs_runtime import FunctionStep, GlobalConfig, PipelineConfig, PipelineOrchestrator, make_plate
from openhcs_runtime.functions import denoise, segment_nuclei, subtract_background, subtract_gaussian
from openhcs_runtime.results import PlateResult

FIRST = (FunctionStep(subtract_background), FunctionStep(denoise), FunctionStep(segment_nuclei, keep=True))


def main() -> int:
    """Measure, and return 1 if the limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wells", type=int, default=96, help="wells of the plate [default: 96]")
    parser.add_argument("--size", type=int, default=1024, help="edge length of an image [default: 1024]")
    parser.add_argument("--repeat", type=int, default=3, help="number of changes [default: 3]")
    with figures.report(parser) as (options, report), tempfile.TemporaryDirectory(prefix="reuse") as home:
        plate = make_plate(Path(home) / "plate", wells=options.wells, sites=2, channels=1, size=options.size, seed=1)
        whole, _ = run(plate, [*FIRST, last(0)])
        print(f"first run of {options.wells} wells: {whole:.1f} s", flush=True)
        pairs = [pair(plate, number) for number in range(1, options.repeat + 1)]
        changed, alone = (statistics.median(column) for column in zip(*pairs, strict=True))
        name = "run with only the last of four steps changed"
        report.tell(Figure(name, changed, "s"))
        report.tell(Figure(name, alone, "s", Side.FLOOR, "a run of that step alone", bar=1 / 1.1))
    return int(report.missed > 0)


def last(number: int) -> FunctionStep:
    """Return the fourth step, with an argument that differs."""
    return FunctionStep((subtract_gaussian, {"sigma_px": 30 + number / 100}))


def pair(plate: Path, number: int) -> tuple[float, float]:
    """Return the seconds of a run with another last step, and of a run of that step alone."""
    changed, result = run(plate, [*FIRST, last(number)])
    assert all(well.reused_steps == len(FIRST) for well in result.wells)
    alone, _ = run(plate, [last(number)])
    print(f"changed: {changed:.2f} s, that step alone {alone:.2f} s", flush=True)
    return changed, alone


def run(plate: Path, steps: Sequence[FunctionStep]) -> tuple[float, PlateResult]:
    """Run a pipeline in two processes, and return the seconds that it took."""
    with PipelineOrchestrator(plate, steps, GlobalConfig(num_workers=2), PipelineConfig()) as orchestrator:
        begin = time.perf_counter()
        result = orchestrator.run()
        return time.perf_counter() - begin, result


if __name__ == "__main__":
    sys.exit(main())
