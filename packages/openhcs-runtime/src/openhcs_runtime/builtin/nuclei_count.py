"""Counts nuclei in channel 1: projection over z, background, denoising, segmentation, measurement."""

from openhcs_runtime import Component, FunctionStep
from openhcs_runtime.functions import denoise, max_projection, measure_objects, segment_nuclei, subtract_background

NUCLEI = 1  # the channel that shows them; the others are left alone
Z = (Component.Z_INDEX,)  # the images that differ only in z go into one stack
CHANNEL = Component.CHANNEL

pipeline_steps = [
    FunctionStep({NUCLEI: max_projection}, name="Project", variable_components=Z, group_by=CHANNEL),
    FunctionStep({NUCLEI: [subtract_background, denoise]}, name="Correct", variable_components=Z, group_by=CHANNEL),
    FunctionStep({NUCLEI: segment_nuclei}, name="Segment", variable_components=Z, group_by=CHANNEL),
    FunctionStep(
        {NUCLEI: (measure_objects, {"name": "nuclei"})}, name="Measure", variable_components=Z, group_by=CHANNEL
    ),
]
