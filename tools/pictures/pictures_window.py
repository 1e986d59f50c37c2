"""Take pictures of the whole window with each of its panes, in four sizes, light and dark, to be looked at.

    python tools/pictures/pictures_window.py FOLDER [--size 1024x700] [--colours dark] [--keep HOME]

The window shows real plates in a home folder of its own: one with finished results, a plate map and controls, one with
a damaged and a missing image, one that has not been run. Runs without a screen. With --keep, plates and results are
made only once. QT_SCALE_FACTOR=2 and QT_FONT_DPI=144 work as usual.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import qasync  # type: ignore[import-untyped]
from PyQt6.QtCore import QSettings, QTimer
from PyQt6.QtWidgets import QApplication

from openhcs_gui_services import MainWindow, PipelinePane
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.widgets.common.theme import Theme
from openhcs_gui_services.widgets.plates.map_look import MapLook
from openhcs_gui_services.widgets.tuning.strip import TuningStrip
from openhcs_gui_services.window.panes import IMAGES, PIPELINE, WindowPanes
from openhcs_runtime.builtin import builtin_source
from openhcs_runtime.plates import make_plate

SIZES = ("1024x700", "1280x860", "1920x1080", "2560x1440")
PORT = 7895
SETTLE_MS = 1500
LONG_NAME = "Screen_2026-11-29_Wirkstoffbibliothek_Nachkontrolle_Wiederholung_03"
MAP = "well,compound,dose,dose_unit,control\n"


def main() -> int:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder for the pictures")
    parser.add_argument("--size", action="append", choices=SIZES, help="may be repeated [default: all]")
    parser.add_argument("--colours", choices=[Theme.LIGHT.value, Theme.DARK.value], help="[default: both]")
    parser.add_argument("--keep", type=Path, help="home folder to keep and use again")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    themes = [Theme(asked.colours)] if asked.colours else [Theme.LIGHT, Theme.DARK]
    with tempfile.TemporaryDirectory(prefix="pw") as made:
        home = asked.keep or Path(made)
        home.mkdir(parents=True, exist_ok=True)
        os.environ["HOME"] = str(home)
        plates = make_plates(home)
        application = QApplication(sys.argv[:1])
        application.setStyle("Fusion")
        application.setQuitOnLastWindowClosed(False)
        for size in asked.size or SIZES:
            for theme in themes:
                with asyncio.Runner(loop_factory=lambda: qasync.QEventLoop(application)) as runner:
                    runner.run(shoot(asked.folder, size, theme, plates))
                openhcs("stop", "--port", str(PORT))
    return 0


def make_plates(home: Path) -> list[str]:
    """Make the plates, and run the first two, unless they are there already."""
    finished, broken, fresh = home / LONG_NAME, home / "pbad", home / "fresh"
    if not fresh.exists():
        make_plate(finished, wells=24, sites=2, channels=2, size=256, seed=3)
        wells = [f"{row}{column:02}" for row in "AB" for column in range(1, 13)]
        kinds = ["negative", "negative", *["sample"] * 8, "positive", "positive"] * 2
        lines = [f"{well},{'DMSO' if kind == 'negative' else 'acid'},{2.0**at:g},uM,{kind}"
                 for at, (well, kind) in enumerate(zip(wells, kinds, strict=True))]  # fmt: skip
        Path(f"{finished}_platemap.csv").write_text(MAP + "\n".join(lines) + "\n", encoding="utf-8")
        make_plate(broken, wells=6, sites=1, size=128)
        images = sorted(broken.rglob("*.tif"))
        images[2].write_bytes(images[2].read_bytes()[:500])
        images[6].unlink()
        for plate in (finished, broken):
            openhcs("run", str(plate), OPENHCS_USE_ZMQ_EXECUTION="false")
        make_plate(fresh, wells=6, sites=1, size=512)
    return [str(finished), str(broken), str(fresh)]


def openhcs(*arguments: str, **environment: str) -> None:
    """Run a command; the run over a damaged plate fails, as it should."""
    line = [sys.executable, "-m", "openhcs_runtime.cli", *arguments]
    subprocess.run(line, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, check=False)


async def shoot(folder: Path, size: str, theme: Theme, plates: list[str]) -> None:
    """Take the pictures of one size in light or dark."""
    width, height = map(int, size.split("x"))
    with tempfile.TemporaryDirectory(prefix="pw") as made:
        settings = QSettings(str(Path(made, "window.ini")), QSettings.Format.IniFormat)
        workspace = PlateWorkspace(PORT, default_pipeline=builtin_source(), memory=Path(made, "memory"))
        window = MainWindow(workspace, settings, WindowPanes(workspace, settings, None, PORT))
        window.set_theme(theme)
        window.resize(width, height)
        window.show()

        async def take(name: str) -> None:
            await settled()
            window.grab().save(str(folder / f"{size}_{theme.value}_{name}.png"))

        await take("empty")
        window.manager.add_plates(plates)
        await take("plates")
        window.manager.select_well(plates[0], "B03")
        for action in window.pane_actions:
            if not action.isChecked():
                action.trigger()
            await take(action.text().lower())
        window.manager.select_well(plates[1], "A02")
        await take("failed_well")
        window.show_pane(IMAGES)
        window.manager.select_well(plates[2], "A03")
        await take("before_a_run")
        window.manager.select_well(plates[0], "A05")
        for look in (MapLook.IMAGES, MapLook.VALUES):
            window.manager.map.set_look(look)
            await take(f"map_{look.value.lower()}")
        await tune(window)
        await take("tuning")
        window.close()
        await window.end()
        await workspace.close()


async def tune(window: MainWindow) -> None:
    """Switch the preview on and change a parameter."""
    strip, pane = window.findChild(TuningStrip), window.show_pane(PIPELINE)
    assert strip is not None
    assert isinstance(pane, PipelinePane)
    strip.set_on(True)
    pane.set_source(pane.source().replace("DIAMETER_PX = None", "DIAMETER_PX = 12"))
    await settled()
    window.show_pane(IMAGES)
    for _ in range(4):
        await settled()


async def settled() -> None:
    """Wait until what is read in the background has been painted: there is no single event for all of it."""
    done = asyncio.Event()
    QTimer.singleShot(SETTLE_MS, done.set)
    await done.wait()


if __name__ == "__main__":
    sys.exit(main())
