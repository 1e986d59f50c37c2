"""Which planes of a stack are the channels of one site, and which labels their objects have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.choices import alternatives
from openhcs_runtime.functions.naming import prefixes
from openhcs_runtime.pipeline.decorators import Stack


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """The channels of one site, or some of them.

    Attributes:
        planes: The image (Y, X) of each channel.
        channels: The name of each channel.
        labels: Integer labels (Y, X) of the objects.
        prefix: What the names of columns of the plane begin with.
    """

    planes: tuple[NDArray[Any], ...]
    channels: tuple[str, ...]
    labels: NDArray[Any]
    prefix: str


def planes_of(stack: Stack, labels: Stack, channels: Sequence[str], set_names: Sequence[str], name: str) -> list[Site]:
    """Return each plane of a stack by itself.

    Args:
        stack: The images (n, Y, X).
        labels: Integer labels (n, Y, X).
        channels: Names of the channels, n.
        set_names: Names of the sets of objects that the labels have, n or none.
        name: Name of the set of objects; empty for that of the labels.
    """
    parts = zip(stack, labels, channels, prefixes(name, set_names, len(stack)), strict=True)
    return [Site((plane,), (channel,), marked, prefix) for plane, marked, channel, prefix in parts]


def sites_of(
    stack: Stack,
    labels: Stack,
    channels: Sequence[str],
    set_names: Sequence[str],
    name: str,
    object_sets: Mapping[str, Stack],
) -> list[Site]:
    """Return the sites in a stack: one if all channels differ, one for each plane if all have the same channel.

    Args:
        stack: The images (n, Y, X).
        labels: Integer labels (n, Y, X).
        channels: Names of the channels, n.
        set_names: Names of the sets of objects that the labels have, n or none.
        name: Name of the set of objects; empty for that of the labels.
        object_sets: The labels (n, Y, X) of each set; those of ``name`` take the place of ``labels``.

    Raises:
        ValueError: The stack has several planes of several channels, or different labels and no name that chooses.
    """
    labels = object_sets.get(name, labels)
    if len(set(channels)) == len(stack):
        _check_labels(labels, set_names, object_sets)
        return [Site(tuple(stack), tuple(channels), labels[0], prefixes(name, set_names, 1)[0])]
    if len(set(channels)) == 1:
        return planes_of(stack, labels, channels, set_names, name)
    raise ValueError(
        f"the stack has {len(stack)} planes of {len(set(channels))} channels: give the step "
        "variable_components=['channel'], so that a stack has the channels of one site"
    )


def _check_labels(labels: Stack, set_names: Sequence[str], object_sets: Mapping[str, Stack]) -> None:
    if any(not np.array_equal(labels[0], other) for other in labels[1:]):
        sets = alternatives(object_sets or dict.fromkeys(set_names))
        raise ValueError(
            f"the channels have labels of different objects: set name to that of the objects to measure, {sets}"
        )
