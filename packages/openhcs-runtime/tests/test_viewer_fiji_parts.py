"""What of the Fiji viewer needs no Java: where images belong, what elements become, where ImageJ is looked for."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from openhcs_runtime.viewers.components import describe
from openhcs_runtime.viewers.fiji.java import Installation, Source, find_installation, start_java
from openhcs_runtime.viewers.fiji.layout import HyperstackAxis, Layout, Places, StackAxes, WindowScope
from openhcs_runtime.viewers.fiji.planes import Element, fill, grey_planes
from openhcs_runtime.viewers.fiji.server import FijiViewerServer
from zmqruntime import ConfigurationError
from zmqruntime.streaming import Position, UnsupportedArrayError

POSITION: Position = {"well": "B02", "site": 2, "channel": 1, "z_index": 3, "timepoint": 4}


@pytest.mark.parametrize(
    ("windows", "title", "frame"),
    [
        (WindowScope.WELL, "B02", "site 2, timepoint 4"),
        (WindowScope.SITE, "B02, site 2", "timepoint 4"),
        (WindowScope.ALL, "", "B02, site 2, timepoint 4"),
    ],
)
def test_wells_sites_or_nothing_have_windows(windows: WindowScope, title: str, frame: str) -> None:
    layout = Layout.of(windows)
    cell = layout.cell("DAPI", POSITION)
    assert describe(layout.window(POSITION)) == title
    assert (describe(cell.channel), describe(cell.slice), describe(cell.frame)) == ("DAPI, channel 1", "z 3", frame)


def test_a_component_can_go_elsewhere() -> None:
    cell = Layout.of(WindowScope.WELL, {"site": HyperstackAxis.SLICE}).cell("DAPI", POSITION)
    assert describe(cell.slice) == "site 2, z 3"
    assert describe(cell.frame) == "timepoint 4"
    with pytest.raises(ValueError, match="sideways"):
        Layout.of(WindowScope.WELL, {"site": "sideways"})
    with pytest.raises(ConfigurationError, match="well, site or all"):
        FijiViewerServer(windows="plate", jar=__file__)


def test_axes_grow_in_natural_order() -> None:
    layout, axes = Layout.of(WindowScope.ALL), StackAxes()
    for well in ("A10", "A2", "B1", "A1"):
        assert axes.add(layout.cell("DAPI", {"well": well}))
    assert not axes.add(layout.cell("DAPI", {"well": "A2"}))
    assert [describe(frame) for frame in axes.frames] == ["A1", "A2", "A10", "B1"]
    assert axes.sizes == (1, 1, 4)
    assert axes.numbers(layout.cell("DAPI", {"well": "A10"})) == (1, 1, 3)
    assert axes.cells()[2] == axes.cell_at(1, 1, 3)


@pytest.mark.parametrize(
    ("given", "element", "expected"),
    [
        (np.array([[0, 255]], np.uint8), Element.UINT8, [0, 255]),
        (np.array([[False, True]]), Element.UINT8, [0, 255]),
        (np.array([[1, 65535]], ">u2"), Element.UINT16, [1, 65535]),
        (np.array([[-3, 7]], np.int16), Element.FLOAT32, [-3, 7]),
        (np.array([[2**24, 2**30]], np.int64), Element.FLOAT32, [2**24, 2**30]),
        (np.array([[0.5, 1e300]]), Element.FLOAT32, [0.5, np.inf]),
        (np.array([[3 + 4j, 0]]), Element.FLOAT32, [5, 0]),
    ],
)
def test_elements_become_what_the_rule_says(given: Any, element: Element, expected: list[float]) -> None:
    assert Element.of(given.dtype) is element
    target = np.empty(given.shape, element.dtype)
    fill(target, given)
    assert target.tolist() == [expected]


def test_planes_of_stacks_and_of_colour_pictures() -> None:
    stack = np.arange(24).reshape(2, 3, 4)
    assert [more for more, _ in grey_planes(stack, {})] == [{"z_index": 1}, {"z_index": 2}]
    picture = np.zeros((5, 6, 4), np.uint8)
    assert [plane.shape for _, plane in grey_planes(picture, {"rgb": True})] == [(5, 6)] * 3
    for wrong, metadata in ((np.zeros(4), {}), (np.zeros((0, 4)), {}), (np.zeros((4, 4)), {"rgb": True})):
        with pytest.raises(UnsupportedArrayError):
            list(grey_planes(wrong, metadata))
    with pytest.raises(UnsupportedArrayError, match="numbers"):
        Element.of(np.dtype("U4"))


def test_imagej_is_found_where_it_is_named(tmp_path: Path) -> None:
    jar = tmp_path / "ij.jar"
    jar.touch()
    assert find_installation(jar=str(jar)) == Installation(Source.JAR, str(jar))
    assert find_installation(environment={"IJ_JAR": str(jar)}) == Installation(Source.JAR, str(jar))
    with pytest.raises(ConfigurationError, match=r"ImageJ was not found at .*apt-get install default-jre libij-java"):
        find_installation(jar=str(tmp_path / "none.jar"))
    with pytest.raises(ConfigurationError, match="Fiji was not found at"):
        find_installation(environment={"FIJI_HOME": str(tmp_path / "none")})


def test_a_fiji_folder_gives_its_plain_imagej_without_pyimagej(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match="needs pyimagej"):
        find_installation(fiji=str(tmp_path))
    jar = tmp_path / "jars" / "ij-1.54f.jar"
    jar.parent.mkdir()
    jar.touch()
    assert find_installation(fiji=str(tmp_path)) == Installation(Source.JAR, str(jar))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    assert find_installation(fiji=str(tmp_path)) == Installation(Source.PYIMAGEJ, str(tmp_path))
    assert find_installation(fiji="sc.fiji:fiji") == Installation(Source.PYIMAGEJ, "sc.fiji:fiji")


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(ConfigurationError, match="xvfb-run"):
        start_java(Installation(Source.JAR, "ij.jar"), 1)
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"openhcs-runtime\[fiji\]"):
        start_java(Installation(Source.JAR, "ij.jar"), 1)


def test_a_missing_java_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class NotFoundError(ValueError):
        pass

    def start(*args: object, **options: object) -> None:
        raise NotFoundError("No JVM shared library file (libjvm.so) found")

    stand_in = SimpleNamespace(startJVM=start, JVMNotFoundException=NotFoundError, JException=ArithmeticError)
    monkeypatch.setitem(sys.modules, "jpype", stand_in)
    monkeypatch.setitem(sys.modules, "jpype.config", SimpleNamespace())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setenv("DISPLAY", ":99")
    with pytest.raises(ConfigurationError, match=r"Java was not found.*apt-get install default-jre.*JAVA_HOME"):
        start_java(Installation(Source.JAR, "ij.jar"), 1)


def test_regions_find_the_planes_that_nothing_speaks_against() -> None:
    site = [(("site", number),) for number in (1, 2)]
    places = Places(site)
    assert [places.find(wanted) for wanted in (site[1], (), (("site", 3),), (("z_index", 3),))] == [2, 0, None, 0]
    assert places.find((("site", 2), ("timepoint", 1))) == 2, "the planes do not know the time"
    finer = Places([(("site", site), ("timepoint", time)) for site in (1, 2) for time in (1, 2)])
    assert finer.find((("site", 2),)) == 3, "the first of those that it may be"
    assert Places([]).find(()) is None
