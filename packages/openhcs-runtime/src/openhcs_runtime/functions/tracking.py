"""Follows labelled objects over time with laptrack (the extra ``tracking``)."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.features.arguments import length_problems, number_problems, refuse, whole_problems
from openhcs_runtime.functions.features.lengths import in_pixels
from openhcs_runtime.functions.features.regions import Floats, Regions
from openhcs_runtime.functions.models.requirements import missing_library
from openhcs_runtime.functions.naming import prefixes
from openhcs_runtime.pipeline.decorators import (
    InputKind,
    Measurements,
    OutputKind,
    Stack,
    checked_by,
    special_inputs,
    special_outputs,
)

_DISTANCE_PX = 30.0
_LONGEST_GAP = 1000

_Node = tuple[int, int]
"""The place of an image in the stack, and the index of an object in it."""


def _problems(**arguments: Any) -> Iterator[str]:
    """Yield what is missing for a step, and what is wrong with its arguments."""
    yield from missing_library("laptrack", "laptrack", "tracking")
    yield from _argument_problems(**arguments)


def _argument_problems(
    max_distance_px: float | None = None,
    max_distance_um: float | None = None,
    max_gap_frames: int = 0,
    frame_interval_s: float | None = None,
    **_arguments: Any,
) -> Iterator[str]:
    yield from length_problems("max_distance", max_distance_px, max_distance_um)
    yield from whole_problems("max_gap_frames", max_gap_frames, 0, _LONGEST_GAP)
    if frame_interval_s is not None:
        yield from number_problems("frame_interval_s", frame_interval_s, above=True)


@special_inputs(InputKind.LABELS, InputKind.SET_NAMES, InputKind.PIXEL_SIZE_UM, InputKind.TIMEPOINTS)
@special_outputs(OutputKind.MEASUREMENTS)
@checked_by(_problems)
def track_objects(
    stack: Stack,
    *,
    labels: Stack,
    pixel_size_um: float | None,
    timepoints: Sequence[int] | None = None,
    set_names: Sequence[str] = (),
    name: str = "",
    max_distance_px: float | None = None,
    max_distance_um: float | None = None,
    max_gap_frames: int = 0,
    splitting: bool = False,
    merging: bool = False,
    frame_interval_s: float | None = None,
) -> tuple[Stack, list[Measurements]]:
    """Follow labelled objects over time by their centres; the stack is passed on.

    For a step with ``variable_components=["timepoint"]``, whose stack has the time points of one site. Links with the
    least sum of squared distances (Jaqaman et al., Nature Methods 5, 2008; laptrack by Fukai & Kawaguchi,
    Bioinformatics 39, 2023). Tracks have numbers from 1, by their first time point and place; the numbers of
    the labels have no effect on them.

    A frame is a time point, also one that the stack does not have: from time point 3 to 10 there are 7 frames, and an
    object is followed from one to the other only if ``max_gap_frames`` is 6 or more. If all time points are the same
    number apart, such as 1, 3, 5, none of them counts as missing; speeds are divided by their difference, here 2.

    Columns of an object: ``label``, ``track``, ``parent_track`` (the track that it splits from), ``track_age_frames``,
    ``displacement_px`` (from the object before), ``displacement_total_px`` (from the begin of the track),
    ``speed_px_per_frame`` and, if the pixel size is known, these as ``_um``; with a frame interval also
    ``speed_um_per_s``. Column of a plane: ``<name>_count``.

    Args:
        stack: The images (n, Y, X) of n time points.
        labels: Integer labels (n, Y, X), from the engine.
        pixel_size_um: Edge length of a pixel in micrometres, from the engine; None if unknown.
        timepoints: Numbers of the time points (n), rising, from the engine [default: 1 to n].
        set_names: Names of the sets of objects, from the engine.
        name: Name of the set of objects [default: the name of the labels].
        max_distance_px: Farthest that a centre moves from one time point to the next [default: 30].
        max_distance_um: The same in micrometres; needs the pixel size of the plate.
        max_gap_frames: Most time points in a row at which an object may be missing, because it is not found or because
            the stack lacks them.
        splitting: Whether an object can become two, which begin tracks of their own.
        merging: Whether two objects can become one, which begins a track of its own.
        frame_interval_s: Seconds from one time point to the next, if speeds per second are wanted.

    Returns:
        The stack, and one ``Measurements`` for each time point.

    Raises:
        ValueError: If an argument is out of range, the pixel size is not known, or two images are of one time point.
    """
    refuse(_argument_problems(max_distance_px, max_distance_um, max_gap_frames, frame_interval_s))
    distance = in_pixels("max_distance", max_distance_px, max_distance_um, pixel_size_um, _DISTANCE_PX)
    times = _rising(range(1, len(labels) + 1) if timepoints is None else timepoints)
    frames = [_Frame.of(plane, time) for plane, time in zip(labels, times, strict=True)]
    links = _links(frames, distance, max_gap_frames, splitting, merging)
    tracks = _Tracks.of(links, frames)
    scale = _Scale(pixel_size_um, frame_interval_s)
    names = enumerate(prefixes(name, set_names, len(frames)))
    return stack, [replace(_measured(tracks, frames, place, scale, prefix), name=name) for place, prefix in names]


@dataclass(frozen=True, slots=True)
class _Scale:
    """The size of a pixel, and the time between frames, if they are known."""

    pixel_size_um: float | None
    frame_interval_s: float | None


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """The objects of a time point, sorted by place.

    Attributes:
        time: The number of the time point.
        numbers: Their labels, (n,).
        centres: Their centres as row, column, (n, 2).
    """

    time: int
    numbers: NDArray[np.int64]
    centres: Floats

    @classmethod
    def of(cls, labels: Stack, time: int) -> "_Frame":
        regions = Regions.of(labels)
        centres = np.column_stack([regions.segments.means(regions.rows), regions.segments.means(regions.cols)])
        order = np.lexsort((centres[:, 1], centres[:, 0]))
        return cls(time, regions.numbers[order], centres[order])


def _rising(timepoints: Sequence[int]) -> Sequence[int]:
    """Return the time points.

    Raises:
        ValueError: They don't rise, as in a stack of the sites or the channels of one time point.
    """
    for before, after in itertools.pairwise(timepoints):
        if after <= before:
            raise ValueError(
                f"the stack has an image of time point {after} after one of {before}: give the step "
                "variable_components=['timepoint'], so that a stack has the time points of one site"
            )
    return timepoints


def _slots(times: Sequence[int], gap: int) -> list[int]:
    """Return the place of each time point among those that should be there, from 0.

    Gaps that are too long to be closed have the same length, so that the number of places is limited.
    """
    steps = [after - before for before, after in itertools.pairwise(times)]
    usual = math.gcd(*steps)
    return [0, *itertools.accumulate(min(step // usual, gap + 2) for step in steps)]


def _links(
    frames: list[_Frame], distance: float, gap: int, splitting: bool, merging: bool
) -> list[tuple[_Node, _Node]]:
    """Return which objects follow which, sorted."""
    from laptrack import LapTrack  # noqa: PLC0415  an extra, and slow to import

    places = {slot: place for place, slot in enumerate(_slots([frame.time for frame in frames], gap))}
    none = np.empty((0, 2))
    centres = [frames[places[slot]].centres if slot in places else none for slot in range(max(places) + 1)]
    if len(frames) < 2 or not any(len(frame) for frame in centres):
        return []
    cutoff = distance**2
    tracker = LapTrack(
        cutoff=cutoff,
        gap_closing_cutoff=cutoff if gap else False,
        gap_closing_max_frame_count=gap + 1,  # from one object to the next, with the gap between
        splitting_cutoff=cutoff if splitting else False,
        merging_cutoff=cutoff if merging else False,
    )
    tree = tracker.predict(centres)
    found = [((places[int(a)], int(b)), (places[int(c)], int(d))) for (a, b), (c, d) in tree.edges]
    return sorted((one, other) if one[0] < other[0] else (other, one) for one, other in found)


@dataclass(frozen=True, slots=True)
class _Tracks:
    """The track of each object.

    Attributes:
        number: The number of its track.
        parent: The number of the track that each track splits from.
        before: The object before it, also across a split.
        first: The first object of each track.
    """

    number: dict[_Node, int]
    parent: dict[int, int]
    before: dict[_Node, _Node]
    first: dict[int, _Node]

    @classmethod
    def of(cls, links: list[tuple[_Node, _Node]], frames: list[_Frame]) -> "_Tracks":
        """Return tracks; one ends where it splits, and where it merges with another."""
        after: dict[_Node, list[_Node]] = {}
        origins: dict[_Node, list[_Node]] = {}
        for one, other in links:
            after.setdefault(one, []).append(other)
            origins.setdefault(other, []).append(one)
        tracks = cls({}, {}, {}, {})
        for place, frame in enumerate(frames):
            for index in range(len(frame.numbers)):
                tracks._add((place, index), origins.get((place, index), []), after)
        return tracks

    def _add(self, node: _Node, origins: list[_Node], after: dict[_Node, list[_Node]]) -> None:
        only = origins[0] if len(origins) == 1 else None
        if only is not None:
            self.before[node] = only
        if only is not None and len(after[only]) == 1:
            self.number[node] = self.number[only]
            return
        number = len(self.first) + 1
        self.number[node], self.first[number] = number, node
        if only is not None:
            self.parent[number] = self.number[only]


def _measured(tracks: _Tracks, frames: list[_Frame], place: int, scale: _Scale, prefix: str) -> Measurements:
    frame = frames[place]
    nodes = [(place, index) for index in range(len(frame.numbers))]
    numbers = [tracks.number[node] for node in nodes]
    before = [tracks.before.get(node) for node in nodes]
    origins = [tracks.first[number] for number in numbers]
    moved = np.array([_distance(frames, *both) for both in zip(before, nodes, strict=True)], float)
    passed = np.array([frame.time - frames[node[0]].time if node else np.nan for node in before], float)
    columns: dict[str, Any] = {
        "label": frame.numbers,
        "track": np.array(numbers, np.int64),
        "parent_track": np.ma.masked_equal([tracks.parent.get(number, 0) for number in numbers], 0),
        "track_age_frames": np.array([frame.time - frames[node[0]].time for node in origins], np.int64),
        "displacement_px": moved,
        "displacement_total_px": np.array(
            [_distance(frames, *both) for both in zip(origins, nodes, strict=True)], float
        ),
        "speed_px_per_frame": moved / passed,
    }
    if scale.pixel_size_um is not None:
        for column in ("displacement_px", "displacement_total_px", "speed_px_per_frame"):
            columns[column.replace("_px", "_um")] = columns[column] * scale.pixel_size_um
        if scale.frame_interval_s is not None:
            columns["speed_um_per_s"] = columns["speed_um_per_frame"] / scale.frame_interval_s
    order = np.argsort(frame.numbers)
    count = f"{prefix}_count"
    ordered = {column: values[order] for column, values in columns.items()}
    return Measurements({count: len(numbers)}, ordered, without_channel=(*(columns.keys() - {"label"}), count))


def _distance(frames: list[_Frame], one: _Node | None, other: _Node) -> float:
    if one is None:
        return float("nan")
    (y0, x0), (y1, x1) = frames[one[0]].centres[one[1]], frames[other[0]].centres[other[1]]
    return float(np.hypot(y1 - y0, x1 - x0))
