"""Cell Painting: nuclei, cells and cytoplasm in five channels, with about 1,000 features of each.

The stains are those of Bray et al., Nature Protocols 11, 2016: DNA, ER, RNA, AGP (actin, Golgi, membrane) and
mitochondria. Use `openhcs-runtime profile` afterwards to make a profile of each well.
"""

from openhcs_runtime import Component, FunctionStep, PlateStep
from openhcs_runtime.functions import (
    check_nuclei,
    divide_by_illumination,
    estimate_illumination,
    max_projection,
    measure_features,
    measure_neighbours,
    measure_quality,
    relate_objects,
    segment_cells,
    segment_cytoplasm,
    segment_nuclei,
)

NUCLEI = "nuclei"  # channel with the DNA stain, found by its name; or a channel number, or a name such as "DNA"
CELLS = 4  # channel that shows whole cells best: usually AGP, or RNA
DIAMETER_UM = None  # typical diameter of a nucleus in micrometres; None to estimate it from the images
INTENSITY_MAX = 65535  # the largest value of a pixel; 4095 for a camera of 12 bits
BY = Component.CHANNEL
Z = (Component.Z_INDEX,)  # images that differ only in z form one stack
ALL_CHANNELS = (Component.CHANNEL,)  # the channels of a site form one stack

pipeline_steps = [
    # One image of each z stack. Images without a stack stay as they are.
    FunctionStep(max_projection, name="Project", variable_components=Z),
    # Focus and saturation of each image, to leave out wells that can't be used.
    FunctionStep(measure_quality, name="Image quality"),
    # The illumination of each channel comes from all images of the plate, so this step waits for all wells.
    PlateStep(estimate_illumination, name="Estimate illumination"),
    FunctionStep(divide_by_illumination, name="Correct illumination"),
    FunctionStep(
        {NUCLEI: [(segment_nuclei, {"diameter_um": DIAMETER_UM}), check_nuclei, measure_neighbours]},
        name="Find nuclei",
        group_by=BY,
    ),
    FunctionStep({CELLS: (segment_cells, {"factor": 0.6})}, name="Find cells", group_by=BY),
    FunctionStep(
        (measure_features, {"name": "nuclei", "intensity_max": INTENSITY_MAX}),
        name="Features of nuclei",
        variable_components=ALL_CHANNELS,
    ),
    FunctionStep(
        (measure_features, {"name": "cells", "intensity_max": INTENSITY_MAX}),
        name="Features of cells",
        variable_components=ALL_CHANNELS,
    ),
    # The cytoplasm is the cell without its nucleus.
    FunctionStep({CELLS: segment_cytoplasm}, name="Find cytoplasm", group_by=BY),
    FunctionStep(
        (measure_features, {"name": "cytoplasm", "intensity_max": INTENSITY_MAX}),
        name="Features of cytoplasm",
        variable_components=ALL_CHANNELS,
    ),
    FunctionStep({NUCLEI: (relate_objects, {"children": "nuclei", "parents": "cells"})}, name="Relate", group_by=BY),
]
