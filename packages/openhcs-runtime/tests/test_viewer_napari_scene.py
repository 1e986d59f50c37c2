"""The layers of the napari viewer, on napari's model without a window."""

import importlib.util
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from openhcs_runtime.rois import Ellipse, Mask, Points, Polygon, Roi, RoiError, to_imagej
from openhcs_runtime.viewers.components import Axes, Modes
from openhcs_runtime.viewers.metadata import Kind
from openhcs_runtime.viewers.napari.planes import common_dtype, to_plane
from openhcs_runtime.viewers.napari.regions import Dots, Drawn, dots_of, regions_of_rois, regions_of_shapes
from openhcs_runtime.viewers.napari.stack import PlaneStack
from openhcs_runtime.viewers.origin import Origin
from zmqruntime import Shape, ShapeKind
from zmqruntime.streaming import Position, UnsupportedArrayError, ViewerCommandError

SIDE = 32
SQUARE = [[2.0, 2.0], [2.0, 20.0], [20.0, 20.0], [20.0, 2.0]]

needs_napari = pytest.mark.skipif(importlib.util.find_spec("napari") is None, reason="napari is not installed")


class Bench:
    """A scene on a model of napari, and short ways to fill and to ask it."""

    def __init__(self, modes: dict[str, str], budget: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what napari itself imports
            from napari.components import ViewerModel  # type: ignore[import-untyped]

            from openhcs_runtime.viewers.napari.scene import Scene
        self.viewer = ViewerModel()
        self.scene = Scene(self.viewer, Modes.of(modes), budget)

    def put(self, value: float | npt.NDArray[Any], layer: str = "raw", /, **position: Any) -> None:
        """A plane of one value, or an array; not drawn yet."""
        metadata = position.pop("metadata", {})
        plane = value if isinstance(value, np.ndarray) else np.full((SIDE, SIDE), value, np.uint16)
        self.scene.put_image(plane, layer, position, metadata)

    def send(self, value: float | npt.NDArray[Any], layer: str = "raw", /, **position: Any) -> None:
        """The same, drawn."""
        self.put(value, layer, **position)
        self.scene.flush(at_once=True)

    def seen(self, layer: str = "raw", at: tuple[int, int] = (9, 9)) -> float:
        """What napari itself has cut out of a layer to be drawn, at one pixel."""
        return float(self.viewer.layers[layer]._data_view[at])

    @property
    def names(self) -> list[str]:
        return [layer.name for layer in self.viewer.layers]


@pytest.fixture
def bench() -> Iterator[Bench]:
    yield from _bench({}, 2**30)


def _bench(modes: dict[str, str], budget: int) -> Iterator[Bench]:
    made = Bench(modes, budget)
    yield made
    made.scene.close()


@pytest.fixture
def make_bench() -> Iterator[Any]:
    made: list[Bench] = []

    def make(modes: dict[str, str] | None = None, budget: int = 2**30) -> Bench:
        made.append(Bench(modes or {}, budget))
        return made[-1]

    yield make
    for one in made:
        one.scene.close()


# --- stacks, which need no napari ------------------------------------------------------------------------------------


def _stack(*places: Any, shape: tuple[int, ...] = (4, 5)) -> PlaneStack:
    axes = Axes(("well", "z_index"))
    stack = PlaneStack(axes, shape, Kind.IMAGE, np.dtype(np.uint8))
    for number, place in enumerate(places, start=1):
        axes.add(place)
        stack.put(place, np.full(shape, number, np.uint8))
    return stack


def _at(well: str, z: int) -> Any:
    return (("well", well), ("z_index", z))


def test_a_stack_gives_what_an_array_would() -> None:
    stack = _stack(_at("A1", 1), _at("A1", 2), _at("A3", 2), _at("A2", 1))
    array = np.asarray(stack)
    assert stack.shape == array.shape == (3, 2, 4, 5)
    assert array[:, :, 0, 0].tolist() == [[1, 2], [4, 0], [0, 3]]
    for key in (
        0,
        -1,
        (1, 0),
        (2, 1, 3),
        (slice(0, 1), slice(1, 2)),
        (..., 2),
        (1, ..., slice(1, 3)),
        (slice(2, 0, -1), 1),
    ):
        assert (stack[key] == array[key]).all(), key
        assert stack[key].shape == array[key].shape
    assert stack[slice(0, 0)].shape == (0, 2, 4, 5)
    with pytest.raises(IndexError):
        stack[3]
    with pytest.raises(IndexError):
        stack[0, 0, 0, 0, 0]


def test_a_plane_is_never_copied_again() -> None:
    stack = _stack(_at("A1", 1))
    first = stack[0, 0]
    for z in range(2, 50):
        stack._axes.add(_at("A1", z))
        stack.put(_at("A1", z), np.zeros((4, 5), np.uint8))
    assert np.shares_memory(stack[0, 0], first)


def test_a_plane_that_names_less_is_everywhere_but_where_there_is_a_better_one() -> None:
    stack = _stack(_at("A1", 1), (("well", "A1"),), _at("A2", 3))
    assert stack[:, :, 0, 0].tolist() == [[1, 2], [0, 3]]
    stack.drop((("well", "A1"),))
    assert stack[:, :, 0, 0].tolist() == [[1, 0], [0, 3]]


def test_elements_widen_and_no_value_changes() -> None:
    stack = _stack(_at("A1", 1))
    assert stack.put(_at("A1", 1), np.full((4, 5), 300, np.uint16))
    assert not stack.put(_at("A1", 1), np.full((4, 5), 200, np.uint8))
    assert stack.dtype == np.uint16
    assert stack[0, 0].dtype == np.uint16
    assert stack.nbytes_held == 20


@pytest.mark.parametrize(
    ("array", "kind", "rgb", "dtype", "value"),
    [
        (np.ones((2, 2), bool), Kind.IMAGE, False, "uint8", 1),
        (np.full((2, 2), 300, ">u2"), Kind.IMAGE, False, "uint16", 300),
        (np.full((2, 2), 1.5, "f2"), Kind.IMAGE, False, "float32", 1.5),
        (np.full((2, 2), 3 + 4j), Kind.IMAGE, False, "float64", 5),
        (np.full((2, 2), -(2**40)), Kind.IMAGE, False, "int64", -(2**40)),
        (np.full((2, 2), 7, "u8"), Kind.LABELS, False, "int64", 7),
        (np.ones((2, 2), bool), Kind.LABELS, False, "uint8", 1),
        (np.full((2, 2, 3), 65535, "u2"), Kind.IMAGE, True, "uint8", 255),
        (np.full((2, 2, 4), 0.5), Kind.IMAGE, True, "uint8", 128),
    ],
)
def test_types_of_elements(array: npt.NDArray[Any], kind: Kind, rgb: bool, dtype: str, value: float) -> None:
    plane = to_plane(array, kind, rgb=rgb)
    assert plane.dtype == dtype
    assert plane.dtype.isnative
    assert plane.flat[0] == value
    assert not np.shares_memory(plane, array)


@pytest.mark.parametrize(
    ("array", "kind", "rgb"),
    [
        (np.full((2, 2), "text"), Kind.IMAGE, False),
        (np.zeros((2, 2)), Kind.LABELS, False),
        (np.full((2, 2), 2**63, "u8"), Kind.LABELS, False),
        (np.zeros((2, 2, 3), "i4"), Kind.IMAGE, True),
    ],
)
def test_what_cannot_be_shown_is_refused(array: npt.NDArray[Any], kind: Kind, rgb: bool) -> None:
    with pytest.raises(UnsupportedArrayError):
        to_plane(array, kind, rgb=rgb)


def test_labels_stay_whole_numbers() -> None:
    assert common_dtype(np.dtype("u8"), np.dtype("i8"), Kind.LABELS) == np.int64
    assert common_dtype(np.dtype("u8"), np.dtype("i8"), Kind.IMAGE) == np.float64


def test_regions_of_all_kinds() -> None:
    shapes = [
        Shape(kind=ShapeKind.POLYGON, coordinates=SQUARE, properties={"label": 4}),
        Shape(kind=ShapeKind.POLYLINE, coordinates=[[9, *point] for point in SQUARE]),
        Shape(kind=ShapeKind.POINTS, coordinates=SQUARE[:2], properties={"name": "tips"}),
    ]
    drawn, dots = regions_of_shapes(shapes)
    assert drawn is not None
    assert dots is not None
    assert [str(kind) for kind in drawn.types] == ["polygon", "path"]
    assert [corners.tolist() for corners in drawn.data] == [SQUARE, SQUARE]
    assert drawn.features == {"label": [4, None]}
    assert dots.data.tolist() == SQUARE[:2]
    assert dots.features == {"name": ["tips", "tips"]}
    rois: list[Roi] = [Polygon(((1, 1), (1, 9), (9, 9))), Ellipse((10, 10), (5, 3)), Points(((3, 4),)), _ring()]
    drawn, dots = regions_of_rois([to_imagej(roi) for roi in rois], ["a"])
    assert drawn is not None
    assert dots is not None
    assert [str(kind) for kind in drawn.types] == ["polygon", "ellipse", "polygon"]
    assert drawn.features["name"][0] == "a"
    assert dots.data.tolist() == [[3, 4]]
    assert drawn.data[2].min() == 4.5


def _ring() -> Mask:
    pixels = np.ones((5, 5), bool)
    pixels[2, 2] = False
    return Mask(5, 5, pixels)


@pytest.mark.parametrize(
    "shape",
    [
        Shape(kind=ShapeKind.POLYGON, coordinates=SQUARE[:2]),
        Shape(kind=ShapeKind.ELLIPSE, coordinates=SQUARE[:3]),
        Shape(kind=ShapeKind.LINE, coordinates=[[1, 1], [1, float("nan")]]),
        Shape(kind=ShapeKind.POLYLINE, coordinates=[[1.0]]),
    ],
)
def test_shapes_that_make_no_sense_are_refused(shape: Shape) -> None:
    with pytest.raises(RoiError):
        regions_of_shapes([shape])


def test_points_that_make_no_sense_are_refused() -> None:
    with pytest.raises(UnsupportedArrayError):
        dots_of(np.zeros((3, 1)), {})
    assert dots_of(np.zeros((3, 5)), {}).data.shape == (3, 3)


# --- layers ----------------------------------------------------------------------------------------------------------

pytestmark = needs_napari


def test_every_plane_is_where_it_belongs(bench: Bench) -> None:
    for well in ("A10", "A2"):
        for site in (2, 1):
            for z in (1, 2, 3):
                for number, channel in enumerate(("DAPI", "GFP"), start=1):
                    value = 10_000 * number + 1000 * len(well) + 100 * site + z
                    bench.put(value, well=well, site=site, channel=channel, z_index=z)
    bench.scene.flush(at_once=True)
    assert bench.names == ["raw, DAPI", "raw, GFP"]
    assert bench.viewer.dims.nsteps[:4] == (2, 2, 1, 3)
    for well, z in (("A2", 1), ("A10", 3), ("A2", 3)):
        bench.scene.navigate({"well": well, "site": 2, "z_index": z})
        assert bench.scene.text == f"{well}, site 2, z {z}"
        assert bench.seen("raw, DAPI") == 10_000 + 1000 * len(well) + 200 + z
        assert bench.seen("raw, GFP") == 20_000 + 1000 * len(well) + 200 + z
    assert bench.viewer.dims.axis_labels == ("well", "site", "timepoint", "z", "y", "x")


def _reads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What napari cuts out of stacks from now on."""
    read: list[Any] = []
    real = PlaneStack.__getitem__

    def watched(self: PlaneStack, key: Any) -> npt.NDArray[Any]:
        read.append(key)
        return real(self, key)

    monkeypatch.setattr(PlaneStack, "__getitem__", watched)
    return read


def test_a_new_plane_changes_one_plane(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for site in range(1, 30):
        bench.put(site, site=site)
    bench.scene.flush(at_once=True)
    read = _reads(monkeypatch)
    bench.send(500, site=7)  # not in view
    assert read == []
    bench.send(501, site=1)
    assert len(read) == 1
    assert bench.seen() == 501
    bench.scene.navigate({"site": 7})
    assert bench.seen() == 500


def test_the_user_stays_where_he_is_while_sliders_get_longer(bench: Bench) -> None:
    for well in ("C3", "D1"):
        bench.send(int(well[1]), well=well)
    bench.scene.navigate({"well": "C3"})
    bench.send(7, well="A1")
    bench.send(8, well="B1")
    assert bench.scene.text == "C3"
    assert bench.viewer.dims.current_step[0] == 2
    assert bench.seen() == 3


def test_the_text_says_what_the_well_contains(bench: Bench) -> None:
    bench.send(1, well="B03", site=1, metadata={"well_text": "compound X,\n dose_um 0.3"})
    bench.send(2, well="B04", site=1, metadata={"well_text": 7})
    bench.scene.navigate({"well": "B03"})
    assert bench.scene.text == "B03, site 1 - compound X, dose_um 0.3"
    bench.scene.navigate({"well": "B04"})
    assert bench.scene.text == "B04, site 1"
    bench.send(3, well="B04", site=1, metadata={"well_text": "x" * 1000})
    assert len(bench.scene.text) < 250
    bench.scene.clear(None)
    bench.send(1, well="B03", site=1)
    assert bench.scene.text == "B03, site 1"


def test_longer_sliders_are_told_by_one_layer_and_valid_for_all(bench: Bench) -> None:
    for channel in ("a", "b", "c"):
        bench.send(1, channel=channel, site=1)
    for site in (2, 3, 4):
        bench.send(40 + site, channel="c", site=site)
    bench.send(77, channel="a", site=4)
    bench.scene.navigate({"site": 4})
    assert (bench.seen("raw, a"), bench.seen("raw, b"), bench.seen("raw, c")) == (77, 0, 44)
    del bench.viewer.layers["raw, a"]
    bench.scene.flush(at_once=True)
    assert bench.viewer.dims.nsteps[1] == 4
    bench.scene.clear("raw")
    bench.send(5, site=9)
    assert bench.seen() == 0  # the sliders stay where they are


def test_kinds_lie_in_their_order(bench: Bench) -> None:
    bench.scene.put_points(Dots(np.zeros((1, 2)), {}), "dots", {}, {})
    drawn, _ = regions_of_shapes([Shape(kind=ShapeKind.POLYGON, coordinates=SQUARE)])
    assert drawn is not None
    bench.scene.put_shapes(drawn, "outlines", {}, {})
    bench.send(np.ones((SIDE, SIDE), int), "cells", metadata={"kind": "labels"})
    bench.send(1, "raw")
    bench.send(1, "smooth")
    assert bench.names == ["raw", "smooth", "cells", "outlines", "dots"]
    assert type(bench.viewer.layers["cells"]).__name__ == "Labels"
    assert not bench.viewer.layers["cells"].editable


def test_colours_contrast_and_sizes_from_metadata(bench: Bench) -> None:
    look = {"colormap": "green", "contrast_limits": [10, 400], "pixel_size": [0.5, 0.25], "z_step": 2.0}
    bench.send(5, "first", metadata=look)
    bench.send(5, "second", metadata={"colormap": "#ff8000"})
    bench.send(5, "third", metadata={"colormap": "viridis", "pixel_size": 3})
    bench.send(5, "fourth", metadata={"colormap": "no such thing"})
    first, second, third, fourth = (bench.viewer.layers[name] for name in ("first", "second", "third", "fourth"))
    assert first.colormap.name == "green"
    assert first.contrast_limits == [10, 400]
    assert tuple(first.scale) == (1, 1, 1, 2, 0.5, 0.25)
    assert tuple(second.scale) == (1, 1, 1, 2, 0.5, 0.25)  # what nobody says is as what somebody said
    assert tuple(third.scale[-2:]) == (3, 3)
    assert second.colormap.map(np.array([1.0])).ravel()[:3] == pytest.approx([1, 0.5, 0], abs=0.01)
    assert third.colormap.name == "viridis"
    assert fourth.colormap.name == "gray"


def test_a_z_step_that_comes_late_moves_nobody(bench: Bench) -> None:
    for z in (1, 2, 3, 4):
        bench.send(z, z_index=z)
    bench.scene.navigate({"z_index": 3})
    bench.send(4, z_index=4, metadata={"z_step": 2.5, "pixel_size": 0.5})
    assert bench.scene.text == "z 3"
    assert bench.seen() == 3
    bench.scene.navigate({"z_index": 4})
    assert bench.viewer.dims.point[3] == 7.5
    assert bench.seen() == 4


def test_a_range_that_nobody_named_grows(bench: Bench) -> None:
    bench.send(np.arange(SIDE * SIDE, dtype=np.uint16).reshape(SIDE, SIDE), site=1)
    before = bench.viewer.layers["raw"].contrast_limits
    bench.send(np.full((SIDE, SIDE), 5000, np.uint16), site=2)
    after = bench.viewer.layers["raw"].contrast_limits
    assert after == [before[0], 5001]


def test_what_the_user_changed_stays(bench: Bench) -> None:
    for name in ("raw", "smooth"):
        bench.send(100, name, site=1, metadata={"contrast_limits": [0, 1000], "colormap": "green"})
    layer = bench.viewer.layers["raw"]
    layer.contrast_limits = (7, 70)
    layer.colormap = "magma"
    layer.opacity = 0.3
    layer.visible = False
    layer.name = "mine"
    bench.viewer.layers.move(0, 2)
    bench.viewer.layers["smooth"].gamma = 0.5
    own = bench.viewer.add_image(np.zeros((4, 4)), name="own")
    for site in (1, 2, 3):
        for name in ("raw", "smooth"):
            bench.send(900, name, site=site, metadata={"contrast_limits": [0, 2000], "colormap": "red"})
    assert bench.names == ["smooth", "mine", "own"]
    assert layer.contrast_limits == [7, 70]
    assert (layer.colormap.name, layer.opacity, layer.visible) == ("magma", 0.3, False)
    other = bench.viewer.layers["smooth"]
    assert (other.contrast_limits, other.colormap.name, other.gamma) == ([0, 2000], "red", 0.5)
    layer.visible = True
    bench.scene.navigate({"site": 3})
    assert bench.seen("mine") == 900
    bench.scene.clear(None)
    assert own in bench.viewer.layers
    assert bench.names == ["own"]


def test_a_layer_that_the_user_removed_stays_away_until_all_is_cleared(bench: Bench) -> None:
    bench.send(1, site=1)
    bench.send(1, "other", site=1)
    del bench.viewer.layers["raw"]
    bench.send(2, site=2)
    assert bench.names == ["other"]
    bench.scene.clear("raw")
    bench.send(3, site=1)
    assert bench.names == ["other", "raw"]
    assert bench.seen() == 3


def test_another_type_in_the_same_layer(bench: Bench) -> None:
    bench.send(np.full((SIDE, SIDE), 200, np.uint8), site=1)
    for value in (np.uint16(60_000), np.int32(-5), np.float32(0.5), np.float64(0.25), np.int8(-3)):
        bench.send(np.full((SIDE, SIDE), value), site=2)
        bench.scene.navigate({"site": 2})
        assert bench.seen() == value
        bench.scene.navigate({"site": 1})
        assert bench.seen() == 200
    assert bench.names == ["raw"]
    with pytest.raises(UnsupportedArrayError):
        bench.send(np.full((SIDE, SIDE), "no"))


def test_another_size_has_a_layer_of_its_own(bench: Bench) -> None:
    bench.send(1, site=1)
    bench.send(np.full((16, 24), 2, np.uint16), site=1)
    bench.send(np.zeros((8, 8, 3), np.uint8), site=1, metadata={"rgb": True})
    assert bench.names == ["raw", "raw (16 x 24)", "raw (8 x 8 x 3)"]
    assert bench.seen("raw") == 1
    assert bench.seen("raw (16 x 24)") == 2
    assert bench.viewer.layers[2].rgb
    bench.send(3, site=1)
    assert bench.seen("raw") == 3
    assert len(bench.names) == 3


def test_stacks_as_arrays_and_three_dimensions(bench: Bench) -> None:
    bench.send(np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((4, SIDE, SIDE), np.uint8), well="A1")
    assert bench.viewer.dims.nsteps[3] == 4
    bench.viewer.dims.ndisplay = 3
    assert bench.viewer.layers["raw"]._data_view[:, 5, 5].tolist() == [0, 1, 2, 3]
    bench.send(9, well="A1", z_index=3)
    assert bench.viewer.layers["raw"]._data_view[:, 5, 5].tolist() == [0, 1, 9, 3]
    bench.send(7, well="A2", z_index=3)
    assert bench.viewer.layers["raw"]._data_view[:, 5, 5].tolist() == [0, 1, 9, 3]


def test_a_slider_that_nobody_expected(bench: Bench) -> None:
    bench.send(1, well="A1", z_index=1, metadata={"z_step": 3})
    bench.send(2, well="A2", z_index=1)
    bench.scene.navigate({"well": "A2"})
    bench.send(3, well="A2", z_index=1, cycle=1)
    bench.send(4, well="A2", z_index=1, cycle=2)
    assert bench.viewer.dims.ndim == 7
    assert bench.viewer.layers["raw"].axis_labels[0] == "cycle"
    bench.scene.navigate({"cycle": 2, "well": "A2"})
    assert bench.seen() == 4
    bench.scene.navigate({"cycle": 1})
    assert bench.seen() == 3
    bench.scene.navigate({"well": "A1"})
    assert bench.seen() == 1


def test_components_as_layers(make_bench: Any) -> None:
    bench = make_bench({"well": "layer", "channel": "slider"})
    for well in ("A1", "A2"):
        for channel in ("DAPI", "GFP"):
            bench.put(int(well[1]) * 10 + len(channel), well=well, channel=channel)
    bench.scene.flush(at_once=True)
    assert bench.names == ["raw, A1", "raw, A2"]
    bench.scene.navigate({"well": "A2", "channel": "GFP"})
    assert [layer.visible for layer in bench.viewer.layers] == [False, True]
    assert bench.seen("raw, A2") == 23


def test_where_nothing_is_there_is_no_way(bench: Bench) -> None:
    bench.send(1, well="A1", site=1, channel="DAPI")
    nowhere: list[Position] = [{"well": "B1"}, {"site": 2}, {"well": "A1", "site": 3}, {"channel": "GFP"}]
    nowhere.append({"timepoint": 1})
    for position in nowhere:
        with pytest.raises(ViewerCommandError, match="nothing is shown of"):
            bench.scene.navigate(position)
    bench.scene.navigate({"well": "A1", "channel": "DAPI"})


def test_past_the_memory_budget_the_oldest_go_and_are_counted(make_bench: Any) -> None:
    plane = SIDE * SIDE * 2
    bench = make_bench(budget=5 * plane)
    for site in range(1, 9):
        bench.send(site, site=site)
    bench.send(44, site=4)  # it is the newest now
    bench.send(9, site=9)
    assert bench.scene.dropped == 4
    array = np.asarray(bench.viewer.layers["raw"].data)
    assert array[0, :, 0, 0, 0, 0].tolist() == [0, 0, 0, 44, 0, 6, 7, 8, 9]
    bench.scene.clear(None)
    for site in range(1, 6):
        bench.send(site, site=site)
    assert bench.scene.dropped == 4
    bench.send(np.ones((4 * SIDE, SIDE), np.uint16), "large")
    assert bench.scene.dropped == 8
    bench.send(np.ones((40 * SIDE, SIDE), np.uint16), "huge")  # the newest is kept whatever it takes
    assert bench.seen("huge") == 1


def _square(label: int) -> Drawn:
    drawn, _ = regions_of_shapes([Shape(kind=ShapeKind.POLYGON, coordinates=SQUARE, properties={"label": label})])
    assert drawn is not None
    return drawn


def test_shapes_and_points_are_those_of_the_place(bench: Bench) -> None:
    for well in ("A1", "A2", "A3"):
        bench.put(1, well=well, site=1, z_index=1)
        bench.put(1, well=well, site=1, z_index=2)
    for well, count in (("A1", 3), ("A2", 5)):
        position: Position = {"well": well, "site": 1}
        bench.scene.put_points(Dots(np.full((count, 2), 4.0), {"area": list(range(count))}), "cells", position, {})
        bench.scene.put_shapes(_square(count), "outlines", position, {"color": "red"})
    bench.scene.flush(at_once=True)
    points, shapes = bench.viewer.layers["cells"], bench.viewer.layers["outlines"]
    for well, count in (("A1", 3), ("A2", 5), ("A3", 0), ("A1", 3)):
        for z in (1, 2):
            bench.scene.navigate({"well": well, "z_index": z})
            bench.scene.flush()
            assert len(points.data) == count
            assert list(points.features.get("area", [])) == list(range(count))
            assert list(shapes.features.get("label", [])) == [count] * bool(count)
            assert shapes.nshapes == bool(count)
    assert shapes.edge_color[0, :3].tolist() == [1, 0, 0]
    shapes.current_edge_color = "blue"
    bench.scene.put_shapes(_square(9), "outlines", {"well": "A1", "site": 1}, {"color": "red"})
    bench.scene.flush()
    assert list(shapes.features["label"]) == [9]
    assert shapes.edge_color[0, :3].tolist() == [0, 0, 1]
    bench.scene.put_shapes(Drawn([], [], {}), "outlines", {"well": "A1", "site": 1}, {})
    bench.scene.flush()
    assert shapes.nshapes == 0


def test_many_shapes_are_drawn_a_part_at_a_time(bench: Bench) -> None:
    bench.send(1, well="A1")
    drawn = _square(1)
    many = Drawn(list(drawn.types) * 300, list(drawn.data) * 300, {"label": list(range(300))})
    bench.scene.put_shapes(many, "outlines", {"well": "A1"}, {})
    flushes = 1
    while not bench.scene.flush().is_done:
        flushes += 1
    assert flushes >= 4
    assert list(bench.viewer.layers["outlines"].features["label"]) == list(range(300))


def test_points_with_z_are_seen_in_their_planes(bench: Bench) -> None:
    for z in (1, 2, 3):
        bench.put(z, z_index=z, metadata={"z_step": 2.0, "pixel_size": 0.5})
    bench.scene.put_points(dots_of(np.array([[0, 1, 1], [2, 5, 5], [2, 6, 6]]), {}), "spots", {}, {})
    bench.scene.flush(at_once=True)
    spots = bench.viewer.layers["spots"]
    for z, count in ((1, 1), (2, 0), (3, 2)):
        bench.scene.navigate({"z_index": z})
        assert len(spots._view_data) == count


def test_shapes_in_three_dimensions(bench: Bench) -> None:
    bench.send(np.ones((3, SIDE, SIDE), np.uint8), well="A1")
    bench.viewer.dims.ndisplay = 3
    for count in (1, 2, 3):
        bench.scene.put_shapes(_square(count), "outlines", {"well": "A1"}, {})
        assert bench.scene.flush(at_once=True).is_done
    assert list(bench.viewer.layers["outlines"].features["label"]) == [3]


def test_a_thousand_planes_cost_no_more_than_ten(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = _reads(monkeypatch)
    counts = []
    for site in range(1, 1001):
        before = len(calls)
        bench.send(1, site=site)
        counts.append(len(calls) - before)
    assert max(counts[10:]) == max(counts[990:]) <= 2


# --- plates and runs -------------------------------------------------------------------------------------------------

PLATES = {name: {"plate": f"/data/{name}", "run": f"/data/{name}_results/first"} for name in ("p6", "plateB")}


class PlatesBench:
    """Several plates on a model of napari."""

    def __init__(self, budget: int = 2**30) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what napari itself imports
            from napari.components import ViewerModel

            from openhcs_runtime.viewers.napari.scenes import Scenes
        self.viewer = ViewerModel()
        self.scenes = Scenes(self.viewer, Modes.of({}), budget)

    def send(self, value: int, layer: str = "plate", /, **position: Any) -> bool:
        metadata = {"kind": position.pop("kind", "image"), **position.pop("metadata", {})}
        side = position.pop("side", SIDE)
        is_seen = self.scenes.put_image(np.full((side, side), value, np.uint16), layer, position, metadata)
        self.scenes.flush(at_once=True)
        return is_seen

    def seen(self, layer: str = "plate") -> float:
        """The value of a plane where the sliders are, also of labels, of which only the outlines are drawn."""
        return float(self.viewer.layers[layer].data[self.viewer.dims.current_step[:-2]][9, 9])


@pytest.fixture
def plates() -> Iterator[PlatesBench]:
    made = PlatesBench()
    yield made
    made.scenes.close()


@needs_napari
def test_another_plate_is_never_in_the_same_stack(plates: PlatesBench) -> None:
    for value, (name, place) in enumerate(PLATES.items(), start=1):
        for well in ("A01", "A02"):
            plates.send(10 * value + int(well[-1]), side=SIDE * value, well=well, **place)
        assert plates.scenes.title == f"plate {name}, run first"
    assert [layer.data.shape for layer in plates.viewer.layers] == [(2, 1, 1, 1, 2 * SIDE, 2 * SIDE)]
    plates.scenes.navigate({"well": "A02"})
    assert (plates.seen(), plates.scenes.text) == (22, "plate plateB, run first\nwell A02")
    assert plates.scenes.axis_labels[0] == "well A02"
    assert plates.viewer.layers[0].metadata == PLATES["plateB"]
    plates.scenes.navigate({**PLATES["p6"], "well": "A02"})
    assert plates.seen() == 12
    plates.scenes.show(Origin(**PLATES["plateB"]))
    assert plates.seen() == 22, "the sliders of each plate stay where they were"
    with pytest.raises(ViewerCommandError, match="nothing is shown of plate other, A02"):
        plates.scenes.navigate({"plate": "/data/other", "well": "A02"})


@needs_napari
def test_labels_of_two_runs_do_not_mix(plates: PlatesBench) -> None:
    first, second = ({"plate": "/data/p6", "run": f"/data/p6_results/{name}"} for name in ("first", "second"))
    plates.send(1, "labels", kind="labels", well="A01", **first)
    plates.send(2, "labels", kind="labels", well="A02", **second)
    assert plates.viewer.layers["labels"].data.shape[0] == 1
    assert plates.seen("labels") == 2
    assert not plates.send(3, "labels", kind="labels", well="A02", **first), "it does not take over"
    assert plates.seen("labels") == 2
    plates.scenes.navigate({**first, "well": "A02"})
    assert plates.seen("labels") == 3
    assert (plates.viewer.layers["labels"].contour, plates.viewer.layers["labels"].opacity) == (1, 1.0)


@needs_napari
def test_what_the_user_changed_is_there_when_a_plate_is_shown_again(plates: PlatesBench) -> None:
    plates.send(5, well="A01", **PLATES["p6"], metadata={"pixel_size": 0.5})
    plates.viewer.layers["plate"].contrast_limits = (0, 77)
    assert plates.scenes.has_scale
    assert [str(unit) for unit in plates.viewer.layers["plate"].units[-2:]] == ["micrometer", "micrometer"]
    plates.send(6, well="A01", **PLATES["plateB"])
    assert not plates.scenes.has_scale
    plates.scenes.show(Origin(**PLATES["p6"]))
    assert list(plates.viewer.layers["plate"].contrast_limits) == [0, 77]
    del plates.viewer.layers["plate"]
    plates.send(7, well="A01", **PLATES["p6"])
    assert not plates.viewer.layers
    plates.send(8, well="A01", **PLATES["p6"], metadata={"wanted": True})
    assert plates.seen() == 8, "the user has asked for it"


@needs_napari
def test_plates_looked_at_long_ago_are_forgotten() -> None:
    plates = PlatesBench(budget=5 * SIDE * SIDE * 2)
    for number in range(1, 31):
        plates.send(number, well="A01", plate=f"/data/p{number}")
    assert [origin.plate for origin in plates.scenes.titles] == [f"/data/p{number}" for number in range(26, 31)]
    assert plates.scenes.dropped == 25
    plates.scenes.clear(None)
    assert (len(plates.viewer.layers), plates.scenes.text, plates.scenes.dropped) == (0, "", 25)
    plates.scenes.close()


@needs_napari
def test_images_of_other_sizes_at_one_place_are_named(plates: PlatesBench) -> None:
    plates.send(1, "plate", side=64, well="A01", **PLATES["p6"])
    plates.send(1, "Project", side=32, well="A01", **PLATES["p6"])
    assert plates.scenes.text.endswith("\nsizes differ: plate 64 x 64; Project 32 x 32")
