"""Regions of interest: to labels, napari and ImageJ, and back."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import roifile
from hypothesis import assume, given, settings, strategies as st
from hypothesis.extra import numpy as hnp

from openhcs_runtime.exceptions import RoiError
from openhcs_runtime.rois import (
    Ellipse,
    Mask,
    NapariShapeType,
    Points,
    Polygon,
    Polyline,
    Roi,
    from_imagej,
    from_napari,
    labels_to_rois,
    read_imagej,
    rois_to_labels,
    to_imagej,
    to_napari,
    write_imagej,
)
from openhcs_runtime.rois.outlines import outlines, signed_area

RING = np.ones((5, 5), bool)
RING[2, 2] = False
LABELS = hnp.arrays(np.int32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 3))
PLACES = st.floats(-2000, 60000, width=32).map(lambda value: round(value * 16) / 16)
PAIRS = st.tuples(PLACES, PLACES)
NAMES = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=8)
COMMON: dict[str, Any] = {"label": st.integers(0, 2**31 - 1), "name": NAMES}
POLYGONS = st.builds(Polygon, st.lists(PAIRS, min_size=3, max_size=9).map(tuple), **COMMON)
POLYLINES = st.builds(Polyline, st.lists(PAIRS, min_size=2, max_size=9).map(tuple), **COMMON)
POINTS = st.builds(Points, st.lists(PAIRS, min_size=1, max_size=9).map(tuple), **COMMON)
AXES = st.floats(0.5, 900)
ELLIPSES = st.builds(
    Ellipse,
    st.tuples(st.floats(-900, 50000), st.floats(-900, 50000)),
    st.tuples(AXES, AXES),
    st.floats(-720, 720),
    **COMMON,
)
MASKS = st.builds(
    Mask,
    st.integers(-900, 50000),
    st.integers(-900, 50000),
    hnp.arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 7))).filter(lambda pixels: bool(pixels.any())),
    **COMMON,
)


def same_ellipse(one: Roi, other: Roi, tolerance: float) -> bool:
    """An angle says little where both axes are nearly equal: the ends of the axes are compared up to their sign."""
    assert isinstance(one, Ellipse)
    assert isinstance(other, Ellipse)
    if (one.label, one.name) != (other.label, other.name):
        return False
    shape, again = (roi.directions.T @ roi.directions for roi in (one, other))  # the same for the same ellipse
    size = max(one.semi_axes)
    return np.allclose(one.center, other.center, atol=tolerance) and np.allclose(
        shape, again, atol=4 * size * tolerance
    )


def area(roi: Roi) -> float:
    assert isinstance(roi, Polygon | Mask)
    return roi.area_px2 if isinstance(roi, Polygon) else float(roi.pixels.sum())


@settings(max_examples=150, deadline=None)
@given(LABELS)
def test_labels_survive_as_regions(labels: Any) -> None:
    rois = labels_to_rois(labels)
    assert np.array_equal(rois_to_labels(rois, labels.shape), labels)
    for number in range(1, 4):
        own = [roi for roi in rois if roi.label == number]
        assert sum(map(area, own)) == (labels == number).sum()


@settings(max_examples=100, deadline=None)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 8), st.integers(1, 8))))
def test_outlines_enclose_as_much_as_there_are_pixels(mask: Any) -> None:
    loops = outlines(mask)
    assert sum(map(signed_area, loops)) == mask.sum()
    assert all(len(loop) >= 4 for loop in loops)


def test_a_pixel_reaches_half_a_pixel_around_its_middle() -> None:
    labels = np.zeros((4, 5), np.uint16)
    labels[1, 2] = 7
    (roi,) = labels_to_rois(labels)
    assert isinstance(roi, Polygon)
    assert set(roi.vertices) == {(0.5, 1.5), (0.5, 2.5), (1.5, 2.5), (1.5, 1.5)}
    assert roi.label == 7


def test_holes_are_kept_in_a_mask_or_filled() -> None:
    labels = np.pad(RING.astype(np.int32), 2)
    (kept,) = labels_to_rois(labels)
    assert kept == Mask(2, 2, RING, label=1)
    (filled,) = labels_to_rois(labels, keep_holes=False)
    assert isinstance(filled, Polygon)
    assert filled.area_px2 == 25


def test_parts_that_touch_at_a_corner_are_one() -> None:
    assert len(labels_to_rois(np.eye(3, dtype=np.int32))) == 1
    assert len(labels_to_rois(np.array([[1, 0, 1]]))) == 2


def test_lines_points_and_ellipses_become_labels() -> None:
    rois: list[Roi] = [Polyline(((0, 0), (0, 3))), Points(((2, 1), (9, 9)), label=5), Ellipse((6, 6), (2, 1), 90)]
    image = rois_to_labels(rois, (10, 10))
    assert np.argwhere(image == 1).tolist() == [[0, 0], [0, 1], [0, 2], [0, 3]]
    assert np.argwhere(image == 5).tolist() == [[2, 1], [9, 9]]
    assert np.argwhere(image == 2).tolist() == [[4, 6], [5, 6], [6, 5], [6, 6], [6, 7], [7, 6], [8, 6]]
    assert rois_to_labels([Points(((50, -3), (1, 1)))], (3, 3)).sum() == 1


@settings(max_examples=100, deadline=None)
@given(st.one_of(POLYGONS, POLYLINES, POINTS, ELLIPSES))
def test_napari_gives_the_same_region(roi: Roi) -> None:
    shape = to_napari(roi)
    again = from_napari(shape.shape_type.value, shape.data, label=shape.label, name=shape.name)
    assert same_ellipse(roi, again, 1e-6) if isinstance(roi, Ellipse) else again == roi


def test_napari_kinds_that_we_do_not_make() -> None:
    corners = [(0, 0), (0, 4), (2, 4), (2, 0)]
    assert from_napari("rectangle", corners) == Polygon(tuple(corners))
    assert to_napari(Polyline(((0, 0), (1, 1)))).shape_type is NapariShapeType.LINE
    slanted = from_napari("ellipse", [(0, 0), (0, 4), (2, 6), (2, 2)])
    assert isinstance(slanted, Ellipse)
    assert math.prod(slanted.semi_axes) == pytest.approx(2.0), "area of the ellipse in a parallelogram"
    with pytest.raises(RoiError, match="unknown napari shape type"):
        from_napari("star", corners)
    with pytest.raises(RoiError, match="last two columns"):
        from_napari("polygon", np.zeros((4, 3)))
    with pytest.raises(RoiError, match="show it as labels"):
        to_napari(Mask(0, 0, RING))


@settings(max_examples=200, deadline=None)
@given(st.one_of(POLYGONS, POLYLINES, POINTS, ELLIPSES, MASKS))
def test_imagej_gives_the_same_region(roi: Roi) -> None:
    again = from_imagej(to_imagej(roi))
    if isinstance(roi, Ellipse):
        assert same_ellipse(roi, again, 0.01)
    elif isinstance(roi, Mask):
        assert again == roi
    else:
        assert type(again) is type(roi)
        assert (again.label, again.name) == (roi.label, roi.name)
        first, second = (np.array(part.array) for part in (roi, again))
        assert first.shape == second.shape
        assert np.abs(first - second).max() <= 0.01


@settings(max_examples=60, deadline=None)
@given(LABELS)
def test_labels_survive_imagej(labels: Any) -> None:
    assume(labels.any())
    rois = [from_imagej(to_imagej(roi)) for roi in labels_to_rois(labels)]
    assert np.array_equal(rois_to_labels(rois, labels.shape), labels)


def test_sets_of_regions_and_single_ones(tmp_path: Path) -> None:
    rois = (
        Polygon(((0, 0), (0, 4), (3, 3)), label=12),
        Points(((1.5, 2.25),), name="a/b"),
        Points(((1, 2),), name="a/b"),
        Ellipse((10, 20), (5, 3), 30),
        Mask(3, 4, RING, label=2**20),
    )
    write_imagej(tmp_path / "set.zip", rois)
    first = (tmp_path / "set.zip").read_bytes()
    again = read_imagej(tmp_path / "set.zip")
    assert (*again[:3], again[4]) == (*rois[:3], rois[4])
    assert same_ellipse(again[3], rois[3], 0.01)
    write_imagej(tmp_path / "set.zip", rois)
    assert (tmp_path / "set.zip").read_bytes() == first, "equal regions give equal files"
    assert len(roifile.roiread(tmp_path / "set.zip")) == 5  # type: ignore[arg-type]
    write_imagej(tmp_path / "one.roi", rois[:1])
    assert read_imagej(tmp_path / "one.roi") == rois[:1]
    write_imagej(tmp_path / "none.zip", ())
    assert read_imagej(tmp_path / "none.zip") == ()
    with pytest.raises(RoiError, match=r"can only store one region, not 5: write a \.zip"):
        write_imagej(tmp_path / "one.roi", rois)


def test_areas_are_counted_from_corners_and_lines_from_middles() -> None:
    area = roifile.ImagejRoi.frombytes(to_imagej(Polygon(((-0.5, -0.5), (-0.5, 1.5), (1.5, 1.5), (1.5, -0.5)))))
    assert np.array(area.coordinates()).tolist() == [[0, 0], [2, 0], [2, 2], [0, 2]]
    line = roifile.ImagejRoi.frombytes(to_imagej(Polyline(((1, 2), (3, 4), (5, 6)))))
    assert np.array(line.coordinates()).tolist() == [[2, 1], [4, 3], [6, 5]]


def test_kinds_of_imagej_that_we_do_not_make() -> None:
    oval = roifile.ImagejRoi()
    oval.roitype, oval.top, oval.left, oval.bottom, oval.right = roifile.ROI_TYPE.OVAL, 2, 4, 8, 14
    assert from_imagej(oval.tobytes()) == Ellipse((4.5, 8.5), (5, 3))
    oval.roitype = roifile.ROI_TYPE.RECT
    assert from_imagej(oval.tobytes()) == Polygon(((1.5, 3.5), (1.5, 13.5), (7.5, 13.5), (7.5, 3.5)))
    freehand = roifile.ImagejRoi.frompoints([[1, 2], [5, 2], [5, 9]], name="f")
    assert from_imagej(freehand.tobytes()) == Polygon(((1.5, 0.5), (1.5, 4.5), (8.5, 4.5)), name="f")
    oval.subtype = roifile.ROI_SUBTYPE.TEXT
    with pytest.raises(RoiError, match="text, which is not a region"):
        from_imagej(oval.tobytes())


@pytest.mark.parametrize("data", [b"", b"Iout", b"nonsense" * 20])
def test_what_is_no_imagej_file_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.roi").write_bytes(data)
    with pytest.raises(RoiError, match="not an ImageJ region"):
        read_imagej(tmp_path / "x.roi")


def test_what_the_format_can_not_hold_is_refused() -> None:
    with pytest.raises(RoiError, match="from -5000 to 60535"):
        to_imagej(Points(((0, 70000),)))
    with pytest.raises(RoiError, match="characters beyond"):
        to_imagej(Points(((0, 0),), name="\U0001f52c"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Polygon(((0, 0), (1, 1))),
        lambda: Polyline(((0, math.nan), (1, 1))),
        lambda: Points(()),
        lambda: Ellipse((0, 0), (0, 1)),
        lambda: Mask(0, 0, np.zeros((2, 2), bool)),
        lambda: Mask(0, 0, np.ones((2, 2), np.uint8)),
        lambda: labels_to_rois(np.zeros((2, 2))),  # type: ignore[arg-type]
    ],
)
def test_shapes_that_make_no_sense_are_refused(make: Any) -> None:
    with pytest.raises(RoiError):
        make()
