"""The writers of synthetic plates, one for each format."""

from collections.abc import Callable, Mapping

from openhcs_runtime.made_format import MadeFormat
from openhcs_runtime.plates.synthetic.cellomics import CellomicsLayout
from openhcs_runtime.plates.synthetic.imagexpress import ImageXpressLayout
from openhcs_runtime.plates.synthetic.in_cell import InCellLayout
from openhcs_runtime.plates.synthetic.ome_zarr import OmeZarrLayout
from openhcs_runtime.plates.synthetic.opera_phenix import OperaPhenixLayout
from openhcs_runtime.plates.synthetic.plan import PlateLayout, PlatePlan
from openhcs_runtime.plates.synthetic.scanr import ScanRLayout
from openhcs_runtime.plates.synthetic.yokogawa_cq1 import YokogawaCQ1Layout
from openhcs_runtime.plates.synthetic.yokogawa_cv import YokogawaCVLayout

__all__ = ["LAYOUTS"]

LAYOUTS: Mapping[MadeFormat, Callable[[PlatePlan], PlateLayout]] = {
    MadeFormat.IMAGEXPRESS: ImageXpressLayout,
    MadeFormat.OME_ZARR: OmeZarrLayout,
    MadeFormat.OPERA_PHENIX: OperaPhenixLayout,
    MadeFormat.YOKOGAWA_CV: YokogawaCVLayout,
    MadeFormat.YOKOGAWA_CQ1: YokogawaCQ1Layout,
    MadeFormat.IN_CELL: InCellLayout,
    MadeFormat.SCANR: ScanRLayout,
    MadeFormat.CELLOMICS: CellomicsLayout,
}
"""What writes a plate of each format."""
