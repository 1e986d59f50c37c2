"""The writers of synthetic plates, one for each format."""

from collections.abc import Callable, Mapping

from openhcs_runtime.made_format import MadeFormat
from openhcs_runtime.plates.synthetic.cellomics import CellomicsLayout
from openhcs_runtime.plates.synthetic.columbus import ColumbusLayout
from openhcs_runtime.plates.synthetic.gen5 import Gen5Layout
from openhcs_runtime.plates.synthetic.imagexpress import ImageXpressLayout
from openhcs_runtime.plates.synthetic.in_cell import InCellLayout
from openhcs_runtime.plates.synthetic.incucyte import IncucyteLayout
from openhcs_runtime.plates.synthetic.matrix_screener import MatrixScreenerLayout
from openhcs_runtime.plates.synthetic.micro_manager import MicroManagerLayout
from openhcs_runtime.plates.synthetic.nikon_jobs import NikonJobsLayout
from openhcs_runtime.plates.synthetic.ome_zarr import OmeZarrLayout
from openhcs_runtime.plates.synthetic.opera_phenix import OperaPhenixLayout
from openhcs_runtime.plates.synthetic.plan import PlateLayout, PlatePlan
from openhcs_runtime.plates.synthetic.sbs_names import SbsNamesLayout
from openhcs_runtime.plates.synthetic.scanr import ScanRLayout
from openhcs_runtime.plates.synthetic.squid import SquidLayout
from openhcs_runtime.plates.synthetic.yokogawa_cq1 import YokogawaCQ1Layout
from openhcs_runtime.plates.synthetic.yokogawa_cv import YokogawaCVLayout

__all__ = ["LAYOUTS"]

LAYOUTS: Mapping[MadeFormat, Callable[[PlatePlan], PlateLayout]] = {
    MadeFormat.BIOTEK_GEN5: Gen5Layout,
    MadeFormat.COLUMBUS: ColumbusLayout,
    MadeFormat.IMAGEXPRESS: ImageXpressLayout,
    MadeFormat.INCUCYTE: IncucyteLayout,
    MadeFormat.LEICA_MATRIX_SCREENER: MatrixScreenerLayout,
    MadeFormat.MICRO_MANAGER: MicroManagerLayout,
    MadeFormat.NIKON_JOBS: NikonJobsLayout,
    MadeFormat.OME_ZARR: OmeZarrLayout,
    MadeFormat.OPERA_PHENIX: OperaPhenixLayout,
    MadeFormat.YOKOGAWA_CV: YokogawaCVLayout,
    MadeFormat.YOKOGAWA_CQ1: YokogawaCQ1Layout,
    MadeFormat.IN_CELL: InCellLayout,
    MadeFormat.SCANR: ScanRLayout,
    MadeFormat.CELLOMICS: CellomicsLayout,
    MadeFormat.SBS_NAMES: SbsNamesLayout,
    MadeFormat.SQUID: SquidLayout,
}
"""What writes a plate of each format."""
