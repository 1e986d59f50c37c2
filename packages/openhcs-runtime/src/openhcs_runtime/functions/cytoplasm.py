"""Finds the cytoplasm: what is left of each cell without its nucleus."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from openhcs_runtime.choices import alternatives
from openhcs_runtime.functions.features.arguments import refuse
from openhcs_runtime.pipeline.decorators import (
    InputKind,
    OutputKind,
    Stack,
    checked_by,
    special_inputs,
    special_outputs,
)


def _problems(cells: str = "cells", nuclei: str = "nuclei", **_arguments: Any) -> Iterator[str]:
    """Yield what is wrong with the arguments of a step."""
    if cells == nuclei:
        yield f"cells and nuclei are both {cells!r}: name two sets of objects"


@special_inputs(InputKind.OBJECT_SETS)
@special_outputs(OutputKind.LABELS, finds="cytoplasm")
@checked_by(_problems)
def segment_cytoplasm(
    stack: Stack, *, object_sets: Mapping[str, Stack], cells: str = "cells", nuclei: str = "nuclei"
) -> tuple[Stack, Stack]:
    """Label the cytoplasm of each cell, which is the cell without its nucleus; the stack is passed on.

    A cytoplasm has the number of its cell. Pixels of all nuclei are left out, as in CellProfiler's
    IdentifyTertiaryObjects (Carpenter et al., Genome Biology 7:R100, 2006); a cell of which nothing is left has none.

    Args:
        stack: The images (n, Y, X).
        object_sets: Integer labels (n, Y, X) of each set of objects, from the engine.
        cells: Name of the cells: the name of their table.
        nuclei: Name of the nuclei.

    Returns:
        The stack, and labels (n, Y, X) of the dtype of the cells.

    Raises:
        ValueError: If there are no objects with one of these names, or both names are the same.
    """
    refuse(_problems(cells, nuclei))
    for name in (cells, nuclei):
        if name not in object_sets:
            known = f"choose {alternatives(object_sets)}" if object_sets else "put a step before it that finds objects"
            raise ValueError(f"no objects {name!r} were found before this step: {known}")
    outer = object_sets[cells]
    return stack, np.where(object_sets[nuclei] > 0, outer.dtype.type(0), outer)
