from .aggregate import (
    well_profiles as well_profiles,
)
from .b_score import (
    b_scores as b_scores,
    median_polish as median_polish,
)
from .columns import (
    MapColumns as MapColumns,
    MapRole as MapRole,
)
from .comparison import (
    Comparison as Comparison,
    usual_comparison as usual_comparison,
)
from .dose_curve import (
    DoseCurve as DoseCurve,
    DoseOutcome as DoseOutcome,
    fit_dose_curve as fit_dose_curve,
)
from .dose_response import (
    DoseResponse as DoseResponse,
    dose_responses as dose_responses,
)
from .hits import (
    Hit as Hit,
    HitDirection as HitDirection,
    HitSide as HitSide,
    find_hits as find_hits,
)
from .map_check import (
    check_plate_map as check_plate_map,
)
from .normalise import (
    normalise_profiles as normalise_profiles,
)
from .quality import (
    AssayQuality as AssayQuality,
    assay_quality as assay_quality,
    control_quality as control_quality,
)
from .replicates import (
    Correlation as Correlation,
    ReplicateCorrelation as ReplicateCorrelation,
    replicate_correlation as replicate_correlation,
)
from .roles import (
    ControlKind as ControlKind,
    ControlWells as ControlWells,
    control_wells as control_wells,
    find_controls as find_controls,
)
from .screen import (
    Screen as Screen,
    ScreenRequest as ScreenRequest,
    profile_screen as profile_screen,
)
from .tables import (
    profile_table as profile_table,
    write_profiles as write_profiles,
    write_screen as write_screen,
)
from .treatment import (
    Treatment as Treatment,
    treatments as treatments,
)
from .values import (
    WellProfiles as WellProfiles,
)
from .words import (
    Centre as Centre,
    Normalisation as Normalisation,
    Reference as Reference,
)
