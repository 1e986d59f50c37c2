"""Plates and runs in viewers: how they are named and told apart; needs no viewer."""

from pathlib import Path

import pytest

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.viewers.comparing import compared
from openhcs_runtime.viewers.fiji.layout import Layout, WindowScope
from openhcs_runtime.viewers.fiji.placing import Area, WindowPlaces
from openhcs_runtime.viewers.origin import NOWHERE, Origin, origin_titles, short_names, without_origin
from openhcs_runtime.viewers.picture_kind import PictureKind
from openhcs_runtime.viewers.results import Picture, Pictures
from zmqruntime.streaming import Position

ONE, OTHER = Origin("/week1/p6", "/week1/p6_results/first"), Origin("/week2/p6", "/week2/p6_results/first")


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/data/p6"], ["p6"]),
        (["/week1/p6", "/week2/p6"], ["week1/p6", "week2/p6"]),
        (["/p6", "/week2/p6"], ["/p6", "week2/p6"]),
        (["C:\\plates\\p6", "s3://bucket/p7"], ["p6", "p7"]),
        (["/a/p6 | /a/plateB", "/a/p6"], ["p6 and plateB", "p6"]),
        ([""], [""]),
    ],
)
def test_names_are_as_short_as_they_can_be(paths: list[str], names: list[str]) -> None:
    assert list(short_names(paths).values()) == names


def test_an_origin_is_part_of_a_position_and_has_a_title(tmp_path: Path) -> None:
    position: Position = {**ONE.position, "well": "A01"}
    assert Origin.of(position) == ONE
    assert without_origin(position) == {"well": "A01"}
    assert (Origin.of({"well": "A01"}), NOWHERE.position) == (NOWHERE, {})
    assert list(origin_titles([ONE, OTHER, Origin("/week2/p6"), NOWHERE]).values()) == [
        "plate week1/p6, run first",
        "plate week2/p6, run first",
        "plate week2/p6",
        "",
    ]
    (tmp_path / "p6").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "p6")
    assert Origin.of_run(str(tmp_path / "link")) == Origin(str((tmp_path / "p6").resolve()))
    assert Origin.of_run("s3://bucket/p6").plate == "s3://bucket/p6"


@pytest.mark.parametrize(
    ("position", "fits"), [({}, True), ({"plate": "/week1/p6"}, True), ({"run": ""}, False), ({"plate": "p6"}, False)]
)
def test_a_position_may_leave_the_origin_open(position: Position, fits: bool) -> None:
    assert ONE.fits(position) is fits


def _pictures(origin: Origin, pixel_size: float, channel: str) -> Pictures:
    key = ImageKey("A01", 1, 1, 1, 1)
    picture = Picture(PictureKind.PLATE, "plate", key, Path("x.tif"), {"pixel_size": pixel_size})
    return Pictures((picture,), frozenset({Component.CHANNEL}), {1: channel}, (), origin)


def test_what_is_compared_is_at_the_same_well_of_one_stack() -> None:
    plates = [_pictures(Origin("/a/p6", "/a/r1"), 0.5, "DAPI"), _pictures(Origin("/a/plateB", "/a/r2"), 0.5, "DAPI")]
    first, second = compared(plates)
    assert first.origin == second.origin
    assert origin_titles([first.origin])[first.origin] == "plate p6 and plateB"
    places = [without_origin(one.position(one.pictures[0])) for one in (first, second)]
    assert places == [{"compared": name, "well": "A01", "channel": "DAPI"} for name in ("p6", "plateB")]
    runs = compared([_pictures(Origin("/a/p6", f"/a/{run}"), 0.5, "DAPI") for run in ("r1", "r2")])
    assert [one.more for one in runs] == [{"compared": "r1"}, {"compared": "r2"}]


def test_a_stack_of_two_pixel_sizes_has_no_scale() -> None:
    found = compared([_pictures(ONE, 0.5, "DAPI"), _pictures(OTHER, 0.25, "DAPI")])
    assert all("pixel_size" not in picture.metadata for one in found for picture in one.pictures)
    assert all("the images have no scale" in one.problems[-1] for one in found)


@pytest.mark.parametrize("windows", list(WindowScope))
def test_in_imagej_each_plate_and_run_has_its_own_windows(windows: WindowScope) -> None:
    layout = Layout.of(windows)
    wells: list[Position] = [{**origin.position, "well": "A01", "site": 1} for origin in (ONE, OTHER)]
    assert layout.window(wells[0]) != layout.window(wells[1])
    assert layout.cell("plate", wells[0]) == layout.cell("plate", wells[1])


def test_windows_open_next_to_each_other_and_then_over_each_other_but_further_in() -> None:
    area = Area(0, 100, 1000, 700)
    places = WindowPlaces()
    found = [places.next(400, 300, area) for _ in range(6)]
    assert found[:4] == [(0, 100), (400, 100), (0, 400), (400, 400)]
    assert len(set(found)) == 6, "none hides another one"
    assert found[4] == (28, 128)
    large = WindowPlaces()
    assert len({large.next(1200, 900, area) for _ in range(3)}) == 3
    places.reset()
    assert places.next(400, 300, area) == (0, 100)
