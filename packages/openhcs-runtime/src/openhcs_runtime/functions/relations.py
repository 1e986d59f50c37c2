"""Which object lies in which: the cell of each nucleus, the spots of each cell."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.choices import alternatives
from openhcs_runtime.pipeline.decorators import (
    InputKind,
    Measurements,
    OutputKind,
    Stack,
    special_inputs,
    special_outputs,
)
from openhcs_runtime.rois.label_numbers import consecutive, numbers_of


@special_inputs(InputKind.OBJECT_SETS)
@special_outputs(OutputKind.MEASUREMENTS)
def relate_objects(
    stack: Stack, *, object_sets: Mapping[str, Stack], children: str, parents: str
) -> tuple[Stack, list[tuple[Measurements, Measurements]]]:
    """Find the parent of each object, such as the cell of a nucleus; the stack is passed on.

    The parent is the object that covers most of the child's pixels, of several the one with the lowest label, as in
    CellProfiler's RelateObjects (Carpenter et al., Genome Biology 7:R100, 2006).

    Columns of a child: ``parent_<parents>``, the label of its parent, empty if it has none. Columns of a parent:
    ``<children>_count``. Columns of a plane: ``<children>_without_<parents>_count``.

    Args:
        stack: The images (n, Y, X).
        object_sets: Integer labels (n, Y, X) of each set of objects, from the engine.
        children: Name of the objects whose parents are wanted, such as ``"nuclei"``: the name of their table.
        parents: Name of the objects that they lie in, such as ``"cells"``.

    Returns:
        The stack, and for each plane the ``Measurements`` of the children and of the parents.

    Raises:
        ValueError: If there are no objects with one of these names, or both names are the same.
    """
    if children == parents:
        raise ValueError(f"children and parents are both {children!r}: name two sets of objects")
    for name in (children, parents):
        if name not in object_sets:
            known = f"choose {alternatives(object_sets)}" if object_sets else "put a step before it that finds objects"
            raise ValueError(f"no objects {name!r} were found before this step: {known}")
    planes = zip(object_sets[children], object_sets[parents], strict=True)
    return stack, [_relate(inner, outer, children, parents) for inner, outer in planes]


def parents_of(children: NDArray[np.integer], parents: NDArray[np.integer]) -> tuple[NDArray[np.integer], list[int]]:
    """Return the labels of the children in ascending order, and the label of the parent of each, 0 for none.

    Args:
        children: Labels (Y, X).
        parents: Labels (Y, X).
    """
    inside = np.flatnonzero(children)
    inner_numbers, inner = consecutive(children.ravel()[inside])
    outer_numbers, outer = consecutive(parents.ravel()[inside])
    both = outer > 0
    pairs, pixels = np.unique(inner[both].astype(np.int64) * (len(outer_numbers) + 1) + outer[both], return_counts=True)
    child, parent = np.divmod(pairs, len(outer_numbers) + 1)
    order = np.lexsort((parent, -pixels, child))
    covered, first = np.unique(child[order], return_index=True)
    found = np.zeros(len(inner_numbers), np.int64)
    found[covered - 1] = outer_numbers[parent[order][first] - 1]
    return inner_numbers, found.tolist()


def _relate(
    children: NDArray[np.integer], parents: NDArray[np.integer], child: str, parent: str
) -> tuple[Measurements, Measurements]:
    labels, found = parents_of(children, parents)
    counts = dict.fromkeys(numbers_of(parents).tolist(), 0)
    for label in found:
        if label:
            counts[label] += 1
    column, count, without = f"parent_{parent}", f"{child}_count", f"{child}_without_{parent}_count"
    of_children = {"label": labels, column: np.ma.masked_equal(np.array(found, np.int64), 0)}
    of_parents = {"label": list(counts), count: list(counts.values())}
    return (
        Measurements({without: found.count(0)}, of_children, name=child, without_channel=(without, column)),
        Measurements({}, of_parents, name=parent, without_channel=(count,)),
    )
