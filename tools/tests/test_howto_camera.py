"""The programs of docs/howto-camera.md and of the README work, and so do the windows of docs/howto-own-viewer.md."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "docs" / "howto-camera.md",
    ROOT / "docs" / "howto-own-viewer.md",
    ROOT / "packages" / "zmqruntime-streaming" / "README.md",
]
CAMERA = ("-m", "zmqruntime.streaming", "camera", "5580", "--side", "256", "--fps", "50")
# Runs live.py as it stands; its window is closed once it has drawn an image, which is written to a file.
WATCH_WINDOW = """
import runpy
from PyQt6.QtWidgets import QApplication
import matplotlib.pyplot as plt

application = QApplication([])  # without a screen, matplotlib draws into a window only if there is one of these

def show():
    while not plt.gca().get_title():
        plt.gcf().canvas.start_event_loop(0.05)
    plt.savefig("live.png")

plt.show = show
runpy.run_path("live.py", run_name="__main__")
"""
WATCH_FAST_WINDOW = """
import runpy
import pyqtgraph as pg

def run():
    shown = lambda: [each for each in pg.mkQApp().topLevelWidgets() if "image" in each.windowTitle()]
    while not shown():
        pg.mkQApp().processEvents()
    shown()[0].grab().save("fast.png")

pg.exec = run
runpy.run_path("fast.py", run_name="__main__")
"""

MATPLOTLIB = find_spec("matplotlib") is not None and find_spec("PyQt6") is not None

pytestmark = pytest.mark.skipif(find_spec("zmqruntime.streaming") is None, reason="the package is missing")


@pytest.fixture
def scripts() -> Iterator[Path]:
    """A new folder with the scripts of the pages, which is the home of what runs in it."""
    folder = Path(tempfile.mkdtemp(prefix="cam", dir="/tmp" if os.name == "posix" else None))  # sockets: short paths
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for name, script in re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            (folder / name).write_text(script, encoding="utf-8")
    yield folder
    shutil.rmtree(folder)
    from zmqruntime.streaming import sweep_segments

    sweep_segments()  # of programs that were killed


@contextlib.contextmanager
def program(folder: Path, *arguments: str, **variables: str) -> Iterator["subprocess.Popen[str]"]:
    home = {"HOME": str(folder), "USERPROFILE": str(folder), "LOCALAPPDATA": str(folder)}
    offscreen = {"QT_QPA_PLATFORM": "offscreen", "MPLBACKEND": "QtAgg", "PYQTGRAPH_QT_LIB": "PyQt6"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")} | home | offscreen
    with subprocess.Popen(
        [sys.executable, *arguments],
        env=environment | variables,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def output_of(process: "subprocess.Popen[str]") -> str:
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    return out


@pytest.mark.parametrize(("receiving", "sending"), [("analyse.py", "snap.py"), ("show.py", "camera.py")])
def test_three_lines_on_each_side(scripts: Path, receiving: str, sending: str) -> None:
    with program(scripts, "-W", "error", receiving) as analyse, program(scripts, "-W", "error", sending) as snap:
        assert output_of(snap) == ""
        assert analyse.stdout is not None
        lines = [analyse.stdout.readline() for _ in range(3)]
    assert [line.split()[-4:] for line in lines] == [["(2048,", "2048)", "uint16", "0.01"]] * 3


def test_a_camera_loop_and_several_cameras(scripts: Path) -> None:
    with (
        program(scripts, "-W", "error", "several.py") as several,
        program(scripts, *CAMERA) as _,
        program(scripts, "-W", "error", "loop.py", "50") as loop,
    ):
        assert output_of(loop) == "50 sent, 50 taken or dropped\n"
        several.terminate()


@pytest.mark.skipif(not MATPLOTLIB, reason="no toolkit for windows")
def test_the_window_in_twenty_lines_shows_the_camera(scripts: Path) -> None:
    lines = (scripts / "live.py").read_text(encoding="utf-8").splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 20
    from matplotlib import get_cachedir
    from matplotlib.image import imread

    fonts = {"MPLCONFIGDIR": get_cachedir()}  # made once, and not again for this new home
    with program(scripts, "-c", WATCH_WINDOW, **fonts) as window, program(scripts, *CAMERA):
        output_of(window)
    picture = imread(scripts / "live.png")
    shades = picture[100:400, 200:450, 0]
    assert shades.max() - shades.min() > 0.5  # the spots of the camera, white on black


@pytest.mark.skipif(find_spec("pyqtgraph") is None or find_spec("PyQt6") is None, reason="pyqtgraph is not installed")
def test_the_fast_window_shows_the_camera(scripts: Path) -> None:
    with program(scripts, "-c", WATCH_FAST_WINDOW) as window, program(scripts, *CAMERA):
        output_of(window)
    assert (scripts / "fast.png").stat().st_size > 5000
