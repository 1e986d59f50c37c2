"""Take the picture of the numbers pane for the documentation: a gate with its gallery, and a screen.

    python tools/pictures/picture_numbers.py [FOLDER]

The plate is made and run for it. Runs without a screen.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import qasync  # type: ignore[import-untyped]
import tifffile
from PyQt6.QtWidgets import QApplication

from openhcs_gui_services.services.numbers.gates import GateStore, RectangleGate
from openhcs_gui_services.widgets.numbers.pane import NumbersPane
from openhcs_runtime import (
    Component,
    ExecutionMode,
    FunctionStep,
    GlobalConfig,
    PipelineOrchestrator,
    make_plate,
    open_plate,
)
from openhcs_runtime.functions import measure_intensity, measure_objects, segment_nuclei
from openhcs_runtime.outputs.runs import find_run

ROOT = Path(__file__).resolve().parents[2]
DOSES = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)
KINDS = {1: "negative", 2: "negative", 11: "positive", 12: "positive"}


def main() -> int:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs" / "images")
    folder: Path = parser.parse_args().folder
    application = QApplication(sys.argv[:1])
    application.setStyle("Fusion")
    loop = qasync.QEventLoop(application)
    loop.set_default_executor(ThreadPoolExecutor(4))
    asyncio.set_event_loop(loop)
    with tempfile.TemporaryDirectory() as home:
        loop.run_until_complete(take(folder, run_screen(Path(home)), Path(home)))
    loop.close()
    return 0


def run_screen(home: Path) -> Path:
    """Run a plate with controls and two compounds, one of which dims nuclei; returns the folder of the run."""
    plate = make_plate(home / "screen", wells=24, sites=2, size=512, channels=2)
    opened, lines = open_plate(plate), ["well,compound,dose,dose_unit,control"]
    for well in opened.wells:
        column = int(well[1:])
        kind = KINDS.get(column, "")
        dose = 0 if kind else DOSES[column - 3]
        compound = {"negative": "DMSO", "positive": "killer"}.get(kind, "acid" if well[0] == "A" else "base")
        lines.append(f"{well},{compound},{dose},uM,{kind}")
        left = {"DMSO": 1, "base": 1, "killer": 0.2, "acid": 1 - 0.8 * dose / (dose + 1)}[compound]
        for image in opened.images[well]:
            tifffile.imwrite(image.path, (tifffile.imread(image.path) * left).astype("uint16"))
    (plate / "platemap.csv").write_text("\n".join(lines))
    Path(opened.images["B07"][0].path).write_bytes(b"II*\0")
    steps = [
        FunctionStep({1: segment_nuclei}, group_by=Component.CHANNEL),
        FunctionStep({1: measure_objects, 2: measure_intensity}, group_by=Component.CHANNEL),
    ]
    with PipelineOrchestrator(plate, steps, GlobalConfig(2, ExecutionMode.THREADS)) as orchestrator:
        orchestrator.run()
    return find_run(plate).run.folder


async def take(folder: Path, run: Path, home: Path) -> None:
    """Show the run, draw a gate, and take pictures of the plot and of the screen."""
    pane = NumbersPane(GateStore(home / "gates"))
    pane.resize(560, 760)
    pane.show()
    pane.show_run(run, "screen")
    await pane.settle()
    pane.tabs.setCurrentWidget(pane.plot_tab)
    pane.plot_tab.colour.setCurrentIndex(1)
    gate = RectangleGate(
        name="Dim nuclei",
        table="nuclei",
        x="area_px2",
        y="intensity_mean_DAPI",
        x_low=220.0,
        x_high=620.0,
        y_low=180.0,
        y_high=520.0,
    )
    pane.plot_tab.add_gate(gate)
    await pane.settle()
    pane.grab().save(str(folder / "pane_numbers.png"))
    pane.choose_measure("nuclei: intensity mean, DAPI")
    pane.tabs.setCurrentWidget(pane.screen_tab)
    await asyncio.sleep(0.2)  # the choice settles
    await pane.settle()
    pane.grab().save(str(folder / "pane_screen.png"))
    pane.hide()
    await pane.close_work()


if __name__ == "__main__":
    sys.exit(main())
