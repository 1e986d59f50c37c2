"""Draw the image view with two wells next to each other: docs/images/images_pane.png.

    python tools/pictures/picture_images.py [--into docs/images] [--size 900x640]

Runs offscreen, on a plate with results that is made for it.
"""

import argparse
import asyncio
import os
import tempfile
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import qasync  # type: ignore[import-untyped]
from PyQt6.QtCore import QPointF
from PyQt6.QtWidgets import QApplication

from openhcs_gui_services import ImagesPane, PlateSource
from openhcs_runtime import ExecutionMode, GlobalConfig, PipelineOrchestrator
from openhcs_runtime.builtin import builtin_pipeline
from openhcs_runtime.plates import make_plate


def main() -> None:
    """Make plate and results, and draw them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=Path("docs/images"))
    parser.add_argument("--size", default="900x640")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    application = QApplication([])
    application.setStyle("Fusion")
    with tempfile.TemporaryDirectory(prefix="pi") as folder:
        plate = make_plate(Path(folder, "plate_01"), wells=6, sites=2, channels=2, size=512, seed=4)
        with PipelineOrchestrator(plate, builtin_pipeline(), GlobalConfig(1, ExecutionMode.THREADS)) as orchestrator:
            run = Path(orchestrator.run().output_dir)
        with asyncio.Runner(loop_factory=lambda: qasync.QEventLoop(application)) as runner:
            runner.run(draw(plate, run, options.into / "images_pane.png", width, height))


async def draw(plate: Path, run: Path, path: Path, width: int, height: int) -> None:
    """Show two wells with outlines, pick an object, and save what is seen."""
    pane = ImagesPane()
    pane.resize(width, height)
    pane.show()
    settled = asyncio.Event()
    pane.contrast_settled.connect(settled.set)
    pane.show_plate(PlateSource(str(plate)), run)
    await settled.wait()
    pane.compare(True)
    pane.show_well("A02")
    while not pane.view.sets or pane.pinned is None or not pane.pinned.sets:
        await asyncio.sleep(0.05)
    labels = pane.view.sets["nuclei"].labels
    rows, columns = np.nonzero(labels == labels.max() // 2)
    pane.view.canvas.clicked.emit(QPointF(float(columns.mean()), float(rows.mean())))
    await asyncio.sleep(3)
    pane.grab().save(str(path))
    print(path)
    await pane.close_reads()


if __name__ == "__main__":
    main()
