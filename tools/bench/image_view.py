"""The image view of the window: how soon a well is on the screen, and whether the window stays fluid meanwhile.

    python tools/bench/image_view.py [--size PIXELS] [--seconds S] [--peers] [--json FILE]

On a plate of 12 wells, two channels and 2048 x 2048 pixels whose files are in the page cache: from asking for a well to
its picture on the screen, once with nothing in the cache of the view and once for a neighbour that was read ahead; how
late the event loop is while wells are looked through without a pause, alone and next to a plate map whose 1,536 wells
report; and one frame while an image is moved and zoomed. `--peers` draws the same two planes with pyqtgraph, with
QGraphicsView and, where installed, with vispy. Does not need a screen.
"""

import argparse
import asyncio
import contextlib
import functools
import importlib
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_API", "pyqt6")

import figures
import numpy as np
import qasync  # type: ignore[import-untyped]
from figures import Figure, Report, Side
from gui import FloodedHost
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QSize, Qt, QTimer
from PyQt6.QtGui import QImage, QPainter, QPixmap
from PyQt6.QtWidgets import QApplication, QGraphicsScene, QGraphicsView

from openhcs_gui_services.services.images.reader import PlateImages
from openhcs_gui_services.services.images.source import PlateSource
from openhcs_gui_services.widgets import PlateManagerWidget
from openhcs_gui_services.widgets.images.pane import ImagesPane
from openhcs_runtime.plates import make_plate

WELLS, SHOWN_MS, STALL_MS, TICK_MS = 12, 150.0, 16.0, 4
PANE, CANVAS = QSize(800, 900), QSize(800, 800)
ROUNDS = 3
FRAMES = 60


def main() -> int:
    """Measure everything on one plate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=2048, help="edge of an image in pixels [default: 2048]")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long wells are looked through [default: 10]")
    parser.add_argument("--peers", action="store_true", help="also draw with other libraries")
    with figures.report(parser) as (asked, report), tempfile.TemporaryDirectory(prefix="bench") as home:
        application = QApplication(sys.argv[:1])
        application.setStyle("Fusion")
        application.setQuitOnLastWindowClosed(False)
        plate = make_plate(Path(home, "plate"), wells=WELLS, sites=1, channels=2, size=asked.size)
        with asyncio.Runner(loop_factory=lambda: qasync.QEventLoop(application)) as runner:
            planes = runner.run(measure(report, PlateSource(str(plate)), asked.seconds))
        if asked.peers:
            peers(report, planes)
    return int(report.missed > 0)


async def measure(report: Report, source: PlateSource, seconds: float) -> list[NDArray[Any]]:
    """Measure the view; return the planes of its first well."""
    load = f"load average {os.getloadavg()[0]:.1f}"
    cold = await shown(source, PlateImages(0), neighbours=False)
    tell(report, "a well, from its files", cold, load)
    tell(report, "the next well, which was read ahead", await shown(source, PlateImages(), neighbours=True), load)
    images = PlateImages(0)
    pane = await opened(source, images)
    with stalls() as late:
        count = await look_through(pane, seconds)
    late.sort()
    note = f"longest {late[-1]:.1f} ms; {count / seconds:.0f} wells/s; {load}"
    report.tell(
        Figure(
            "looking through wells: stall of Qt's loop, p99", late[len(late) * 99 // 100], "ms", bar=STALL_MS, note=note
        )
    )
    await flooded(report, pane, seconds)
    moved = [await frame(pane) for _ in range(FRAMES)]
    note = f"p95 {quantile(moved, 95):.1f} ms; two channels, in a thread; {load}"
    report.tell(Figure(MOVED, statistics.median(moved), "ms", note=note))
    place = pane.place
    assert place is not None
    planes = [await images.plane(source, place, channel) for channel in (1, 2)]
    await end(pane, images)
    return planes


MOVED = "two planes moved and zoomed, one frame until it is drawn, median"


def tell(report: Report, name: str, times: Sequence[float], load: str) -> None:
    """Report how long pictures took."""
    note = f"p95 {quantile(times, 95):.0f} ms of {len(times)}; {load}"
    report.tell(Figure(f"{name}: until painted, median", statistics.median(times), "ms", bar=SHOWN_MS, note=note))


def quantile(values: Sequence[float], percent: int) -> float:
    """Return a percentile of some values."""
    return float(np.percentile(values, percent))


async def opened(source: PlateSource, images: PlateImages) -> ImagesPane:
    """Return a pane whose first well is on the screen, with a contrast that no longer changes."""
    pane = ImagesPane(images)
    pane.resize(PANE)
    pane.show()
    pane.show_plate(source, None)
    settled = asyncio.Event()
    pane.contrast_settled.connect(settled.set)
    await settled.wait()
    return pane


async def end(pane: ImagesPane, images: PlateImages) -> None:
    """Close a pane."""
    await pane.close_reads()
    await images.close()
    pane.deleteLater()


async def shown(source: PlateSource, images: PlateImages, *, neighbours: bool) -> list[float]:
    """Return how long it takes to show a well, in milliseconds, for all wells in turn."""
    pane = await opened(source, images)
    assert pane.plate is not None
    wells = list(pane.plate.wells)
    order = wells if neighbours else wells[::2] + wells[1::2]
    times = []
    for _ in range(ROUNDS):
        for well in order:
            if pane.place is not None and well != pane.place.well:
                times.append(await show(pane, well))
                while neighbours and images.waiting:
                    await asyncio.sleep(0.01)
    await end(pane, images)
    return times


async def show(pane: ImagesPane, well: str) -> float:
    """Show a well and return the milliseconds until it was painted."""
    done = asyncio.Event()

    def on_paint() -> None:
        picture = pane.view.picture
        if picture is not None and picture.place.well == well:
            done.set()

    begin = time.perf_counter()
    connection = pane.view.canvas.painted.connect(on_paint)
    pane.show_well(well)
    await done.wait()
    pane.view.canvas.painted.disconnect(connection)
    return (time.perf_counter() - begin) * 1000


async def look_through(pane: ImagesPane, seconds: float) -> int:
    """Show one well after the other, as with a key that is held down; return how many."""
    assert pane.plate is not None
    end_at, count = time.monotonic() + seconds, 0
    while time.monotonic() < end_at:
        for well in pane.plate.wells:
            await show(pane, well)
            count += 1
    return count


async def flooded(report: Report, pane: ImagesPane, seconds: float) -> None:
    """Look through wells while the wells of a plate report faster than the screen can show."""
    host = FloodedHost()
    manager = PlateManagerWidget(host)
    manager.resize(1300, 860)
    manager.show()
    manager.table.select_paths(["/plate"])
    frames = QTimer()
    frames.timeout.connect(host.flush)
    frames.start(33)
    feeder = threading.Thread(target=host.feed, args=(seconds,))
    feeder.start()
    with stalls() as late:
        count = await look_through(pane, seconds)
    feeder.join()
    frames.stop()
    manager.close()
    late.sort()
    note = f"longest {late[-1]:.1f} ms; {host.count / seconds:.0f} events/s; {count / seconds:.0f} wells/s"
    name = "the same with 1,536 wells that report: stall of Qt's loop, p99"
    report.tell(Figure(name, late[len(late) * 99 // 100], "ms", bar=STALL_MS, note=note))


async def frame(pane: ImagesPane) -> float:
    """Move and zoom a little, and return the milliseconds until that is drawn in full resolution."""
    done = asyncio.Event()
    connection = pane.view.canvas.painted.connect(done.set)
    begin = time.perf_counter()
    pane.viewport.zoom(1.01)
    pane.viewport.move(QPointF(3, 2))
    await done.wait()
    pane.view.canvas.painted.disconnect(connection)
    return (time.perf_counter() - begin) * 1000


@contextlib.contextmanager
def stalls() -> Iterator[list[float]]:
    """Measure how late a timer of Qt is, in milliseconds."""
    late: list[float] = []
    expected = 0.0

    def tick() -> None:
        nonlocal expected
        now = time.perf_counter()
        if expected:
            late.append(max(0.0, now - expected) * 1000)
        expected = now + TICK_MS / 1000

    beat = QTimer()
    beat.setTimerType(Qt.TimerType.PreciseTimer)
    beat.timeout.connect(tick)
    beat.start(TICK_MS)
    yield late
    beat.stop()


# --- other libraries ---------------------------------------------------------------------------------------------


Draw = Callable[[], object]
Change = Callable[[Sequence[NDArray[Any]]], object]


def peers(report: Report, planes: Sequence[NDArray[Any]]) -> None:
    """Draw the same planes with other libraries, on Qt's own thread: at another place and scale, and other planes."""
    for name, make in (
        ("pyqtgraph ImageItem", pyqtgraph_view),
        ("QGraphicsView", graphics_view),
        ("vispy", vispy_view),
    ):
        try:
            draw, change, close = make(planes)
        except ImportError as error:
            print(f"{name} is left out: {error}")
            continue
        moved = [timed(draw) for _ in range(FRAMES)]
        changed = [timed(functools.partial(change, planes[::-1])) for _ in range(FRAMES)]
        close()
        note = f"all of it a stall of Qt's loop; other planes: {statistics.median(changed):.0f} ms"
        report.tell(Figure(MOVED, statistics.median(moved), "ms", Side.PEER, name, note=note))


def timed(call: Callable[[], object]) -> float:
    """Return how many milliseconds a call takes."""
    begin = time.perf_counter()
    call()
    return (time.perf_counter() - begin) * 1000


def pyqtgraph_view(planes: Sequence[NDArray[Any]]) -> tuple[Draw, Change, Draw]:
    """Two items, added up."""
    pyqtgraph = importlib.import_module("pyqtgraph")

    view = pyqtgraph.GraphicsLayoutWidget()
    view.resize(CANVAS)
    box = view.addViewBox(lockAspect=True)
    items = []
    for plane, colour in zip(planes, ((0, 0, 255), (0, 255, 0)), strict=True):
        item = pyqtgraph.ImageItem(plane, levels=(100, 3000), autoDownsample=True)
        item.setLookupTable(np.linspace((0, 0, 0), colour, 256).astype(np.uint8))
        item.setCompositionMode(QPainter.CompositionMode.CompositionMode_Plus)
        box.addItem(item)
        items.append(item)
    view.show()
    QApplication.processEvents()

    def draw() -> None:
        box.scaleBy((0.99, 0.99))
        box.translateBy(x=3, y=2)
        view.grab()

    def change(others: Sequence[NDArray[Any]]) -> None:
        for item, plane in zip(items, others, strict=True):
            item.setImage(plane, levels=(100, 3000))
        view.grab()

    return draw, change, view.close


def graphics_view(planes: Sequence[NDArray[Any]]) -> tuple[Draw, Change, Draw]:
    """One picture in full resolution, composed with numpy."""
    scene = QGraphicsScene()
    item = scene.addPixmap(composed(planes))
    assert item is not None
    view = QGraphicsView(scene)
    view.resize(CANVAS)
    view.scale(CANVAS.width() / planes[0].shape[1], CANVAS.height() / planes[0].shape[0])
    view.show()
    QApplication.processEvents()

    def draw() -> None:
        view.scale(1.01, 1.01)
        view.grab()

    def change(others: Sequence[NDArray[Any]]) -> None:
        item.setPixmap(composed(others))
        view.grab()

    return draw, change, view.close


def composed(planes: Sequence[NDArray[Any]]) -> QPixmap:
    """Return two planes as one picture in full resolution."""
    rows, columns = planes[0].shape
    pixels = np.zeros((rows, columns, 4), np.uint8)
    for plane, place in zip(planes, (0, 1), strict=True):
        pixels[..., place] = np.clip((plane.astype(np.float32) - 100) * (255 / 2900), 0, 255)
    image = QImage(pixels.tobytes(), columns, rows, columns * 4, QImage.Format.Format_RGB32)
    return QPixmap.fromImage(image.copy())


def vispy_view(planes: Sequence[NDArray[Any]]) -> tuple[Draw, Change, Draw]:
    """Two textures, added up; without a graphics card they are drawn by the processor."""
    if os.environ["QT_QPA_PLATFORM"] == "offscreen":
        raise ImportError("it needs a screen: QT_QPA_PLATFORM=xcb xvfb-run python ...")
    scene, colours = importlib.import_module("vispy.scene"), importlib.import_module("vispy.color")

    canvas = scene.SceneCanvas(size=(CANVAS.width(), CANVAS.height()), show=True)
    view = canvas.central_widget.add_view()
    nodes = []
    for plane, colour in zip(planes, ((0, 0, 1), (0, 1, 0)), strict=True):
        node = scene.visuals.Image(
            plane, parent=view.scene, clim=(100, 3000), cmap=colours.Colormap([(0, 0, 0), colour])
        )
        node.set_gl_state("additive")
        nodes.append(node)
    view.camera = scene.PanZoomCamera(aspect=1)
    view.camera.set_range()
    canvas.render()

    def draw() -> None:
        view.camera.zoom(0.99)
        canvas.render()

    def change(others: Sequence[NDArray[Any]]) -> None:
        for node, plane in zip(nodes, others, strict=True):
            node.set_data(plane)
        canvas.render()

    return draw, change, canvas.close


if __name__ == "__main__":
    sys.exit(main())
