"""Ready-made pipeline functions on scikit-image and scipy.ndimage."""

from openhcs_runtime.functions.intensity import correct_illumination, denoise, max_projection, subtract_background
from openhcs_runtime.functions.measure import measure_objects
from openhcs_runtime.functions.segment import label_objects, segment_nuclei, split_touching, threshold

__all__ = [
    "correct_illumination",
    "denoise",
    "label_objects",
    "max_projection",
    "measure_objects",
    "segment_nuclei",
    "split_touching",
    "subtract_background",
    "threshold",
]
