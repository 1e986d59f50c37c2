"""Count nuclei: projection over z, segmentation, background correction, measurement."""

from openhcs_runtime import Component, FunctionStep
from openhcs_runtime.functions import check_nuclei, max_projection, measure_objects, segment_nuclei, subtract_background

CHANNEL = "nuclei"  # found by its name; or a channel number, or a name such as "DAPI"; other channels are unchanged
DIAMETER_UM = None  # typical diameter of a nucleus in micrometres; None to estimate it from the images
DIAMETER_PX = None  # the same in pixels, as an alternative
BY = Component.CHANNEL
Z = (Component.Z_INDEX,)  # images that differ only in z form one stack

pipeline_steps = [
    FunctionStep({CHANNEL: max_projection}, name="Project", variable_components=Z, group_by=BY),
    FunctionStep(
        {CHANNEL: [(segment_nuclei, {"diameter_um": DIAMETER_UM, "diameter_px": DIAMETER_PX}), check_nuclei]},
        name="Segment",
        variable_components=Z,
        group_by=BY,
    ),
    FunctionStep(
        {CHANNEL: (subtract_background, {"radius_px": 200.0})}, name="Correct", variable_components=Z, group_by=BY
    ),
    FunctionStep({CHANNEL: (measure_objects, {"name": "nuclei"})}, name="Measure", variable_components=Z, group_by=BY),
]
