"""Calling of a step's functions on one stack, with checks that they return what they declare."""

import contextvars
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.choices import alternatives
from openhcs_runtime.components import ImageKey
from openhcs_runtime.exceptions import StepError
from openhcs_runtime.pipeline.cells import Cell, Column
from openhcs_runtime.pipeline.decorators import FunctionTraits, InputKind, Measurements, OutputKind, Stack, traits_of
from openhcs_runtime.pipeline.own_arguments import own_arguments, own_stack, stacked_copy
from openhcs_runtime.pipeline.patterns import PatternGroup, reduced_key, shared_key
from openhcs_runtime.pipeline.plate_values import PlateValue
from openhcs_runtime.pipeline.process_state import process_keeper
from openhcs_runtime.pipeline.returned import (
    check_set_name,
    checked_labels,
    checked_stack,
    checked_summary,
    checked_table,
    what,
)
from openhcs_runtime.pipeline.step import FunctionCall
from openhcs_runtime.rois.shapes import Ellipse, Mask, Points, Polygon, Polyline, Roi
from openhcs_runtime.text import error_text
from zmqruntime.execution import TaskCancelled

_UNNAMED = "objects"
"""Name of objects whose labels have no known origin."""
SetKey: TypeAlias = tuple[ImageKey, str]
"""Objects of an image: the image they were found in, and the set by the function that found them."""


@dataclass(frozen=True, slots=True)
class WellContext:
    """What the engine knows about a well, for the special inputs of functions.

    Attributes:
        labels: A label plane (Y, X) for each image that has one.
        positions: Stage position of each site, y and x in micrometres.
        pixel_size_um: Edge length of a pixel in micrometres.
        sets: Name of the object set of each label plane.
        found: All labels made or read so far, by image and set of objects.
        names: Names that functions have given to sets of objects, by image and set.
        channels: Short names of the channels.
        seeds: Source of a separate random generator for each call that needs one.
        measured: Measurements of each image so far.
        values: Values of steps over the plate, by name.
    """

    labels: Mapping[ImageKey, NDArray[Any]] = field(default_factory=dict)
    positions: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    pixel_size_um: float | None = None
    sets: Mapping[ImageKey, str] = field(default_factory=dict)
    found: Mapping[SetKey, NDArray[Any]] = field(default_factory=dict)
    names: Mapping[SetKey, str] = field(default_factory=dict)
    channels: Mapping[int, str] = field(default_factory=dict)
    seeds: np.random.SeedSequence = field(default_factory=np.random.SeedSequence)
    measured: Mapping[ImageKey, Mapping[str, Cell]] = field(default_factory=dict)
    values: Mapping[str, PlateValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ObjectSet:
    """Objects that were found together.

    Attributes:
        name: Name of their table.
        found_in: The image in which they were found.
        finder: Name of the set by the function that found them, which is unique in a pipeline.
    """

    name: str
    found_in: ImageKey
    finder: str


@dataclass(frozen=True, slots=True)
class Measured:
    """Measurements of one image: values of the plane, and columns of the objects of a set, ``label`` first.

    ``without_channel`` has the names of the columns that do not depend on the channel of the image.
    """

    key: ImageKey
    summary: Mapping[str, Cell]
    table: Mapping[str, Column]
    objects: ObjectSet
    without_channel: frozenset[str] = frozenset()


@dataclass(slots=True)
class GroupResult:
    """The results of a chain of calls for a pattern group so far.

    Attributes:
        keys: The images in the stack.
        stack: Their pixels (n, Y, X).
        labels: Labels (Y, X) made by this chain.
        sets: Name of the object set of each label plane.
        found: All labels made by this chain, by image and set.
        names: Names that this chain has given to sets.
        measurements: Measurements made by this chain.
        rois: Regions made by this chain.
    """

    keys: tuple[ImageKey, ...]
    stack: Stack
    labels: dict[ImageKey, NDArray[Any]] = field(default_factory=dict)
    sets: dict[ImageKey, str] = field(default_factory=dict)
    found: dict[SetKey, NDArray[Any]] = field(default_factory=dict)
    names: dict[SetKey, str] = field(default_factory=dict)
    measurements: list[Measured] = field(default_factory=list)
    rois: dict[ImageKey, tuple[Roi, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _LabelPlane:
    pixels: NDArray[Any]
    objects: ObjectSet


def call_chain(
    calls: Sequence[FunctionCall], stack: Stack, group: PatternGroup, known: WellContext, set_names: Sequence[str] = ()
) -> GroupResult:
    """Apply the calls to the stack, one after the other.

    Args:
        calls: The functions with their arguments.
        stack: The pixels (n, Y, X) of the group.
        group: The pattern group.
        known: What the engine knows about the well.
        set_names: For each call the name of the objects that it finds [default: the name of the function].

    Raises:
        StepError: If a function raises an exception, or does not return what it declares.
    """
    result = GroupResult(group.keys, stack)
    names = set_names or [call.name for call in calls]
    for call, set_name in zip(calls, names, strict=True):
        traits = traits_of(call.function)
        planes = _label_planes(call, traits, result, known)
        special = _special_inputs(traits, result, known, planes)
        values = _unpack(call, traits, _call(call, own_stack(result.stack), special, group))
        if traits.reduces:
            result.keys = (reduced_key(group.keys, group.variable, group.named),)
        result.stack = checked_stack(call, values[0], len(result.keys))
        _part_from_stack(result)
        labelled = dict(zip(result.keys, planes, strict=False)) if not traits.reduces else {}
        for kind, value in sorted(zip(traits.outputs, values[1:], strict=True), key=_labels_first):
            _take_output(call, kind, value, result, _Objects(labelled, set_name, known))
    return result


def _call(call: FunctionCall, stack: Stack, special: dict[str, Any], group: PatternGroup) -> Any:
    arguments = {**special, **own_arguments(call.kwargs)}
    try:
        with process_keeper:
            return contextvars.copy_context().run(call.function, stack, **arguments)
    except TaskCancelled:
        raise
    except BaseException as error:  # a user's function may raise anything
        raise StepError(f"{call.name} failed on {group.pattern}: {error_text(error)}") from error


def _special_inputs(
    traits: FunctionTraits, result: GroupResult, known: WellContext, planes: Sequence[_LabelPlane]
) -> dict[str, Any]:
    special: dict[str, Any] = {}
    for kind in traits.inputs:
        match kind:
            case InputKind.LABELS | InputKind.SHARED_LABELS:
                special[kind.value] = stacked_copy([plane.pixels for plane in planes])
            case InputKind.PIXEL_SIZE_UM:
                special[kind.value] = known.pixel_size_um
            case InputKind.POSITIONS:
                places = [known.positions[key.site] for key in result.keys if key.site in known.positions]
                special[kind.value] = np.array(places) if len(places) == len(result.keys) else None
            case InputKind.MEASUREMENTS:
                special[kind.value] = [_measured_so_far(key, result, known) for key in result.keys]
            case InputKind.CHANNELS:
                special[kind.value] = tuple(known.channels.get(key.channel, f"ch{key.channel}") for key in result.keys)
            case InputKind.TIMEPOINTS:
                special[kind.value] = tuple(key.timepoint for key in result.keys)
            case InputKind.SET_NAMES:
                special[kind.value] = [plane.objects.name for plane in planes]
            case InputKind.OBJECT_SETS:
                special[kind.value] = _object_sets(result, known)
            case InputKind.RNG:
                special[kind.value] = np.random.default_rng(known.seeds.spawn(1)[0])
    for name in traits.plate_inputs:
        special |= own_arguments({name: known.values[name].for_images(result.keys)})
    return special


def _measured_so_far(key: ImageKey, result: GroupResult, known: WellContext) -> dict[str, Cell]:
    """Return what was measured of an image, by earlier steps and by earlier calls of the chain."""
    values = dict(known.measured.get(key, {}))
    for measured in result.measurements:
        if measured.key == key:
            values |= measured.summary
    return values


def _label_planes(
    call: FunctionCall, traits: FunctionTraits, result: GroupResult, known: WellContext
) -> list[_LabelPlane]:
    """Return the labels of each image of the stack; empty if the function does not take labels."""
    own, shared = InputKind.LABELS in traits.inputs, InputKind.SHARED_LABELS in traits.inputs
    if not (own or shared):
        return []
    labels = {**known.labels, **result.labels}
    sets = {**known.sets, **result.sets}
    keys = result.keys if own else [shared_key(key, labels) for key in result.keys]
    planes = [
        _LabelPlane(labels[key], _set_of(key, sets.get(key, _UNNAMED), result, known)) for key in keys if key in labels
    ]
    if len(planes) < len(keys):
        where = "for these images" if own else "at their positions"
        raise StepError(f"{call.name} needs labels, but no earlier function made any {where}")
    pixels = [*(plane.pixels for plane in planes), result.stack[0]]
    if len({plane.shape for plane in pixels}) > 1:
        raise StepError(f"{call.name} got labels with a different size from the images: {_sizes(pixels)}")
    return planes


def _set_of(key: ImageKey, finder: str, result: GroupResult, known: WellContext) -> ObjectSet:
    """Return a set of objects with the name that it has by now."""
    name = result.names.get((key, finder)) or known.names.get((key, finder)) or finder
    return ObjectSet(name, key, finder)


def _sets_at(key: ImageKey, result: GroupResult, known: WellContext) -> dict[str, _LabelPlane]:
    """Return the labels of each set of objects at the position of an image, those of the lowest channel."""
    found = {**known.found, **result.found}
    place = (key.well, key.site, key.z_index, key.timepoint)
    planes: dict[str, _LabelPlane] = {}
    for (image, finder), pixels in sorted(found.items(), key=lambda entry: entry[0]):
        if (image.well, image.site, image.z_index, image.timepoint) == place:
            objects = _set_of(image, finder, result, known)
            planes.setdefault(objects.name, _LabelPlane(pixels, objects))
    return planes


def _object_sets(result: GroupResult, known: WellContext) -> dict[str, NDArray[Any]]:
    """Return the labels (n, Y, X) of each set of objects for the planes of the stack."""
    planes = [_sets_at(key, result, known) for key in result.keys]
    empty = np.zeros(result.stack.shape[1:], np.int32)
    names = dict.fromkeys(name for of_plane in planes for name in of_plane)
    return {
        name: stacked_copy([of_plane[name].pixels if name in of_plane else empty for of_plane in planes])
        for name in names
    }


def _part_from_stack(result: GroupResult) -> None:
    """Copy earlier labels that share memory with the stack, which the next function may change."""
    for key, plane in result.labels.items():
        if np.may_share_memory(plane, result.stack):
            result.labels[key] = result.found[key, result.sets[key]] = plane.copy()


def _unpack(call: FunctionCall, traits: FunctionTraits, returned: Any) -> tuple[Any, ...]:
    if not traits.outputs:
        return (returned,)
    expected = 1 + len(traits.outputs)
    if not isinstance(returned, tuple) or len(returned) != expected:
        kinds = ", ".join(traits.outputs)
        raise StepError(f"{call.name} must return the stack and {kinds} as a tuple of {expected}, not {what(returned)}")
    return returned


def _labels_first(output: tuple[OutputKind, Any]) -> bool:
    return output[0] is not OutputKind.LABELS


@dataclass(frozen=True, slots=True)
class _Objects:
    """Which objects the measurements of a call may belong to.

    Attributes:
        labelled: The labels that the function took or made, by image.
        set_name: Name of the objects that the call finds.
        known: What the engine knows about the well.
    """

    labelled: dict[ImageKey, _LabelPlane]
    set_name: str
    known: WellContext


def _take_output(call: FunctionCall, kind: OutputKind, value: Any, result: GroupResult, objects: _Objects) -> None:
    match kind:
        case OutputKind.LABELS:
            for key, plane in zip(result.keys, checked_labels(call, value, result.stack), strict=True):
                result.labels[key], result.sets[key] = plane, objects.set_name
                result.found[key, objects.set_name] = plane
                of_key = _set_of(key, objects.set_name, result, objects.known)
                objects.labelled[key] = _LabelPlane(plane, of_key)
        case OutputKind.MEASUREMENTS:
            for key, entry in zip(result.keys, _checked_entries(call, value, len(result.keys)), strict=True):
                for measurements in entry:
                    result.measurements.append(_measured(call, key, measurements, result, objects))
        case OutputKind.ROIS:
            for key, rois in zip(result.keys, _checked_rois(call, value, len(result.keys)), strict=True):
                result.rois[key] = (*result.rois.get(key, ()), *rois)


def _checked_entries(call: FunctionCall, value: Any, planes: int) -> list[tuple[Measurements, ...]]:
    """Return the measurements of each plane, one for each set of objects."""
    wanted = f"{call.name} must return a list of {planes} Measurements"
    if not isinstance(value, Sequence) or len(value) != planes:
        raise StepError(f"{wanted}, not {what(value)}")
    entries = [tuple(entry) if isinstance(entry, list | tuple) else (entry,) for entry in value]
    for entry in entries:
        for measurements in entry:
            if not isinstance(measurements, Measurements):
                raise StepError(f"{wanted}, not a list that contains {what(measurements)}")
    return entries


def _measured(
    call: FunctionCall, key: ImageKey, measurements: Measurements, result: GroupResult, objects: _Objects
) -> Measured:
    plane = _plane_of(call, key, measurements, result, objects)
    table = checked_table(call, measurements, None if plane is None else plane.pixels)
    of_set = ObjectSet(measurements.name or objects.set_name, key, objects.set_name)
    if plane is not None:
        of_set = replace(plane.objects, name=measurements.name or plane.objects.name)
        result.names[of_set.found_in, of_set.finder] = of_set.name
    if table:
        check_set_name(call, of_set.name)
    summary = checked_summary(call, measurements)
    without = frozenset(measurements.without_channel)
    if unknown := sorted(without - {*summary, *table}):
        raise StepError(f"{call.name} names {unknown[0]!r} in without_channel, but returns no such column")
    return Measured(key, summary, table, of_set, without)


def _plane_of(
    call: FunctionCall, key: ImageKey, measurements: Measurements, result: GroupResult, objects: _Objects
) -> _LabelPlane | None:
    """Return the labels that measurements belong to; None for those of objects that have no labels."""
    plane, name = objects.labelled.get(key), measurements.name
    if not name or InputKind.OBJECT_SETS not in traits_of(call.function).inputs:
        return plane
    if plane is not None and plane.objects.name == name:
        return plane
    sets = _sets_at(key, result, objects.known)
    if name in sets:
        return sets[name]
    if plane is not None:
        return plane
    raise StepError(f"{call.name} measured objects {name!r}, which no earlier function has found: {_found(sets)}")


def _found(sets: Mapping[str, _LabelPlane]) -> str:
    return f"choose {alternatives(sets)}" if sets else "there are none in this image"


def _checked_rois(call: FunctionCall, value: Any, planes: int) -> Sequence[Sequence[Roi]]:
    wanted = f"{call.name} must return a list of {planes} list(s) of regions of interest"
    if not isinstance(value, Sequence) or len(value) != planes:
        raise StepError(f"{wanted}, not {what(value)}")
    for rois in value:
        if not isinstance(rois, Sequence):
            raise StepError(f"{wanted}, not a list that contains {what(rois)}")
        for roi in rois:
            if not isinstance(roi, Polygon | Polyline | Ellipse | Points | Mask):
                raise StepError(f"{wanted}, but they contain {what(roi)}")
    return value


def _sizes(planes: Sequence[NDArray[Any]]) -> str:
    return ", ".join(sorted({"x".join(map(str, plane.shape)) for plane in planes}))
