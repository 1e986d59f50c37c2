"""How long an edit of a step takes to show in a preview of one site, next to a run of that site.

For each built-in step, a parameter is changed several times, and the seconds from the request to the result are taken.
The peer is a run of the same site from the beginning in the same minute, with workers that are ready. ``--window``
also measures how long a Qt loop is not served while previews are made.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import figures
import psutil
from figures import Figure, Side

from openhcs_runtime import GlobalConfig, PipelineConfig, PipelineOrchestrator, make_plate
from openhcs_runtime.engine.plate_run import RunChoice
from openhcs_runtime.pipeline.source import load_pipeline
from openhcs_runtime.preview import PreviewClient, PreviewRequest, PreviewResult

BAR_SECONDS = 1.0
_FRAME_SECONDS = 0.016


@dataclass(frozen=True)
class Case:
    """A step and the values that its parameter takes; ``VALUE`` stands for it in the source of the step."""

    step: str
    parameter: str
    values: Sequence[float]
    has_labels: bool = True


CASES = (
    Case("(segment_nuclei, {'diameter_px': VALUE})", "diameter", (18.0, 19.0, 20.0, 21.0, 22.0), False),
    Case("(segment_nuclei, {'diameter_px': 20.0, 'factor': VALUE})", "factor", (0.8, 0.9, 1.1, 1.2, 1.3), False),
    Case("(subtract_background, {'radius_px': VALUE})", "radius", (40.0, 60.0, 80.0, 100.0, 120.0)),
    Case("(subtract_rolling_ball, {'radius_px': VALUE})", "radius", (40.0, 60.0, 80.0)),
    Case("(subtract_gaussian, {'sigma_px': VALUE})", "sigma", (30.0, 40.0, 60.0)),
    Case("(subtract_tophat, {'radius_px': VALUE})", "radius", (10, 15, 20)),
    Case("(denoise, {'sigma_px': VALUE})", "sigma", (0.8, 1.2, 1.6)),
    Case("(denoise_median, {'radius_px': VALUE})", "radius", (1, 2, 3)),
    Case("(denoise_total_variation, {'weight': VALUE})", "weight", (0.05, 0.1, 0.2)),
    Case("[(threshold, {'factor': VALUE}), label_objects]", "factor", (0.7, 0.8, 0.9), False),
    Case("[(threshold_around, {'radius_px': VALUE}), split_touching]", "radius", (15, 25, 35), False),
    Case("(detect_spots, {'diameter_px': 4.0, 'min_snr': VALUE})", "least contrast", (5.0, 6.0, 7.0), False),
    Case("(expand_objects, {'distance_px': VALUE})", "distance", (3.0, 5.0, 8.0)),
    Case("(filter_objects, {'min_area_px': VALUE})", "area", (50, 100, 150)),
    Case("(segment_cells, {'factor': VALUE})", "factor", (0.5, 0.6, 0.7)),
    Case("(measure_texture, {'distance_px': VALUE})", "distance", (2, 3, 4)),
)


def main() -> int:
    """Measure, and return 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024, help="edge length of the image [default: 1024]")
    parser.add_argument("--repeat", type=int, default=2, help="how often the values are gone through [default: 2]")
    parser.add_argument("--only", default="", help="only the steps with this text in them")
    parser.add_argument("--window", action="store_true", help="also measure the stalls of a Qt loop (needs PyQt6)")
    with figures.report(parser) as (options, report), tempfile.TemporaryDirectory(prefix="preview") as home:
        plate = make_plate(Path(home) / "plate", wells=1, sites=1, channels=1, size=options.size, seed=1)
        cases = [case for case in CASES if options.only in case.step]
        client = PreviewClient()
        try:
            print(f"load {psutil.getloadavg()[0]:.1f}", flush=True)
            start = seconds_of(client, plate, source(cases[0], cases[0].values[0]))
            report.tell(Figure("first preview, with the start of its process", start, "s"))
            for case in cases:
                measure(client, plate, case, options.repeat, report)
        finally:
            client.close()
        if options.window:
            stalls(plate, cases[0], report)
    return int(report.missed > 0)


def source(case: Case, value: float) -> str:
    """Return a pipeline with the step, after a segmentation if it needs labels, and before a measurement."""
    step = case.step.replace("VALUE", repr(value))
    before = "FunctionStep((segment_nuclei, {'diameter_px': 20.0})), " if case.has_labels else ""
    makes_labels = case.has_labels or "segment" in step or "label_objects" in step or "split_touching" in step
    after = ", FunctionStep(measure_objects)" if makes_labels else ""
    return (
        "from openhcs_runtime import FunctionStep\n"
        "from openhcs_runtime.functions import *\n"
        f"pipeline_steps = [FunctionStep(max_projection, variable_components=('z_index',)), {before}"
        f"FunctionStep({step}){after}]\n"
    )


def measure(client: PreviewClient, plate: Path, case: Case, repeat: int, report: figures.Report) -> None:
    """Report median and 95th percentile of a step, and the run of the site beside them."""
    warm = case.values[0] + (0.0 if isinstance(case.values[0], float) else 6)
    seconds_of(client, plate, source(case, warm))
    edits = [
        (value, number) for number in range(repeat) for value in case.values if not number or isinstance(value, float)
    ]
    taken = sorted(seconds_of(client, plate, edited(case, value, number)) for value, number in edits)
    median, high = statistics.median(taken), taken[min(len(taken) - 1, round(0.95 * len(taken)))]
    whole = whole_seconds(plate, source(case, case.values[0]))
    name = f"edit of {case.step.partition('(')[2].partition(',')[0].strip('(')}, {case.parameter}"
    print(f"{name}: median {median:.3f} s, p95 {high:.3f} s, run {whole:.2f} s, {whole / median:.1f} times", flush=True)
    report.tell(Figure(name, median, "s"))
    report.tell(Figure(name, BAR_SECONDS, "s", Side.FLOOR, "a second", bar=1.0))


def edited(case: Case, value: float, number: int) -> str:
    """Return a pipeline with a value that was not tried before, so that nothing of the step is kept."""
    return source(case, value + 1e-4 * (number + 1) if isinstance(value, float) else value)


def seconds_of(client: PreviewClient, plate: Path, text: str) -> float:
    """Return how long a preview takes."""
    begin = time.perf_counter()
    result = client.ask(PreviewRequest(plate_path=str(plate), pipeline=text, well="A01")).result()
    checked(result)
    return time.perf_counter() - begin


def checked(result: PreviewResult) -> None:
    """Stop if a preview has failed, which would be fast."""
    if result.problem is not None:
        raise SystemExit(result.problem.text)


def whole_seconds(plate: Path, text: str) -> float:
    """Return how long a run of the site takes that begins with its images; the first of two warms the worker up."""
    config = PipelineConfig(results_dir=str(plate.parent / "results"))
    taken = 0.0
    with PipelineOrchestrator(plate, load_pipeline(text), GlobalConfig(num_workers=1), config) as orchestrator:
        for _ in range(2):
            begin = time.perf_counter()
            orchestrator.initialize()
            orchestrator.compile()
            orchestrator.execute(RunChoice(fresh=True))
            taken = time.perf_counter() - begin
    return taken


def stalls(plate: Path, case: Case, report: figures.Report) -> None:
    """Report how late a Qt loop serves a timer of one frame while a tuner makes previews."""
    import qasync  # type: ignore[import-untyped]  # noqa: PLC0415
    from PyQt6.QtWidgets import QApplication  # noqa: PLC0415

    app = QApplication.instance() or QApplication([])
    loop = qasync.QEventLoop(app)
    late = loop.run_until_complete(lateness(plate, case))
    loop.close()
    late.sort()
    report.tell(Figure("stalls of the window during previews, p99", 1000 * late[int(0.99 * len(late))], "ms"))
    print(f"frames {len(late)}, p99 {1000 * late[int(0.99 * len(late))]:.1f} ms, longest {1000 * late[-1]:.1f} ms")


async def lateness(plate: Path, case: Case) -> list[float]:
    """Return by how many seconds each frame was late."""
    from openhcs_gui_services.services.images.source import ImagePlace, PlateSource  # noqa: PLC0415
    from openhcs_gui_services.services.tuning.tuner import Tuner  # noqa: PLC0415
    from openhcs_gui_services.services.tuning.values import TuningRequest, TuningResult  # noqa: PLC0415

    done = asyncio.Event()
    tuner = Tuner(lambda event: done.set() if isinstance(event, TuningResult) else None)
    late: list[float] = []
    frames = asyncio.get_running_loop().create_task(tick(late))
    for value in case.values:
        tuner.ask(TuningRequest(PlateSource(str(plate)), source(case, value), "", ImagePlace("A01")))
        await done.wait()
        done.clear()
    frames.cancel()
    await tuner.close()
    return late


async def tick(late: list[float]) -> None:
    """Note by how much each frame is late."""
    while True:
        begin = time.perf_counter()
        await asyncio.sleep(_FRAME_SECONDS)
        late.append(max(0.0, time.perf_counter() - begin - _FRAME_SECONDS))


if __name__ == "__main__":
    sys.exit(main())
