"""Where things belong in a viewer, and how they are to look: logic that needs no viewer."""

import sys
from subprocess import run
from typing import Any

import numpy as np
import pytest

from openhcs_runtime.text import natural_key
from openhcs_runtime.viewers.components import Axes, ComponentMode, Modes, describe, is_at, split_planes
from openhcs_runtime.viewers.metadata import Appearance, Kind, colour_of, display_range, read_appearance
from zmqruntime.streaming import Position, UnsupportedArrayError

POSITION: Position = {"z_index": 3, "well": "B02", "channel": "GFP", "site": 2, "timepoint": 4}


def test_channels_and_kinds_have_layers_and_the_rest_are_sliders() -> None:
    modes = Modes.of()
    assert modes.sliders == ("well", "site", "timepoint", "z_index")
    assert modes.place(POSITION) == (("well", "B02"), ("site", 2), ("timepoint", 4), ("z_index", 3))
    images, labels = (modes.layer(kind, "cells", POSITION) for kind in (Kind.IMAGE, Kind.LABELS))
    assert images != labels
    assert images.title == "cells, GFP"
    assert images == modes.layer(Kind.IMAGE, "cells", {**POSITION, "site": 7})
    assert images != modes.layer(Kind.IMAGE, "cells", {**POSITION, "channel": "DAPI"})
    assert images != modes.layer(Kind.IMAGE, "cells", POSITION, (64, 64))


def test_every_component_can_be_the_other() -> None:
    modes = Modes.of({"channel": "slider", "site": ComponentMode.LAYER, "well": "layer"})
    assert modes.sliders == ("channel", "timepoint", "z_index")
    assert modes.layer(Kind.IMAGE, "raw", POSITION).title == "raw, B02, site 2"
    assert describe(modes.place(POSITION)) == "GFP, timepoint 4, z 3"
    with pytest.raises(ValueError, match="sideways"):
        Modes.of({"site": "sideways"})


def test_the_order_of_a_position_does_not_matter() -> None:
    modes = Modes.of()
    other = dict(reversed(POSITION.items()))
    assert modes.place(other) == modes.place(POSITION)
    assert modes.layer(Kind.IMAGE, "a", other) == modes.layer(Kind.IMAGE, "a", POSITION)


def test_sliders_get_longer_in_natural_order() -> None:
    axes = Axes(("well", "site"))
    assert axes.sizes == (1, 1)
    assert not axes.add((("well", "A10"), ("site", 1)))  # the one step that there was anyway
    for well in ("A2", "B1", "A1"):
        assert axes.add((("well", well), ("site", 1)))
    assert not axes.add((("well", "A2"),))
    assert axes.values("well") == ("A1", "A2", "A10", "B1")
    assert axes.steps((("well", "A10"),), (0, 0)) == (2, 0)
    assert axes.steps((("well", "C7"),), (3, 0)) == (3, 0)
    assert axes.place((2, 0)) == (("well", "A10"), ("site", 1))


def test_a_component_that_nobody_expected_is_one_more_slider() -> None:
    axes = Axes(("well",))
    axes.add((("well", "A1"),))
    place = Modes.of().place({"well": "A1", "cycle": 2})
    assert place == (("cycle", 2), ("well", "A1"))
    axes.add(place)
    axes.add((("cycle", 1), ("well", "A1")))
    assert axes.names == ("cycle", "well")
    assert axes.sizes == (2, 1)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["A10", "A2", "B1", "A1"], ["A1", "A2", "A10", "B1"]),
        ([10, 9, 2.5], [2.5, 9, 10]),
        (["x", 3, "10"], [3, "10", "x"]),
    ],
)
def test_natural_order(values: list[Any], expected: list[Any]) -> None:
    assert sorted(values, key=natural_key) == expected


def test_what_names_less_is_seen_in_more_places() -> None:
    where: Position = {"well": "A1", "z_index": 3}
    assert is_at((), where)
    assert is_at((("well", "A1"),), where)
    assert not is_at((("well", "A1"), ("z_index", 2)), where)


def test_planes_of_stacks() -> None:
    stack = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    found = list(split_planes(stack, {"well": "A1"}, rgb=False))
    assert [position for position, _ in found] == [{"well": "A1", "z_index": 1}, {"well": "A1", "z_index": 2}]
    assert (found[1][1] == stack[1]).all()
    assert [position for position, _ in split_planes(stack[0], {"site": 1}, rgb=False)] == [{"site": 1}]
    assert [plane.shape for _, plane in split_planes(np.zeros((5, 6, 3)), {}, rgb=True)] == [(5, 6, 3)]


@pytest.mark.parametrize(
    ("shape", "rgb"), [((), False), ((5,), False), ((0, 5), False), ((5, 5), True), ((4, 4, 2), True)]
)
def test_what_has_nothing_to_see_is_refused(shape: tuple[int, ...], rgb: bool) -> None:
    with pytest.raises(UnsupportedArrayError, match="image"):
        list(split_planes(np.zeros(shape), {}, rgb=rgb))


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, Appearance()),
        ({"kind": "labels"}, Appearance(kind=Kind.LABELS)),
        ({"kind": "smell", "rgb": True}, Appearance(rgb=True)),
        ({"colormap": "Red"}, Appearance(colormap="Red", colour=0xFF0000)),
        ({"color": "#12ab00"}, Appearance(colormap="#12ab00", colour=0x12AB00)),
        ({"colormap": "viridis"}, Appearance(colormap="viridis")),
        ({"contrast_limits": [1, 5]}, Appearance(contrast_limits=(1.0, 5.0))),
        ({"contrast_limits": [5, 1]}, Appearance()),
        ({"contrast_limits": 5}, Appearance()),
        ({"contrast_limits": [float("nan"), 1]}, Appearance()),
        ({"pixel_size": 0.5, "z_step": 2}, Appearance(pixel_size=(0.5, 0.5), z_step=2.0)),
        ({"pixel_size": [0.5, 0.25]}, Appearance(pixel_size=(0.5, 0.25))),
        ({"pixel_size": 0, "z_step": -1}, Appearance()),
        ({"pixel_size": "large", "z_step": None, "colormap": 7}, Appearance()),
    ],
)
def test_metadata_are_read_and_nonsense_is_not(metadata: dict[str, Any], expected: Appearance) -> None:
    assert read_appearance(metadata) == expected


def test_colours() -> None:
    assert (colour_of("GRAY"), colour_of("#00ff80"), colour_of("#zzzzzz"), colour_of("beige"), colour_of(3)) == (
        0xFFFFFF,
        0x00FF80,
        None,
        None,
        None,
    )


def test_display_ranges() -> None:
    plane = np.full((200, 200), 500, np.uint16)
    plane[50:150, 50:150] = 900
    assert display_range(plane) == (500, 900)
    assert display_range(np.zeros((4, 4), np.uint16)) == (0, 1)
    assert display_range(np.zeros((4, 4), np.uint8)) == (0, 255)
    assert display_range(np.eye(4, dtype=bool)) == (0, 1)
    assert display_range(np.full((4, 4), np.nan)) == (0, 1)
    assert display_range(np.full((4, 4), 3 + 4j)) == (5, 6)
    mixed = np.array([[np.inf, 1.0], [2.0, -np.inf]])
    assert 1 <= display_range(mixed)[0] < display_range(mixed)[1] <= 2


def test_neither_napari_nor_qt_is_loaded_by_what_starts_a_viewer() -> None:
    code = (
        "import sys, openhcs_runtime.cli, openhcs_runtime.service.server, openhcs_runtime.viewers\n"
        "import openhcs_runtime.viewers.napari\n"
        "sys.exit(str(sorted({'napari', 'qtpy', 'PyQt6', 'vispy'} & sys.modules.keys()) or ''))"
    )
    found = run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert not found.stderr.strip()
