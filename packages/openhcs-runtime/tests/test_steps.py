"""Forms of a step's function, and what its calls must give."""

from typing import Any

import numpy as np
import pytest

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.exceptions import PipelineError, StepError
from openhcs_runtime.pipeline.calls import GroupResult, WellContext, call_chain
from openhcs_runtime.pipeline.decorators import (
    InputKind,
    Measurements,
    OutputKind,
    Stack,
    per_plane,
    reduces,
    special_inputs,
    special_outputs,
    traits_of,
)
from openhcs_runtime.pipeline.patterns import group_images
from openhcs_runtime.pipeline.step import FunctionStep

(GROUP,) = group_images([ImageKey("A01", site) for site in (1, 2)], (Component.SITE,))
STACK = np.arange(2 * 4 * 5, dtype=np.float32).reshape(2, 4, 5)


def double(stack: Stack) -> Stack:
    return stack * 2


def add(stack: Stack, *, amount: float = 1.0) -> Stack:
    return stack + amount


@reduces
def project(stack: Stack) -> Stack:
    return np.asarray(stack.max(axis=0, keepdims=True))


@special_outputs(OutputKind.LABELS, OutputKind.MEASUREMENTS)
def label(stack: Stack) -> tuple[Stack, Stack, list[Measurements]]:
    return stack, np.ones(stack.shape, np.int32), [Measurements({"n": 1}) for _ in stack]


@special_inputs(InputKind.LABELS, InputKind.PIXEL_SIZE_UM)
def scaled_labels(stack: Stack, *, labels: Stack, pixel_size_um: float | None) -> Stack:
    return labels * (pixel_size_um or 0.0)


def run(step: FunctionStep, value: str | int | None = None) -> GroupResult:
    return call_chain(step.calls_for(value), STACK, GROUP, WellContext(pixel_size_um=0.5))


@pytest.mark.parametrize(
    ("func", "expected"),
    [
        (double, STACK * 2),
        ((add, {"amount": 5}), STACK + 5),
        ([double, (add, {"amount": 3}), double], (STACK * 2 + 3) * 2),
        ((double, add), STACK * 2 + 1),
    ],
)
def test_callable_arguments_and_chain(func: Any, expected: Stack) -> None:
    assert np.array_equal(run(FunctionStep(func)).stack, expected)


def test_a_dict_picks_by_value_and_passes_the_rest_on() -> None:
    step = FunctionStep({1: double, "2": [add, double]}, group_by=Component.CHANNEL)
    assert np.array_equal(run(step, 1).stack, STACK * 2)
    assert np.array_equal(run(step, 2).stack, (STACK + 1) * 2)
    assert step.calls_for(3) == ()


def test_names_and_components_are_made_regular() -> None:
    step = FunctionStep([double, (add, {})], variable_components=["z_index"], group_by="channel")  # type: ignore[arg-type]
    assert step.name == "double + add"
    assert step.variable_components == (Component.Z_INDEX,)
    assert step.group_by is Component.CHANNEL


@pytest.mark.parametrize(
    "func", [5, "double", [], {}, (double, 3), [double, None], {1: None}, (3, {"a": 1}), (add, {1: 2})]
)
def test_what_is_no_function_is_refused_with_the_name_of_the_step(func: Any) -> None:
    with pytest.raises(PipelineError, match=r"step 'odd': func"):
        FunctionStep(func, name="odd")


def test_an_unknown_component_is_refused() -> None:
    with pytest.raises(PipelineError, match="unknown component 'colour'"):
        FunctionStep(double, group_by="colour")  # type: ignore[arg-type]


def test_declared_outputs_and_inputs_meet_within_a_chain() -> None:
    result = run(FunctionStep([label, scaled_labels]))
    assert np.array_equal(result.stack, np.full(STACK.shape, 0.5))
    assert list(result.labels) == list(GROUP.keys)
    assert [measured.key for measured in result.measurements] == list(GROUP.keys)


def test_a_reducing_function_gives_one_plane_with_a_key_of_its_own() -> None:
    result = run(FunctionStep([project, double]))
    assert result.stack.shape == (1, 4, 5)
    assert result.keys == (ImageKey("A01", 0),)


def test_labels_made_before_a_projection_stay_with_their_images() -> None:
    result = run(FunctionStep([label, project, double]))
    assert list(result.labels) == list(GROUP.keys)
    assert result.keys == (ImageKey("A01", 0),)


@pytest.mark.parametrize("count", [1, 2])
def test_per_plane_returns_no_view_of_its_stack(count: int) -> None:
    stack = np.arange(6.0 * count).reshape(count, 2, 3)
    for function in (per_plane(lambda plane: plane), per_plane(lambda plane: plane.T)):
        result = function(stack)
        assert result.shape[0] == count
        assert not np.shares_memory(result, stack)
    assert per_plane(lambda plane: plane.sum())(stack).shape == (count,)


def test_per_plane_calls_for_each_plane() -> None:
    @per_plane
    def turn(plane: Stack, *, times: int = 1) -> Stack:
        assert plane.ndim == 2
        return np.asarray(np.rot90(plane, times))

    assert turn(STACK, times=2).shape == STACK.shape
    assert turn(STACK).shape == (2, 5, 4)


def test_declarations_add_up() -> None:
    @special_inputs(InputKind.LABELS)
    @reduces
    @special_outputs(OutputKind.LABELS)
    def all_of_it(stack: Stack, *, labels: Stack) -> tuple[Stack, Stack]:
        return stack, labels

    traits = traits_of(all_of_it)
    assert traits.reduces
    assert traits.inputs == (InputKind.LABELS,)
    assert traits.outputs == (OutputKind.LABELS,)


def no_stack(stack: Stack) -> Stack:
    planes: Stack = stack[0]
    return planes


def wrong_count(stack: Stack) -> Stack:
    return stack[:1]


def boom(stack: Stack) -> Stack:
    raise ValueError("no such luck")


def leave(stack: Stack) -> Stack:
    raise SystemExit(3)


@special_outputs(OutputKind.LABELS)
def forgets_labels(stack: Stack) -> Stack:
    return stack


@special_outputs(OutputKind.LABELS)
def float_labels(stack: Stack) -> tuple[Stack, Stack]:
    return stack, stack.astype(float)


@special_outputs(OutputKind.MEASUREMENTS)
def few_measurements(stack: Stack) -> tuple[Stack, list[Measurements]]:
    return stack, [Measurements({"n": 1})]


@special_outputs(OutputKind.ROIS)
def few_rois(stack: Stack) -> tuple[Stack, list[list[Any]]]:
    return stack, [[]]


@special_outputs(OutputKind.ROIS)
def no_rois(stack: Stack) -> tuple[Stack, list[list[Any]]]:
    return stack, [[], [(1, 2)]]


@pytest.mark.parametrize(
    ("func", "words"),
    [
        (few_rois, r"few_rois must return a list of 2 list\(s\) of regions of interest, not a list of 1"),
        (no_rois, "no_rois must return .* but they contain a tuple of 2"),
        (no_stack, r"no_stack must return a stack of 2 plane\(s\), .* not an array of shape \(4, 5\)"),
        (wrong_count, "wrong_count must return a stack of 2"),
        (boom, r"boom failed on s\*_w1_z1_t1: ValueError: no such luck"),
        (leave, "leave failed on .*: SystemExit: 3"),
        (forgets_labels, "forgets_labels must return the stack and labels as a tuple of 2, not an array"),
        (float_labels, "float_labels must return integer labels, not float64"),
        (few_measurements, "few_measurements must return a list of 2 Measurements, not a list of 1"),
        (scaled_labels, "scaled_labels needs labels"),
    ],
)
def test_what_a_function_does_wrong_is_said_with_its_name(func: Any, words: str) -> None:
    with pytest.raises(StepError, match=words):
        run(FunctionStep(func))
