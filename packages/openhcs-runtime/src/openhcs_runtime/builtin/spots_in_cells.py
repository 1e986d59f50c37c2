"""Spots in cells: find nuclei, the cells around them and bright spots, and count the spots of each cell."""

from openhcs_runtime import Component, FunctionStep
from openhcs_runtime.functions import (
    detect_spots,
    max_projection,
    measure_features,
    measure_objects,
    relate_objects,
    segment_cells,
    segment_nuclei,
)

NUCLEI = "nuclei"  # channel with a DNA stain, found by its name; or a channel number, or a name such as "DAPI"
CELLS = 2  # channel that shows whole cells
SPOTS = 3  # channel with the spots, such as foci, vesicles or FISH
DIAMETER_PX = 5.0  # diameter of a spot in pixels
MIN_SNR = 6.0  # how far a spot has to stand out from the noise; lower values find more spots
BY = Component.CHANNEL
Z = (Component.Z_INDEX,)  # images that differ only in z form one stack
ALL_CHANNELS = (Component.CHANNEL,)  # the channels of a site form one stack

pipeline_steps = [
    # One image of each z stack. Images without a stack stay as they are.
    FunctionStep(max_projection, name="Project", variable_components=Z),
    FunctionStep({NUCLEI: [segment_nuclei, measure_objects]}, name="Find nuclei", group_by=BY),
    # Each cell grows from its nucleus.
    FunctionStep({CELLS: [segment_cells, measure_objects]}, name="Find cells", group_by=BY),
    # Brightness of the cells in all channels.
    FunctionStep(
        (measure_features, {"name": "cells", "groups": ["intensity"]}),
        name="Measure cells",
        variable_components=ALL_CHANNELS,
    ),
    FunctionStep(
        {SPOTS: (detect_spots, {"name": "spots", "diameter_px": DIAMETER_PX, "min_snr": MIN_SNR})},
        name="Find spots",
        group_by=BY,
    ),
    # Adds the number of the cell to each spot, and the number of spots to each cell.
    FunctionStep(
        {SPOTS: (relate_objects, {"children": "spots", "parents": "cells"})}, name="Count by cell", group_by=BY
    ),
]
