"""Functions get arguments of their own, and what they return is an image, labels and tables, or is refused by name."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from openhcs_runtime import functions
from openhcs_runtime.components import ImageKey
from openhcs_runtime.exceptions import OutputError, StepError
from openhcs_runtime.outputs.images import write_labels, write_plane
from openhcs_runtime.pipeline.calls import GroupResult, WellContext, call_chain
from openhcs_runtime.pipeline.decorators import InputKind, OutputKind, special_inputs, special_outputs
from openhcs_runtime.pipeline.patterns import PatternGroup
from openhcs_runtime.pipeline.step import FunctionStep
from openhcs_runtime.rois import labels_to_rois
from openhcs_runtime.rois.label_numbers import consecutive, numbers_of

KEYS = (ImageKey("A01", 1), ImageKey("A01", 2))
GROUP = PatternGroup(KEYS, ())
STACK = np.arange(2 * 4 * 5, dtype=np.uint16).reshape(2, 4, 5)


def chain(func: Any, known: WellContext | None = None, stack: Any = STACK) -> GroupResult:
    return call_chain(FunctionStep(func).calls_for(None), stack.copy(), GROUP, known or WellContext())


def returning(value: Any) -> Any:
    def odd(stack: Any) -> Any:
        return value

    return odd


def labelling(value: Any) -> Any:
    @special_outputs(OutputKind.LABELS)
    def odd(stack: Any) -> Any:
        return stack, value

    return odd


@pytest.mark.parametrize(
    ("stack", "text"),
    [
        (STACK.astype(complex), "complex128"),
        (STACK.astype(object), "object"),
        (STACK.astype(np.longdouble), "longdouble|float128"),
        (STACK.astype("M8[s]"), "datetime64"),
        (STACK.astype(str), "<U"),
        (np.zeros((2, 0, 0)), "without pixels"),
        (np.zeros((2, 4, 0)), "without pixels"),
        (np.zeros((2, 4)), "must return a stack"),
        (np.zeros((1, 4, 5)), "must return a stack"),
        (np.zeros((2, 4, 5, 3)), "must return a stack"),
        (np.ma.masked_greater(STACK, 3), "masked pixels"),
        (None, "must return a stack"),
        (STACK.tolist(), "must return a stack"),
    ],
)
def test_a_stack_that_is_no_image_is_refused(stack: Any, text: str) -> None:
    with pytest.raises(StepError, match=f"^odd .*({text})"):
        chain(returning(stack))


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (STACK.astype(np.int32) - 1, "the label -1"),
        (STACK.astype(np.int64) + 2**32, "the label 4294967335"),
        (STACK.astype(np.uint64) + 2**63, "the largest possible label is"),
        (STACK.astype(float), "integer labels, not float64"),
        (STACK > 3, "integer labels, not bool"),
        (np.full(STACK.shape, np.nan), "integer labels"),
        (np.ma.masked_equal(STACK, 3), "masked pixels"),
        (STACK.astype(object), "object"),
        (np.zeros((2, 4, 4), int), r"shape \(2, 4, 4\) for a stack of"),
        (np.zeros((4, 5), int), "must return labels of 2 plane"),
        (np.zeros((2, 0, 0), int), "without pixels"),
    ],
)
def test_labels_that_no_file_holds_are_refused(labels: Any, text: str) -> None:
    with pytest.raises(StepError, match=f"^odd .*{text}"):
        chain(labelling(labels))


def test_a_masked_array_without_a_mask_is_its_data() -> None:
    assert type(chain(returning(np.ma.array(STACK))).stack) is np.ndarray


def test_labels_up_to_the_largest_are_written_as_they_are(tmp_path: Path) -> None:
    plane = np.array([[0, 1], [65536, 2**32 - 1]], np.int64)
    write_labels(tmp_path / "l.tif", plane, None)
    assert np.array_equal(tifffile.imread(tmp_path / "l.tif"), plane)
    for wrong in (plane + 1, plane - 1):
        with pytest.raises(OutputError, match="can't hold the labels"):
            write_labels(tmp_path / "l.tif", wrong, None)


@pytest.mark.parametrize("kind", ["?", "f2", "<f4", ">f4", "f8", "u1", ">u2", "i2", "u4", ">i4", "i8", ">u8"])
def test_planes_are_read_back_as_they_were(tmp_path: Path, kind: str) -> None:
    plane = np.array([[0, 1], [1, 0]]).astype(kind)
    write_plane(tmp_path / "p.tif", plane, None)
    found = tifffile.imread(tmp_path / "p.tif")
    assert np.array_equal(found, plane)
    assert found.dtype.kind == "f" or found.dtype.itemsize <= 4
    assert found.dtype != np.float16
    with pytest.raises(OutputError, match="few programs read 64-bit integers"):
        write_plane(tmp_path / "p.tif", np.array([[2**32]]), None)


@special_inputs(InputKind.LABELS)
def spoils_labels(stack: Any, *, labels: Any) -> Any:
    labels[:] = 99
    return stack


@special_inputs(InputKind.LABELS)
def labels_as_images(stack: Any, *, labels: Any) -> Any:
    return labels


@special_outputs(OutputKind.LABELS)
def same_twice(stack: Any) -> Any:
    labels = (stack % 3).astype(np.int32)
    return labels, labels


def spoils_stack(stack: Any) -> Any:
    stack[:] = 99
    return stack


def spoils_arguments(stack: Any, *, numbers: list[int], settings: dict[str, list[int]], field: Any) -> Any:
    total = len(numbers) + len(settings["a"]) + int(field.sum())
    numbers.append(1)
    settings["a"].append(1)
    field += 1
    return stack * 0 + total


@pytest.mark.parametrize("spoiler", [spoils_labels, [labels_as_images, spoils_stack], spoils_stack])
@pytest.mark.parametrize("count", [1, 2])
def test_what_a_function_does_to_its_labels_reaches_nobody(spoiler: Any, count: int) -> None:
    planes = {key: np.ones((4, 5), np.int32) for key in KEYS[:count]}
    known = WellContext(planes)
    calls = FunctionStep(spoiler).calls_for(None)
    call_chain(calls, STACK[:count].copy(), PatternGroup(KEYS[:count], ()), known)
    assert all((plane == 1).all() for plane in planes.values())


def test_labels_of_a_chain_are_not_changed_through_its_stack() -> None:
    result = chain([same_twice, spoils_stack])
    assert np.array_equal(np.stack([result.labels[key] for key in KEYS]), STACK % 3)
    result = chain([same_twice, labels_as_images, spoils_stack])
    assert np.array_equal(np.stack([result.labels[key] for key in KEYS]), STACK % 3)


def test_planes_that_share_memory_are_parted_before_a_function_changes_one() -> None:
    def first_only(stack: Any) -> Any:
        stack[0] += 1
        return stack

    def the_same(stack: Any) -> Any:
        return np.lib.stride_tricks.as_strided(stack, strides=(0, *stack.strides[1:]))

    for one in (lambda stack: np.broadcast_to(stack[:1], stack.shape), the_same):
        result = chain([one, first_only])
        assert (result.stack[0] == result.stack[1] + 1).all()


def test_arguments_are_the_same_for_every_call() -> None:
    arguments = {"numbers": [1], "settings": {"a": [1]}, "field": np.ones(3)}
    step = FunctionStep((spoils_arguments, arguments))
    for _ in range(2):
        assert (call_chain(step.calls_for(None), STACK.copy(), GROUP, WellContext()).stack == 5).all()
    assert (arguments["numbers"], arguments["settings"]) == ([1], {"a": [1]})


def test_what_cannot_be_copied_is_handed_on() -> None:
    lock = threading.Lock()
    seen = []

    def locked(stack: Any, *, lock: Any) -> Any:
        seen.append(lock)
        return stack

    chain((locked, {"lock": lock}))
    assert seen == [lock]


def test_numbers_of_objects() -> None:
    for kind in ("u1", "i4", "u8", "i8"):
        labels: NDArray[np.integer[Any]] = np.array([[0, 7], [7, 2]]).astype(kind)
        assert numbers_of(labels).tolist() == [2, 7]
        numbers, marked = consecutive(labels)
        assert (numbers.tolist(), marked.tolist()) == ([2, 7], [[0, 2], [2, 1]])
    huge = np.array([[0, 4_000_000_000], [7, 7]], np.int64)
    numbers, marked = consecutive(huge)
    assert (numbers.tolist(), marked.tolist()) == ([7, 4_000_000_000], [[0, 2], [1, 1]])
    assert consecutive(np.zeros((2, 2), np.uint64))[0].tolist() == []


def test_large_numbers_give_the_same_measurements_and_shapes() -> None:
    small = np.zeros((1, 40, 40), np.int64)
    small[0, 3:9, 3:9], small[0, 20:30, 20:25], small[0, 0:3, 30:33] = 1, 2, 3
    large = np.where(small > 0, small + 4_000_000_000, 0)
    stack = np.random.default_rng(1).integers(0, 1000, small.shape).astype(np.uint16)
    inputs: list[tuple[Any, dict[str, Any], str]] = [
        (functions.measure_objects, {"pixel_size_um": 0.5}, "labels"),
        (functions.measure_shape, {"pixel_size_um": 0.5}, "labels"),
        (functions.measure_intensity, {}, "shared_labels"),
        (functions.measure_texture, {}, "shared_labels"),
    ]
    for function, arguments, name in inputs:
        _, [one] = function(stack, **arguments, **{name: small})
        _, [other] = function(stack, **arguments, **{name: large})
        assert other.objects["label"].tolist() == [number + 4_000_000_000 for number in (1, 2, 3)]
        for column in one.objects.keys() - {"label"}:
            assert np.array_equal(one.objects[column], other.objects[column], equal_nan=True)
        assert one.summary == other.summary
    for function, arguments in (
        (functions.filter_objects, {"min_area_px": 10}),
        (functions.clear_border, {}),
        (functions.expand_objects, {"distance_px": 2}),
    ):
        _, one = function(stack, labels=small, **arguments)
        _, other = function(stack, labels=large, **arguments)
        assert np.array_equal(np.where(one > 0, one + 4_000_000_000, 0), other)
    _, one = functions.segment_cells(stack, shared_labels=small)
    _, other = functions.segment_cells(stack, shared_labels=large)
    assert np.array_equal(np.where(one > 0, one + 4_000_000_000, 0), other)
    assert [roi.label for roi in labels_to_rois(large[0])] == [4_000_000_001, 4_000_000_002, 4_000_000_003]
