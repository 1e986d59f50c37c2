"""Nuclei, cells and cytoplasm: find them in two channels, measure each, and relate nuclei to cells."""

from openhcs_runtime import Component, FunctionStep
from openhcs_runtime.functions import (
    check_nuclei,
    max_projection,
    measure_intensity,
    measure_objects,
    measure_shape,
    relate_objects,
    segment_cells,
    segment_cytoplasm,
    segment_nuclei,
)

NUCLEI = "nuclei"  # channel with a DNA stain, found by its name; or a channel number, or a name such as "DAPI"
CELLS = 2  # channel that shows whole cells, such as actin or a cytoplasmic stain
DIAMETER_UM = None  # typical diameter of a nucleus in micrometres; None to estimate it from the images
BY = Component.CHANNEL
Z = (Component.Z_INDEX,)  # images that differ only in z form one stack

pipeline_steps = [
    # One image of each z stack. Images without a stack stay as they are.
    FunctionStep(max_projection, name="Project", variable_components=Z),
    # check_nuclei measures whether what was found can be nuclei, and warns if it looks wrong.
    FunctionStep(
        {NUCLEI: [(segment_nuclei, {"diameter_um": DIAMETER_UM}), check_nuclei]}, name="Find nuclei", group_by=BY
    ),
    # Brightness of the nuclei in both channels, and their size and shape.
    FunctionStep(
        {NUCLEI: [measure_objects, measure_shape], CELLS: measure_intensity}, name="Measure nuclei", group_by=BY
    ),
    # Each cell grows from its nucleus. A lower factor makes cells larger, a higher one smaller.
    FunctionStep({CELLS: [(segment_cells, {"factor": 0.6}), measure_objects]}, name="Find cells", group_by=BY),
    # The cytoplasm is the cell without its nucleus.
    FunctionStep({CELLS: [segment_cytoplasm, measure_objects]}, name="Find cytoplasm", group_by=BY),
    # Adds the number of the cell to each nucleus, and the number of nuclei to each cell.
    FunctionStep({NUCLEI: (relate_objects, {"children": "nuclei", "parents": "cells"})}, name="Relate", group_by=BY),
]
