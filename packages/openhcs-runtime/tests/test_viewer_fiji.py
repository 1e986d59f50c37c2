"""The Fiji viewer with a real ImageJ on a screen of its own (Xvfb): what ImageJ itself says that it has is compared."""

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
import psutil
import pytest
from skimage import filters, measure

from openhcs_runtime.plates import open_plate
from openhcs_runtime.rois import Polygon, to_imagej
from openhcs_runtime.testing import ViewerProbe
from openhcs_runtime.viewers.fiji import FijiProcessManager, WindowScope
from openhcs_runtime.viewers.fiji.java import find_installation
from zmqruntime import ConfigurationError, ROIMessage, ServerStartError, Shape, ShapeKind
from zmqruntime.streaming import ImageStream, Policy, Position, ViewerCommandError

PORT = 5640
SIDE = 64
PROBE = '''
import json
from pathlib import Path
from openhcs_runtime.viewers.fiji.server import FijiViewerServer

class ProbeViewer(FijiViewerServer):
    """Runs the macros that come as metadata."""

    def display_image(self, image_data, metadata):
        if "macro" in metadata:
            said = str(self._ij.IJ.runMacro(metadata["macro"]) or "")
            Path(metadata["answer"]).write_text(said, encoding="utf-8")
        elif "screen" in metadata:
            canvas = self._ij.IJ.getImage().getCanvas()
            corner = canvas.getLocationOnScreen()
            robot = self._ij.java("java.awt.Robot")()
            colours = [
                int(robot.getPixelColor(corner.x + canvas.screenX(x), corner.y + canvas.screenY(y)).getRGB()) & 0xFFFFFF
                for x, y in metadata["screen"]
            ]
            Path(metadata["answer"]).write_text(json.dumps(colours), encoding="utf-8")
        elif "menu" in metadata:
            bar, event = self._ij.java("ij.Menus").getMenuBar(), self._ij.java("java.awt.event.ActionEvent")
            menus = [bar.getMenu(number) for number in range(bar.getMenuCount())]
            item = next(menu for menu in menus if str(menu.getLabel()) == metadata["menu"]).getItem(0)
            item.dispatchEvent(event(item, event.ACTION_PERFORMED, ""))
            Path(metadata["answer"]).write_text(str(item.getLabel()), encoding="utf-8")
        elif "photograph" in metadata:
            main, image = self._ij.main_window, self._ij.IJ.getImage().getWindow()
            image.setLocation(main.getX(), main.getY() + main.getHeight() + 8)
            manager = self._ij.roi_manager(make=False)
            manager.setLocation(image.getX() + image.getWidth() + 8, image.getY())
            robot = self._ij.java("java.awt.Robot")()
            for part in (main, self._ij.java("ij.gui.Toolbar").getInstance(), manager, image):
                part.repaint()
                robot.waitForIdle()
            self._ij.paint([self._ij.IJ.getImage()])
            area = self._ij.java("java.awt.Rectangle")()
            for window in self._ij.java("java.awt.Window").getWindows():
                area = area.union(window.getBounds()) if window.isVisible() else area
            picture = robot.createScreenCapture(area)
            file = self._ij.java("java.io.File")(metadata["photograph"])
            self._ij.java("javax.imageio.ImageIO").write(picture, "png", file)
            Path(metadata["answer"]).touch()
        else:
            super().display_image(image_data, metadata)
'''
STAND_INS = {
    "scyjava.py": """
class config:
    options, endpoints = [], ["https://maven.invalid"]
    add_option = options.append

    def set_java_constraints(fetch):
        config.fetch = fetch
""",
    "imagej.py": """
import jpype
from scyjava import config

class Gateway:
    def ui(self):
        return self

    def showUI(self):
        window = jpype.JClass("ij.ImageJ")
        window(window.EMBEDDED)

def init(folder, mode):
    assert (mode, config.endpoints, config.fetch) == ("interactive", [], "auto")
    jpype.startJVM(*config.options, classpath=[folder + "/jars/ij.jar"])
    return Gateway()
""",
}
"""In the place of pyimagej, whose whole Fiji is not here: what is asked of it, in which order."""


def _what_is_missing() -> str:
    if importlib.util.find_spec("jpype") is None:
        return "jpype is not installed"
    if shutil.which("Xvfb") is None or shutil.which("java") is None:
        return "Xvfb or Java is not installed"
    try:
        find_installation()
    except ConfigurationError as error:
        return str(error)
    return ""


pytestmark = pytest.mark.skipif(bool(_what_is_missing()), reason=_what_is_missing())


class ProbeManager(FijiProcessManager):
    """Runs the probe; knows how to ask it."""

    script = Path()

    def get_launch_command(self) -> list[str]:
        options = {"windows": self._windows, "axes": self._axes, **self._options}
        return self.server_command(f"{self.script}:ProbeViewer", **options)


class Probe(ViewerProbe):
    """A Fiji viewer that runs macros."""

    def send(self, value: float | npt.NDArray[Any], layer: str = "DAPI", /, **position: Any) -> None:
        super().send(value, layer, **position)

    def macro(self, text: str) -> str:
        """What a macro of ImageJ returns."""
        return self.ask({"macro": text})

    def number(self, expression: str) -> float:
        """The value of an expression."""
        return float(self.macro(f"return d2s({expression}, 6);"))

    def pixel(
        self, window: str, channel: int = 1, slice_: int = 1, frame: int = 1, at: tuple[int, int] = (9, 9)
    ) -> float:
        """A pixel as ImageJ has it."""
        place = f'selectImage("{window}"); Stack.setPosition({channel}, {slice_}, {frame});'
        return float(self.macro(f"{place} return d2s(getPixel({at[0]}, {at[1]}), 6);"))

    def screen(self, *places: tuple[int, int]) -> list[int]:
        """The colours of the screen where pixels of the image in front are."""
        found: list[int] = json.loads(self.ask({"screen": [list(place) for place in places]}))
        return found

    def open_all(self) -> str:
        """Choose the first entry of our menu; gives its name."""
        return self.ask({"menu": "Stream"})

    def photograph(self, path: Path) -> npt.NDArray[np.uint8]:
        """All windows, as the screen has them; also as a PNG file."""
        self.ask({"photograph": str(path)})
        with PIL.Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))


Opener = Callable[..., contextlib.AbstractContextManager[Probe]]


@pytest.fixture(scope="module")
def open_viewer(display: str) -> Iterator[Opener]:
    """Open a viewer with some options."""
    folder = Path(tempfile.mkdtemp(prefix="fj"))
    script = folder / "probe_viewer.py"
    script.write_text(PROBE, encoding="utf-8")

    @contextlib.contextmanager
    def start(port: int = PORT, **options: Any) -> Iterator[Probe]:
        manager = ProbeManager(port, persistent=False, **options)
        manager.script = script
        manager.start(timeout=60)
        try:
            with ImageStream(port, policy=Policy.ALL) as stream:
                assert stream.wait_connected()
                yield Probe(manager, stream, folder)
        finally:
            manager.stop()

    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "USERPROFILE"):
            patch.setenv(name, str(folder))
        patch.setenv("DISPLAY", display)
        yield start
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def shared(open_viewer: Opener) -> Iterator[Probe]:
    """One viewer for most tests, since each start takes seconds."""
    with open_viewer() as probe:
        yield probe


@pytest.fixture
def viewer(shared: Probe) -> Probe:
    """The shared viewer with nothing in it."""
    shared.stream.clear()
    shared.macro('if (isOpen("ROI Manager")) { roiManager("reset"); } run("Close All");')
    return shared


def test_every_plane_is_where_it_belongs(viewer: Probe) -> None:
    for well in ("A01", "A02"):
        for site in (2, 1):
            for channel, layer in ((1, "DAPI"), (2, "GFP")):
                for z in (1, 2, 3):
                    value = 1000 * channel + 100 * site + 10 * z + int(well[-1])
                    viewer.send(value, layer, well=well, site=site, channel=channel, z_index=z)
    assert viewer.number("nImages") == 2
    found = viewer.macro(
        'selectImage("A02"); getDimensions(w, h, c, z, t); return "" + w + " " + h + " " + c + " " + z + " " + t;'
    )
    assert found == f"{SIDE} {SIDE} 2 3 2"
    for channel in (1, 2):
        for site in (1, 2):
            for z in (1, 3):
                assert viewer.pixel("A02", channel, z, site) == 1000 * channel + 100 * site + 10 * z + 2
    assert viewer.macro('selectImage("A01"); Stack.setPosition(1, 1, 1); return getInfo("slice.label");').startswith(
        "DAPI, channel 1, site 1, z 1"
    )


def test_a_plane_is_set_in_place_and_a_stack_grows_in_its_window(viewer: Probe) -> None:
    viewer.send(7, well="A01", site=2)
    viewer.send(8, well="A01", site=3)
    image = viewer.number("getImageID()")
    viewer.macro("Stack.setPosition(1, 1, 2);")
    viewer.send(np.arange(SIDE * SIDE, dtype=np.uint16).reshape(SIDE, SIDE), well="A01", site=3)
    viewer.send(5, well="A01", site=1)
    viewer.send(9, well="A01", site=4, z_index=2)
    viewer.send(4, "GFP", well="A01", site=4)
    assert viewer.number("getImageID()") == image
    place = viewer.macro('Stack.getPosition(c, z, t); return "" + c + " " + z + " " + t;')
    assert place == "1 1 3", "the user still looks at the plane that was chosen"
    assert viewer.number("getPixel(3, 2)") == 2 * SIDE + 3
    values = [
        viewer.pixel("A01", channel, z, frame) for channel, z, frame in ((1, 1, 1), (1, 2, 4), (2, 1, 4), (2, 2, 1))
    ]
    assert values == [5, 9, 4, 0]


def test_what_the_user_changed_stays(viewer: Probe) -> None:
    viewer.send(100, well="A01", site=1, metadata={"contrast_limits": [0, 500], "colormap": "magenta"})
    limits = 'getMinAndMax(low, high); return "" + low + " " + high;'
    assert viewer.macro(limits) == "0 500"
    viewer.send(100, well="A01", site=1, metadata={"contrast_limits": [0, 600]})
    assert viewer.macro(limits) == "0 600", "nobody else has changed it"
    viewer.macro('setMinAndMax(50, 77); run("Green");')
    for site in (1, 2):
        viewer.send(3000, well="A01", site=site, metadata={"contrast_limits": [0, 900], "colormap": "red"})
    viewer.send(3000, "GFP", well="A01", site=1, metadata={"contrast_limits": [10, 20], "colormap": "red"})
    viewer.send(3000, "Actin", well="A01", site=1, metadata={"contrast_limits": [30, 40]})
    lut = 'getLut(r, g, b); return "" + r[255] + " " + g[255] + " " + b[255];'
    found = [
        (viewer.macro(f"Stack.setPosition({channel}, 1, 1); {limits}"), viewer.macro(lut)) for channel in (1, 2, 3)
    ]
    assert found == [("30 40", "0 255 255"), ("50 77", "0 255 0"), ("10 20", "255 0 0")]


def test_pixel_sizes_are_told(viewer: Probe) -> None:
    viewer.send(1, well="A01", metadata={"pixel_size": [0.65, 0.5], "z_step": 2})
    found = viewer.macro('getVoxelSize(w, h, d, unit); return "" + w + " " + h + " " + d + " " + unit;')
    assert found in ("0.5 0.65 2 microns", "0.5 0.65 2 micron")
    viewer.macro('setVoxelSize(3, 4, 5, "mm");')
    for site in (1, 2):
        viewer.send(1, well="A01", site=site, metadata={"pixel_size": [0.65, 0.5], "z_step": 2})
    found = viewer.macro('getVoxelSize(w, h, d, unit); return "" + w + " " + h + " " + d + " " + unit;')
    assert found == "3 4 5 mm", "the user's own"


def test_a_wider_type_widens_its_window(viewer: Probe) -> None:
    viewer.send(np.full((SIDE, SIDE), 200, np.uint8), well="A01", site=1)
    assert viewer.number("bitDepth()") == 8
    viewer.send(np.full((SIDE, SIDE), 60_000, np.uint16), well="A01", site=2)
    assert (viewer.number("bitDepth()"), viewer.pixel("A01", 1, 1, 1), viewer.pixel("A01", 1, 1, 2)) == (
        16,
        200,
        60_000,
    )
    viewer.send(np.full((SIDE, SIDE), -0.5), well="A01", site=3)
    viewer.send(np.eye(SIDE, dtype=bool), well="A01", site=4)
    assert viewer.number("bitDepth()") == 32
    assert [viewer.pixel("A01", 1, 1, site) for site in (1, 2, 3, 4)] == [200, 60_000, -0.5, 255]
    assert viewer.number("nImages") == 1


def test_another_size_has_another_window(viewer: Probe) -> None:
    viewer.send(1, well="A01")
    viewer.send(np.full((20, 30), 2, np.uint16), well="A01")
    assert (viewer.pixel("A01"), viewer.pixel("A01 (30 x 20)")) == (1, 2)


def test_colour_pictures_and_stacks_in_one_array(viewer: Probe) -> None:
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    picture[...] = (10, 20, 30)
    viewer.send(picture, well="A01", metadata={"rgb": True})
    assert [viewer.pixel("A01", channel) for channel in (1, 2, 3)] == [10, 20, 30]
    viewer.send(np.arange(3, dtype=np.uint16)[:, None, None] + np.zeros((1, SIDE, SIDE), np.uint16), well="A02")
    assert [viewer.pixel("A02", 1, z) for z in (1, 2, 3)] == [0, 1, 2]


def test_what_cannot_be_shown_fails_alone(viewer: Probe) -> None:
    before = viewer.stream.counts.failed
    viewer.send(np.array([["text"]]), well="A01")
    viewer.send(np.zeros(5), well="A01")
    viewer.stream.send_rois(ROIMessage(image_id="r", layer_name="r", rois=[b"nonsense"], names=["bad"]))
    viewer.send(5, well="A01")
    viewer.stream.settle()
    assert viewer.stream.counts.failed == before + 3
    assert viewer.pixel("A01") == 5


def test_regions_are_over_the_image_and_in_the_manager(viewer: Probe) -> None:
    for site in (1, 2):
        viewer.send(5, well="A01", site=site)
    labels = np.zeros((SIDE, SIDE), np.uint16)
    labels[5:15, 5:15], labels[30:40, 30:50] = 1, 7
    overlay = "Overlay.size"
    for _ in range(2):
        viewer.send(labels, "nuclei", well="A01", site=1, metadata={"kind": "labels"})
    assert viewer.number(overlay) == 2, "newer labels take the place of those before"
    measured = viewer.macro(
        'Overlay.activateSelection(1); Roi.getPosition(c, z, t); p = Roi.getProperty("label");'
        'n = Roi.getName; getStatistics(area); run("Select None"); return n + " " + p + " " + area;'
    )
    assert measured == "7 7 200"
    viewer.macro('makeRectangle(1, 1, 3, 3); Overlay.addSelection; roiManager("add"); run("Select None");')
    corners = [[10.0, 10.0], [10.0, 20.0], [20.0, 20.0], [20.0, 10.0]]
    shapes = [Shape(kind=kind, coordinates=corners) for kind in (ShapeKind.ELLIPSE, ShapeKind.POLYLINE)]
    for _ in range(2):
        viewer.stream.send_shapes(shapes, layer_name="cells", position={"well": "A01", "site": 2})
    viewer.stream.send_points([[3, 4], [5, 6], [7, 8]], position={"well": "A01"})
    roi = to_imagej(Polygon(((1, 1), (1, 9), (9, 9)), name="mine"))
    viewer.stream.send_rois(
        ROIMessage(image_id="r", layer_name="r", rois=[roi], names=["mine"], metadata={"position": {"well": "A01"}})
    )
    assert viewer.number(overlay) == 2 + 1 + 2 + 1 + 1
    names = viewer.macro(
        's = ""; for (i = 0; i < roiManager("count"); i++) s += RoiManager.getName(i) + ";"; return s;'
    )
    assert names.split(";")[1:-1] == ["A01: cells 1", "A01: cells 2", "A01: points points", "A01: r mine"]
    viewer.stream.clear("nuclei")
    viewer.stream.clear("cells")
    assert viewer.number(overlay) == 1 + 1 + 1
    assert viewer.number('roiManager("count")') == 3
    assert viewer.pixel("A01") == 5


OVERLAY = (
    's = ""; for (i = 0; i < Overlay.size; i++) { Overlay.activateSelection(i); Roi.getPosition(c, z, t);'
    's += Roi.getName + " " + z + " " + t + ";"; } run("Select None"); return s;'
)


def test_regions_are_at_their_planes_while_the_stack_grows(viewer: Probe) -> None:
    labels = np.zeros((SIDE, SIDE), np.uint16)
    labels[5:15, 5:15] = 1
    outlines = {"kind": "labels"}
    for z in (1, 2):
        viewer.send(5, well="A01", site=2, z_index=z)
    viewer.send(labels, "nuclei", well="A01", site=2, z_index=2, metadata=outlines)
    viewer.send(labels * 3, "nuclei", well="A01", site=3, metadata=outlines)  # before its image, for all of z
    assert viewer.macro(OVERLAY) == "1 2 1;3 0 2;"
    viewer.send(6, well="A01", site=1, z_index=1)
    viewer.send(7, well="A01", site=3, z_index=2)
    viewer.send(labels * 4, "nuclei", well="A01", z_index=1, metadata=outlines)  # for all sites
    assert viewer.macro(OVERLAY) == "1 2 2;3 0 3;4 1 0;"
    assert [viewer.pixel("A01", 1, z, t) for z, t in ((1, 1), (2, 2), (2, 3))] == [6, 5, 7]
    viewer.macro('makeRectangle(0, 0, 10, 10); run("Crop"); rename("my crop");')
    viewer.send(8, well="A01", site=1, z_index=1)
    viewer.macro('selectImage("A01");')
    assert viewer.macro(OVERLAY) == "1 2 2;3 0 3;4 1 0;", "the new image has them as well"


def test_regions_that_the_user_removed_do_not_come_back_with_others(viewer: Probe) -> None:
    square = Shape(kind=ShapeKind.POLYGON, coordinates=[[10, 10], [10, 40], [40, 40], [40, 10]])
    for site in (1, 2):
        viewer.send(5, well="A01", site=site)
        viewer.stream.send_shapes([square, square], position={"well": "A01", "site": site})
    managed = 'roiManager("count")'
    assert (viewer.number("Overlay.size"), viewer.number(managed)) == (4, 4)
    viewer.macro('run("Remove Overlay"); roiManager("select", 0); roiManager("delete");')
    viewer.send(5, well="A01", site=3)
    viewer.stream.send_shapes([square], position={"well": "A01", "site": 3})
    assert (viewer.number("Overlay.size"), viewer.number(managed)) == (1, 4)


def test_labels_of_any_numbers_and_in_stacks(viewer: Probe) -> None:
    labels = np.zeros((2, SIDE, SIDE), np.int64)
    labels[0, 5:15, 5:15], labels[1, 5:15, 5:15] = 4_000_000_000, 2
    viewer.send(np.zeros((2, SIDE, SIDE), np.uint16), well="A01")
    viewer.send(labels, "nuclei", well="A01", metadata={"kind": "labels"})
    assert viewer.macro(OVERLAY) == "4000000000 1 0;2 2 0;"


def test_labels_that_are_negative_are_refused_whole(viewer: Probe) -> None:
    labels = np.zeros((2, SIDE, SIDE), np.int64)
    labels[0, 5:15, 5:15], labels[1, 30:40, 5:15] = 1, -1
    before = viewer.stream.counts.failed
    viewer.send(np.zeros((2, SIDE, SIDE), np.uint16), well="A01")
    viewer.send(labels, "nuclei", well="A01", metadata={"kind": "labels"})
    viewer.stream.settle()
    assert viewer.macro(OVERLAY) == ""
    assert viewer.stream.counts.failed == before + 1


def test_labels_of_another_size_are_not_put_over_the_image(viewer: Probe) -> None:
    viewer.send(5, well="A01")
    viewer.send(np.ones((20, 30), np.uint8), "nuclei", well="A01", metadata={"kind": "labels"})
    assert viewer.macro('selectImage("A01"); return "" + Overlay.size;') == "0"
    assert viewer.macro('selectImage("A01 (30 x 20)"); return "" + Overlay.size;') == "1"


def test_the_title_says_what_the_well_contains(viewer: Probe) -> None:
    viewer.send(1, well="B03", metadata={"well_text": "compound X, dose_um 0.3"})
    assert viewer.macro("return getTitle();") == "B03 - compound X, dose_um 0.3"


def test_plates_have_windows_of_their_own_next_to_each_other(viewer: Probe) -> None:
    for plate in ("/data/p6", "/data/plateB"):
        viewer.send(len(plate), plate=plate, run=f"{plate}_results/first", well="A01")
    where = 'selectImage("{}, A01, run first"); getLocationAndSize(x, y, w, h); return "" + x + " " + y + " " + w;'
    (x, y, width), (other_x, other_y, _) = (
        map(int, viewer.macro(where.format(name)).split()) for name in ("p6", "plateB")
    )
    assert (other_y, other_x >= x + width) == (y, True)
    assert viewer.pixel("p6, A01, run first") != viewer.pixel("plateB, A01, run first")
    viewer.stream.navigate({"plate": "/data/p6", "well": "A01"})
    assert viewer.macro("return getTitle();") == "p6, A01, run first"


def test_shapes_that_come_before_their_image_wait_over_black(viewer: Probe) -> None:
    square = Shape(kind=ShapeKind.POLYGON, coordinates=[[10, 10], [10, 40], [40, 40], [40, 10]])
    viewer.stream.send_shapes([], layer_name="none", position={"well": "A01", "site": 1})
    viewer.stream.send_shapes([square], position={"well": "A01", "site": 1})
    assert (viewer.number("getWidth()"), viewer.number("nImages")) == (41, 1)
    for site in (2, 1):
        viewer.send(site, well="A01", site=site)
    assert viewer.macro('return "" + nImages + " " + getTitle() + " " + getWidth();') == f"1 A01 {SIDE}"
    assert (viewer.number("Overlay.size"), viewer.number("nSlices"), viewer.number('roiManager("count")')) == (1, 2, 1)
    assert [viewer.pixel("A01", 1, 1, site) for site in (1, 2)] == [1, 2]


def test_a_cleared_layer_leaves_the_others_as_they_were(viewer: Probe) -> None:
    for layer in ("Actin", "DAPI", "GFP"):
        viewer.send(len(layer), layer, well="A01", site=1, metadata={"contrast_limits": [0, 10]})
    viewer.send(1, "DAPI", well="A02", site=1)
    viewer.macro('selectImage("A01"); Stack.setActiveChannels("010"); Stack.setPosition(2, 1, 1); setMinAndMax(2, 3);')
    active = 'selectImage("A01"); Stack.getActiveChannels(s); return s;'
    viewer.send(2, "Brightfield", well="A01", site=1)
    assert viewer.macro(active)[:4] == "0110", "a new channel is seen, and the others are as the user chose"
    viewer.stream.clear("Actin")
    assert viewer.macro(active)[:3] == "110"
    assert [viewer.pixel("A01", channel) for channel in (1, 2, 3)] == [2, 4, 3]
    viewer.stream.clear("DAPI")
    assert viewer.number("nImages") == 1, "nothing else was in A02"
    viewer.stream.clear("Brightfield")
    assert (viewer.number("nSlices"), viewer.pixel("A01")) == (1, 3)
    viewer.send(9, "DAPI", well="A01", site=1)
    assert [viewer.pixel("A01", channel) for channel in (1, 2)] == [9, 3]


def test_labels_without_an_image_are_over_black(viewer: Probe) -> None:
    labels = np.zeros((SIDE, SIDE), np.uint8)
    labels[5:15, 5:15] = 3
    viewer.send(labels, "nuclei", well="A01", metadata={"kind": "labels"})
    assert (viewer.number("Overlay.size"), viewer.pixel("A01")) == (1, 0)
    viewer.send(77, well="A01")
    assert (viewer.number("Overlay.size"), viewer.number("nSlices"), viewer.pixel("A01")) == (1, 1, 77)


def test_the_screen_shows_it_before_it_is_acknowledged(viewer: Probe) -> None:
    plane = np.zeros((SIDE, SIDE), np.uint16)
    plane[:, SIDE // 2 :] = 1000
    style = {"contrast_limits": [0, 1000], "colormap": "green"}
    viewer.send(plane, well="A01", metadata=style)
    places = [(10, 30), (SIDE - 10, 30)]
    assert viewer.screen(*places) == [0, 0x00FF00]
    for _ in range(3):
        plane = plane[:, ::-1]
        viewer.send(plane, well="A01", metadata=style)
        expected = [0x00FF00 if plane[0, 0] else 0, 0 if plane[0, 0] else 0x00FF00]
        assert viewer.screen(*places) == expected


def test_a_screenshot_has_the_image_and_what_is_over_it(viewer: Probe) -> None:
    viewer.send(np.full((SIDE, SIDE), 500, np.uint16), well="A01", metadata={"contrast_limits": [0, 1000]})
    square = Shape(kind=ShapeKind.POLYGON, coordinates=[[10, 10], [10, 40], [40, 40], [40, 10]])
    viewer.stream.send_shapes([square], position={"well": "A01"}, metadata={"color": "red"})
    picture = viewer.stream.screenshot()
    assert picture.dtype == np.uint8
    scale = picture.shape[0] / SIDE
    assert picture[int(50 * scale), int(50 * scale)].tolist() == [128, 128, 128]
    assert (picture[:, :, 0].astype(int) - picture[:, :, 1] > 100).sum() > 50, "the outline is red"


def test_a_photograph_of_the_screen(viewer: Probe, new_plate: Callable[..., Path], tmp_path: Path) -> None:
    """OPENHCS_PICTURES names the folder that the picture of the documentation goes to."""
    folder = Path(os.environ.get("OPENHCS_PICTURES", tmp_path))
    plate = open_plate(new_plate(wells=1, sites=2, channels=2, size=400))
    for image in plate.images["A01"]:
        pixels = plate.read(image)
        metadata = {"colormap": ("blue", "green")[image.key.channel - 1], "pixel_size": 0.65}
        position: Position = {"well": image.key.well, "site": image.key.site}
        viewer.send(pixels, f"Channel {image.key.channel}", metadata=metadata, **position)
        if image.key.channel == 1:
            nuclei = measure.label(pixels > filters.threshold_otsu(pixels)).astype(np.uint16)
            viewer.send(nuclei, "nuclei", metadata={"kind": "labels"}, **position)
            centres = [region.centroid for region in measure.regionprops(nuclei)]
            viewer.stream.send_points(centres, layer_name="centres", position=position)
    picture = viewer.photograph(folder / "fiji.png").astype(int)
    assert (picture[:, :, 2] - picture[:, :, 0] > 60).mean() > 0.01, "blue nuclei"
    assert (picture[:, :, 0] - picture[:, :, 2] > 100).sum() > 500, "outlines of other colours"
    assert len(np.unique(picture)) > 100


def test_a_window_that_the_user_closed_stays_closed_until_it_is_wanted(viewer: Probe) -> None:
    viewer.send(1, well="A01", site=1)
    viewer.send(2, well="A02", site=1)
    viewer.macro('selectImage("A01"); close();')
    viewer.send(11, well="A01", site=1)
    viewer.send(12, well="A01", site=2)
    assert viewer.number("nImages") == 1
    viewer.stream.navigate({"well": "A01", "site": 2})
    assert viewer.macro("return getTitle();") == "A01"
    assert viewer.number("getPixel(1, 1)") == 12
    assert viewer.pixel("A01", 1, 1, 1) == 11
    viewer.macro('selectImage("A02"); close(); selectImage("A01"); close();')
    assert viewer.open_all() == "Open all windows"
    deadline = time.monotonic() + 20
    while viewer.number("nImages") < 2:
        assert time.monotonic() < deadline, "the windows did not open again"
    with pytest.raises(ViewerCommandError, match="nothing is shown of H12"):
        viewer.stream.navigate({"well": "H12"})


def test_an_image_that_the_user_made_into_something_else_is_left_alone(viewer: Probe) -> None:
    viewer.send(1, well="A01", site=1)
    viewer.send(2, well="A01", site=2)
    viewer.macro('makeRectangle(0, 0, 10, 10); run("Crop"); rename("my crop");')
    viewer.send(3, well="A01", site=1)
    assert (viewer.pixel("A01", 1, 1, 1), viewer.pixel("A01", 1, 1, 2), viewer.pixel("my crop", at=(2, 2))) == (3, 2, 1)


def test_two_producers_and_one_that_dies(viewer: Probe) -> None:
    dying = (
        "import numpy, os; from zmqruntime.streaming import ImageStream\n"
        f"stream = ImageStream({PORT}); stream.wait_connected()\n"
        f"stream.send(numpy.full(({SIDE}, {SIDE}), 33, 'uint16'), layer_name='GFP', position={{'well': 'A01'}})\n"
        "stream.settle(); stream.send(numpy.zeros((2000, 2000)), layer_name='last'); os._exit(1)\n"
    )
    viewer.send(22, well="A01")
    assert subprocess.run([sys.executable, "-c", dying], check=False, timeout=60).returncode == 1
    viewer.send(44, "Actin", well="A01")
    assert [viewer.pixel("A01", channel) for channel in (1, 2, 3)] == [44, 22, 33]


def test_a_missing_imagej_is_one_clear_line(open_viewer: Opener) -> None:
    manager = FijiProcessManager(PORT + 1, jar="/nowhere/ij.jar")
    with pytest.raises(ServerStartError) as caught:
        manager.start()
    assert "ImageJ was not found at /nowhere/ij.jar" in caught.value.log_tail
    assert "apt-get install default-jre libij-java" in caught.value.log_tail
    assert "Traceback" not in caught.value.log_tail


def test_a_jar_that_is_no_imagej_is_named(open_viewer: Opener, tmp_path: Path) -> None:
    jar = tmp_path / "other.jar"
    jar.write_bytes(b"PK\x05\x06" + bytes(18))
    with pytest.raises(ServerStartError) as caught:
        FijiProcessManager(PORT + 1, jar=str(jar)).start(timeout=60)
    assert "does not contain an ImageJ" in caught.value.log_tail
    assert "Traceback" not in caught.value.log_tail


def test_a_screen_that_is_not_there_is_named(open_viewer: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":59000")
    with pytest.raises(ServerStartError) as caught:
        FijiProcessManager(PORT + 1).start(timeout=60)
    assert "cannot open a window on display :59000" in caught.value.log_tail
    assert "xvfb-run" in caught.value.log_tail
    assert "Traceback" not in caught.value.log_tail


def test_a_fiji_folder_is_started_by_pyimagej(
    open_viewer: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in STAND_INS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "jars").mkdir()
    shutil.copy(find_installation().location, tmp_path / "jars" / "ij.jar")
    monkeypatch.syspath_prepend(str(tmp_path))
    with open_viewer(PORT + 3, fiji=str(tmp_path)) as viewer:
        viewer.send(5, well="A01")
        assert viewer.pixel("A01") == 5


def test_other_windows_a_memory_budget_and_a_viewer_that_is_closed(open_viewer: Opener) -> None:
    plane_bytes = SIDE * SIDE * 2
    with open_viewer(PORT + 2, windows=WindowScope.SITE, memory_budget=3 * plane_bytes, max_windows=2) as viewer:
        for site in (1, 2, 3):
            viewer.send(site, well="A01", site=site)
        assert viewer.number("nImages") == 2
        viewer.send(4, well="A01", site=2, timepoint=5)
        assert viewer.number("nImages") == 1, "the oldest has gone, and its window has nothing else"
        assert [viewer.pixel("A01, site 2", 1, 1, frame) for frame in (1, 2)] == [2, 4]
        viewer.send(5, well="A01", site=2, timepoint=6)
        assert [viewer.pixel("A01, site 2", 1, 1, frame) for frame in (1, 2, 3)] == [0, 4, 5], "the oldest is black"
        assert "dropped 1 planes or sets of regions so far" in viewer.manager.log_tail()
        viewer.stream.navigate({"site": 3})
        assert viewer.pixel("A01, site 3") == 3
        labels = np.ones((SIDE, SIDE), np.uint8)
        viewer.send(labels, "nuclei", well="A02", site=1, metadata={"kind": "labels"})
        assert viewer.number("nImages") == 2, "as many as may open by themselves"
        viewer.stream.navigate({"well": "A02"})
        assert (viewer.macro("return getTitle();"), viewer.number("Overlay.size")) == ("A02, site 1", 1)
        for site in range(10, 13):
            viewer.send(site, well="A02", site=site)
        titles = viewer.macro(
            's = ""; t = getList("image.titles"); for (i = 0; i < t.length; i++) s += t[i] + ";"; return s;'
        )
        assert "A02, site 1" not in titles.split(";"), "regions go as planes do, and their window with them"
        viewer.stream.navigate({"site": 12})
        assert viewer.pixel("A02, site 12") == 12
        process = psutil.Process(viewer.manager.start().pid)
        viewer.macro('doCommand("Quit");')
        process.wait(20)
        viewer.manager.stop()
        viewer.manager.start(timeout=60)
        viewer.stream.wait_connected()
        viewer.stream.settle()
        viewer.stream.navigate({"site": 12})
        assert viewer.pixel("A02, site 12") == 12, "a viewer that is opened again gets what is current"
