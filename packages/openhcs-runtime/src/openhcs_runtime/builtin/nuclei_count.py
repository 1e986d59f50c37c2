"""Counts nuclei: projection over z, segmentation, background, measurement."""

from openhcs_runtime import Component, FunctionStep
from openhcs_runtime.functions import check_nuclei, max_projection, measure_objects, segment_nuclei, subtract_background

CHANNEL = "nuclei"  # the one whose name says so; or a number, or a name such as "DAPI"; the others are left alone
DIAMETER_UM = None  # of a usual nucleus, in micrometres; None: found in the pictures
DIAMETER_PX = None  # the same in pixels, instead
BY = Component.CHANNEL
Z = (Component.Z_INDEX,)  # the images that differ only in z go into one stack

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
