"""Tracks over time, spots, skeletons: each on images of which the right answer is known."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from openhcs_runtime.components import ImageKey
from openhcs_runtime.functions import detect_spots, measure_skeleton, track_objects
from openhcs_runtime.functions.cellprofiler import measure_cellprofiler
from openhcs_runtime.functions.features.catalogue import feature_of
from openhcs_runtime.pipeline.calls import WellContext, call_chain
from openhcs_runtime.pipeline.decorators import Measurements, traits_of
from openhcs_runtime.pipeline.patterns import PatternGroup
from openhcs_runtime.pipeline.step import FunctionStep

Y, X = np.mgrid[:64, :64]
Place = tuple[float, float]


def frame(*places: Place, radius: float = 3) -> NDArray[np.int32]:
    """Return the labels of disks, numbered from 1."""
    labels = np.zeros((64, 64), np.int32)
    for number, (y, x) in enumerate(places, start=1):
        labels[(Y - y) ** 2 + (X - x) ** 2 <= radius**2] = number
    return labels


def tracked(*frames: NDArray[np.int32], **arguments: Any) -> list[dict[str, list[Any]]]:
    """Return the columns of each frame."""
    stack = np.stack(frames)
    inputs: dict[str, Any] = {"pixel_size_um": 0.5, "max_distance_px": 12, **arguments}
    _, found = track_objects(stack, labels=stack, **inputs)
    return [columns_of(each) for each in found]


def columns_of(measured: Measurements) -> dict[str, list[Any]]:
    assert isinstance(measured.objects, Mapping)
    return {name: np.ma.asarray(values).tolist() for name, values in measured.objects.items()}


MOVING = [((10 + 4 * t, 10.0), (50.0, 20 + 3 * t), (20.0, 50.0)) for t in range(4)]


def test_objects_are_followed_with_their_speed() -> None:
    found = tracked(*(frame(*places) for places in MOVING), frame_interval_s=60)
    assert [each["track"] for each in found] == [[1, 3, 2]] * 4
    assert found[0]["parent_track"] == [None] * 3
    assert np.isnan(found[0]["displacement_px"]).all()
    assert found[2]["displacement_px"] == pytest.approx([4, 3, 0])
    assert found[3]["displacement_total_um"] == pytest.approx([6, 4.5, 0])
    assert found[2]["speed_um_per_s"] == pytest.approx([2 / 60, 1.5 / 60, 0])
    assert found[3]["track_age_frames"] == [3, 3, 3]
    assert all(name == "label" or feature_of(name) for name in found[0])
    assert "speed_um_per_s" not in tracked(frame(*MOVING[0]))[0]


def test_tracks_do_not_depend_on_the_numbers_of_the_labels() -> None:
    plain = [frame(*places) for places in MOVING]
    orders = [(3, 1, 2), (1, 2, 3), (2, 3, 1), (3, 2, 1)]
    shuffled = [
        np.array([0, *(7 * each for each in order)])[labels] for order, labels in zip(orders, plain, strict=True)
    ]
    one, other = tracked(*plain), tracked(*(labels.astype(np.int32) for labels in shuffled))
    for order, before, after in zip(orders, one, other, strict=True):
        assert after["label"] == [7, 14, 21]
        assert [after["track"][number - 1] for number in order] == before["track"]


def test_a_gap_ends_a_track_unless_gaps_are_closed() -> None:
    frames = [frame((10, 10)), frame(), frame((14, 13)), frame((18, 13))]
    assert [each["track"] for each in tracked(*frames)] == [[1], [], [2], [2]]
    closed = tracked(*frames, max_gap_frames=1)
    assert [each["track"] for each in closed] == [[1], [], [1], [1]]
    assert closed[2]["displacement_px"] == [5]
    assert closed[2]["speed_px_per_frame"] == [2.5]


@pytest.mark.parametrize(
    ("timepoints", "gap", "tracks", "ages", "speed"),
    [
        ((1, 2, 3, 10), 0, [1, 1, 1, 2], [0, 1, 2, 0], math.nan),
        ((1, 2, 3, 10), 5, [1, 1, 1, 2], [0, 1, 2, 0], math.nan),
        ((1, 2, 3, 10), 6, [1, 1, 1, 1], [0, 1, 2, 9], 4 / 7),
        ((2, 4, 6, 8), 0, [1, 1, 1, 1], [0, 2, 4, 6], 2),
        ((1, 2, 3, 10**9), 0, [1, 1, 1, 2], [0, 1, 2, 0], math.nan),
    ],
)
def test_time_points_that_a_stack_lacks_count(
    timepoints: tuple[int, ...], gap: int, tracks: list[int], ages: list[int], speed: float
) -> None:
    frames = [frame((10 + 4 * t, 10.0)) for t in range(4)]
    found = tracked(*frames, timepoints=timepoints, max_gap_frames=gap)
    assert [each["track"][0] for each in found] == tracks
    assert [each["track_age_frames"][0] for each in found] == ages
    assert found[3]["speed_px_per_frame"] == pytest.approx([speed], nan_ok=True)


def test_the_engine_passes_the_time_points() -> None:
    keys = tuple(ImageKey("A01", timepoint=time) for time in (1, 2, 4))
    frames = np.stack([frame((10 + 4 * t, 10.0)) for t in range(3)])
    call = FunctionStep((track_objects, {"max_gap_frames": 1})).calls_for(None)
    known = WellContext(dict(zip(keys, frames, strict=True)), pixel_size_um=0.5)
    *_, last = call_chain(call, frames, PatternGroup(keys, ()), known).measurements
    assert [list(last.table[name].values) for name in ("track_age_frames", "speed_px_per_frame")] == [[3], [2]]


def test_splitting_and_merging() -> None:
    frames = [frame((30, 30)), frame((30, 31)), frame((30, 27), (30, 35)), frame((30, 26), (30, 36))]
    split = tracked(*frames, splitting=True)
    assert [each["track"] for each in split] == [[1], [1], [2, 3], [2, 3]]
    assert split[2]["parent_track"] == split[3]["parent_track"] == [1, 1]
    assert split[2]["displacement_px"] == [4, 4]
    assert len({number for each in tracked(*frames) for number in each["track"]}) == 2
    merged = tracked(*frames[::-1], merging=True)
    assert [each["track"] for each in merged] == [[1, 2], [1, 2], [3], [3]]
    assert merged[2]["parent_track"] == [None]


def test_what_tracking_refuses() -> None:
    with pytest.raises(ValueError, match="give max_distance_px or max_distance_um, not both"):
        tracked(frame(), max_distance_um=3)
    with pytest.raises(ValueError, match="pixel size of the plate is not known: give max_distance_px"):
        tracked(frame(), max_distance_px=None, max_distance_um=3, pixel_size_um=None)
    with pytest.raises(ValueError, match="an image of time point 1 after one of 1: give the step variable_components"):
        tracked(frame(), frame(), timepoints=(1, 1))
    assert tracked(frame(), frame())[1]["track"] == []


@pytest.mark.parametrize(
    ("function", "library", "extra"),
    [(track_objects, "laptrack", "tracking"), (measure_cellprofiler, "cp_measure", "cellprofiler")],
)
def test_a_missing_extra_is_named_when_the_pipeline_is_compiled(
    function: Any, library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = traits_of(function).check
    assert check is not None
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    assert list(check()) == []
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert list(check()) == [f"{library} is not installed: pip install 'openhcs-runtime[{extra}]'"]


def spotted(noise: float = 5, height: float = 200, count: int = 12) -> tuple[NDArray[np.uint16], NDArray[np.float64]]:
    """Return an image with spots of a diameter of about 5 pixels, and their places."""
    rng = np.random.default_rng(4)
    places = np.array([(8 + 14 * (at // 4), 8 + 15 * (at % 4)) for at in range(count)]) + rng.uniform(-1, 1, (count, 2))
    image = rng.normal(100, noise, (64, 64)) + np.linspace(0, 50, 64)
    for y, x in places:
        image += height * np.exp(-((Y - y) ** 2 + (X - x) ** 2) / (2 * 1.8**2))
    return np.clip(np.rint(image), 0, 65535).astype(np.uint16), places


def test_spots_are_found_finer_than_a_pixel() -> None:
    image, places = spotted()
    _, labels, (found,) = detect_spots(image[np.newaxis], pixel_size_um=0.2, diameter_um=1.0)
    columns = columns_of(found)
    found_at = cKDTree(np.column_stack([columns["spot_y_px"], columns["spot_x_px"]]))
    distance, index = (np.asarray(values) for values in found_at.query(places))
    assert sorted(index.tolist()) == list(range(len(places)))
    assert distance.max() < 0.25
    assert found.summary == {"spots_count": len(places)}
    assert columns["spot_intensity"] == pytest.approx([155] * len(places), rel=0.15)
    assert min(columns["spot_snr"]) > 15
    assert columns["spot_x_um"] == pytest.approx(0.2 * np.array(columns["spot_x_px"]))
    assert [labels[0, round(y), round(x)] for y, x in places] == [columns["label"][at] for at in index]
    assert {"spot_y_px", "spot_x_um", "spots_count"} <= set(found.without_channel)
    assert all(name == "label" or feature_of(name) for name in columns)


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
@pytest.mark.parametrize("value", [0, 1000, math.nan])
def test_an_image_without_spots_has_none(kind: type, value: float) -> None:
    if math.isnan(value) and kind is np.uint16:
        image = np.random.default_rng(3).poisson(100, (1, 64, 64)).astype(np.uint16)
    else:
        image = np.full((1, 64, 64), value, kind)
    _, labels, (found,) = detect_spots(image, pixel_size_um=None)
    assert found.summary["spots_count"] == 0
    assert not labels.any()


def test_spots_without_noise_are_found_too() -> None:
    image = np.zeros((1, 64, 64), np.uint16)
    image[0, 20:23, 30:33] = 50
    _, _, (found,) = detect_spots(image, pixel_size_um=None, diameter_px=3)
    columns = columns_of(found)
    assert (columns["spot_y_px"], columns["spot_x_px"]) == ([21], [31])


def skeleton(mask: NDArray[np.bool_]) -> dict[str, list[Any]]:
    _, (found,) = measure_skeleton(mask[np.newaxis], labels=mask[np.newaxis].astype(np.int32), pixel_size_um=0.5)
    return columns_of(found)


def drawn(*lines: tuple[Any, Any]) -> NDArray[np.bool_]:
    mask = np.zeros((64, 64), bool)
    for line in lines:
        mask[line] = True
    return mask


@pytest.mark.parametrize(
    ("mask", "length", "branches", "ends", "junctions"),
    [
        (drawn((10, np.s_[10:31])), 20, 1, 2, 0),
        (drawn((np.arange(10, 21), np.arange(10, 21))), 10 * math.sqrt(2), 1, 2, 0),
        (drawn((10, np.s_[10:31]), (np.s_[11:21], 20)), 30, 3, 3, 1),
        (drawn((20, np.s_[10:31]), (np.s_[10:31], 20)), 40, 4, 4, 1),
        (drawn((10, 10)), 0, 0, 0, 0),
        (drawn((np.s_[0], np.s_[:])), 63, 1, 2, 0),
    ],
)
def test_skeletons(mask: NDArray[np.bool_], length: float, branches: int, ends: int, junctions: int) -> None:
    found = skeleton(mask)
    assert found["skeleton_length_px"] == pytest.approx([length])
    assert found["skeleton_length_um"] == pytest.approx([length / 2])
    counts = [found[f"skeleton_{part}_count"] for part in ("branch", "end", "junction")]
    assert counts == [[branches], [ends], [junctions]]
    assert all(name == "label" or feature_of(name) for name in found)


def test_a_ring_has_a_branch_and_no_ends() -> None:
    distance = np.hypot(Y - 32, X - 32)
    found = skeleton((distance < 22) & (distance > 18))
    assert (found["skeleton_branch_count"], found["skeleton_end_count"]) == ([1], [0])
    assert found["skeleton_length_px"] == pytest.approx([2 * math.pi * 20], rel=0.1)
