"""Ready-made pipeline functions based on scikit-image and scipy.ndimage; those with models need an extra.

Each function takes a stack (n, Y, X) as its first argument, or a ``PlateData`` if it is for a ``PlateStep``;
decorators declare its other inputs from the engine and its outputs. Names of lengths end in their unit: ``_px`` for
pixels, ``_um`` for micrometres.
"""

from openhcs_runtime.controls import ControlMethod
from openhcs_runtime.functions.background import (
    subtract_background,
    subtract_constant,
    subtract_gaussian,
    subtract_rolling_ball,
    subtract_tophat,
)
from openhcs_runtime.functions.cellprofiler import measure_cellprofiler
from openhcs_runtime.functions.cytoplasm import segment_cytoplasm
from openhcs_runtime.functions.denoising import (
    denoise,
    denoise_median,
    denoise_non_local_means,
    denoise_total_variation,
)
from openhcs_runtime.functions.features.catalogue import FeatureGroup
from openhcs_runtime.functions.features.steps import (
    measure_colocalisation,
    measure_features,
    measure_granularity,
    measure_haralick,
    measure_radial,
    measure_zernike,
)
from openhcs_runtime.functions.illumination import correct_flat_field, correct_illumination
from openhcs_runtime.functions.measure import measure_intensity, measure_objects, measure_shape
from openhcs_runtime.functions.models.cellpose import segment_cellpose
from openhcs_runtime.functions.models.instanseg import InstanSegObjects, segment_instanseg
from openhcs_runtime.functions.models.onnx import ModelInput, ModelOutput, segment_onnx
from openhcs_runtime.functions.models.stardist import segment_stardist
from openhcs_runtime.functions.neighbours import measure_neighbours
from openhcs_runtime.functions.nuclei import segment_nuclei
from openhcs_runtime.functions.nuclei_check import NucleiDoubt, check_nuclei
from openhcs_runtime.functions.objects import clear_border, expand_objects, filter_objects, outline_objects
from openhcs_runtime.functions.plate_controls import fit_normaliser, normalise
from openhcs_runtime.functions.plate_illumination import (
    divide_by_illumination,
    estimate_illumination,
)
from openhcs_runtime.functions.plate_quality import judge_quality, measure_quality, quality_gate
from openhcs_runtime.functions.projection import (
    focus_projection,
    max_projection,
    mean_projection,
    min_projection,
    std_projection,
    sum_projection,
)
from openhcs_runtime.functions.quality_limits import find_quality_limits, flag_quality
from openhcs_runtime.functions.relations import relate_objects
from openhcs_runtime.functions.segment import label_objects, segment_cells, split_touching
from openhcs_runtime.functions.skeleton import measure_skeleton
from openhcs_runtime.functions.spots import detect_spots
from openhcs_runtime.functions.stitch import GridOrder, stitch_sites
from openhcs_runtime.functions.texture import measure_texture
from openhcs_runtime.functions.thresholds import (
    ThresholdMethod,
    fill_holes,
    threshold,
    threshold_around,
    threshold_fixed,
)
from openhcs_runtime.functions.tracking import track_objects

__all__ = [
    "ControlMethod",
    "FeatureGroup",
    "GridOrder",
    "InstanSegObjects",
    "ModelInput",
    "ModelOutput",
    "NucleiDoubt",
    "ThresholdMethod",
    "check_nuclei",
    "clear_border",
    "correct_flat_field",
    "correct_illumination",
    "denoise",
    "denoise_median",
    "denoise_non_local_means",
    "denoise_total_variation",
    "detect_spots",
    "divide_by_illumination",
    "estimate_illumination",
    "expand_objects",
    "fill_holes",
    "filter_objects",
    "find_quality_limits",
    "fit_normaliser",
    "flag_quality",
    "focus_projection",
    "judge_quality",
    "label_objects",
    "max_projection",
    "mean_projection",
    "measure_cellprofiler",
    "measure_colocalisation",
    "measure_features",
    "measure_granularity",
    "measure_haralick",
    "measure_intensity",
    "measure_neighbours",
    "measure_objects",
    "measure_quality",
    "measure_radial",
    "measure_shape",
    "measure_skeleton",
    "measure_texture",
    "measure_zernike",
    "min_projection",
    "normalise",
    "outline_objects",
    "quality_gate",
    "relate_objects",
    "segment_cellpose",
    "segment_cells",
    "segment_cytoplasm",
    "segment_instanseg",
    "segment_nuclei",
    "segment_onnx",
    "segment_stardist",
    "split_touching",
    "std_projection",
    "stitch_sites",
    "subtract_background",
    "subtract_constant",
    "subtract_gaussian",
    "subtract_rolling_ball",
    "subtract_tophat",
    "sum_projection",
    "threshold",
    "threshold_around",
    "threshold_fixed",
    "track_objects",
]


def __dir__() -> list[str]:
    return sorted(__all__)
