from ..controls import (
    ControlMethod as ControlMethod,
)
from .background import (
    subtract_background as subtract_background,
    subtract_constant as subtract_constant,
    subtract_gaussian as subtract_gaussian,
    subtract_rolling_ball as subtract_rolling_ball,
    subtract_tophat as subtract_tophat,
)
from .cellprofiler import (
    measure_cellprofiler as measure_cellprofiler,
)
from .cytoplasm import (
    segment_cytoplasm as segment_cytoplasm,
)
from .denoising import (
    denoise as denoise,
    denoise_median as denoise_median,
    denoise_non_local_means as denoise_non_local_means,
    denoise_total_variation as denoise_total_variation,
)
from .features.catalogue import (
    FeatureGroup as FeatureGroup,
)
from .features.steps import (
    measure_colocalisation as measure_colocalisation,
    measure_features as measure_features,
    measure_granularity as measure_granularity,
    measure_haralick as measure_haralick,
    measure_radial as measure_radial,
    measure_zernike as measure_zernike,
)
from .illumination import (
    correct_flat_field as correct_flat_field,
    correct_illumination as correct_illumination,
)
from .measure import (
    measure_intensity as measure_intensity,
    measure_objects as measure_objects,
    measure_shape as measure_shape,
)
from .models.cellpose import (
    segment_cellpose as segment_cellpose,
)
from .models.instanseg import (
    InstanSegObjects as InstanSegObjects,
    segment_instanseg as segment_instanseg,
)
from .models.onnx import (
    ModelInput as ModelInput,
    ModelOutput as ModelOutput,
    segment_onnx as segment_onnx,
)
from .models.stardist import (
    segment_stardist as segment_stardist,
)
from .neighbours import (
    measure_neighbours as measure_neighbours,
)
from .nuclei import (
    segment_nuclei as segment_nuclei,
)
from .nuclei_check import (
    NucleiDoubt as NucleiDoubt,
    check_nuclei as check_nuclei,
)
from .objects import (
    clear_border as clear_border,
    expand_objects as expand_objects,
    filter_objects as filter_objects,
    outline_objects as outline_objects,
)
from .plate_controls import (
    fit_normaliser as fit_normaliser,
    normalise as normalise,
)
from .plate_illumination import (
    divide_by_illumination as divide_by_illumination,
    estimate_illumination as estimate_illumination,
)
from .plate_quality import (
    judge_quality as judge_quality,
    measure_quality as measure_quality,
    quality_gate as quality_gate,
)
from .projection import (
    focus_projection as focus_projection,
    max_projection as max_projection,
    mean_projection as mean_projection,
    min_projection as min_projection,
    std_projection as std_projection,
    sum_projection as sum_projection,
)
from .quality_limits import (
    find_quality_limits as find_quality_limits,
    flag_quality as flag_quality,
)
from .relations import (
    relate_objects as relate_objects,
)
from .segment import (
    label_objects as label_objects,
    segment_cells as segment_cells,
    split_touching as split_touching,
)
from .skeleton import (
    measure_skeleton as measure_skeleton,
)
from .spots import (
    detect_spots as detect_spots,
)
from .stitch import (
    GridOrder as GridOrder,
    stitch_sites as stitch_sites,
)
from .texture import (
    measure_texture as measure_texture,
)
from .thresholds import (
    ThresholdMethod as ThresholdMethod,
    fill_holes as fill_holes,
    threshold as threshold,
    threshold_around as threshold_around,
    threshold_fixed as threshold_fixed,
)
from .tracking import (
    track_objects as track_objects,
)
