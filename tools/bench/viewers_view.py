"""How long napari takes to show a plate of small images, and a well of it once it is open.

Makes a plate of 384 wells with two channels and labels, shows its 1,152 pictures, and then single wells as a click in
the window does. Needs napari and a screen; if DISPLAY is not set, use xvfb-run, which renders without a graphics card.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import figures
from figures import Figure, Report

from openhcs_runtime import GlobalConfig, PipelineConfig, PipelineOrchestrator, builtin_pipeline
from openhcs_runtime.plates import make_plate
from openhcs_runtime.tasks import OPENHCS_CONFIG
from openhcs_runtime.viewer_target import ViewTarget
from openhcs_runtime.viewers.napari import NapariProcessManager
from openhcs_runtime.viewers.results import find_pictures
from openhcs_runtime.viewers.showing import show_pictures

PORT = 5636
SIDE = 128
WELLS = ("A07", "B03", "H12", "P24", "A07")


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    with figures.report(parser) as (_, report), tempfile.TemporaryDirectory(prefix="vv") as home:
        os.environ["HOME"] = home
        results = run(Path(home))
        manager = NapariProcessManager(PORT, config=OPENHCS_CONFIG, persistent=False)
        manager.start(timeout=120)
        try:
            measure(results, report)
        finally:
            manager.stop()
    sys.exit(report.missed > 0)


def run(folder: Path) -> Path:
    """Run the pipeline of nuclei over a new plate, and return the folder with its results."""
    plate = make_plate(folder / "plate", wells=384, sites=1, size=SIDE)
    config = PipelineConfig(output_dir=str(folder / "results"))
    with PipelineOrchestrator(plate, builtin_pipeline(), GlobalConfig(), config) as orchestrator:
        orchestrator.run()
    return folder / "results"


def measure(results: Path, report: Report) -> None:
    """Show everything, and then wells."""
    target = ViewTarget(PORT, kind="napari")
    begin = time.perf_counter()
    shown = show_pictures(find_pictures(results), target)
    seconds = time.perf_counter() - begin
    clicks = []
    for well in WELLS:
        begin = time.perf_counter()
        show_pictures(find_pictures(results, wells=(well,), unfinished=True), target)
        clicks.append(time.perf_counter() - begin)
    report.tell(
        Figure(f"pictures of {SIDE} x {SIDE} pixels", shown.counts.displayed / seconds, "1/s", higher_is_better=True),
        Figure("all of them", seconds, "s", bar=10),
        Figure("a well in an open napari, median of 5", statistics.median(clicks), "s", bar=1),
    )


if __name__ == "__main__":
    main()
