"""The writers of synthetic plates, one for each format."""

from collections.abc import Callable, Mapping

from openhcs_runtime.made_format import MadeFormat
from openhcs_runtime.plates.synthetic.imagexpress import ImageXpressLayout
from openhcs_runtime.plates.synthetic.ome_zarr import OmeZarrLayout
from openhcs_runtime.plates.synthetic.opera_phenix import OperaPhenixLayout
from openhcs_runtime.plates.synthetic.plan import PlateLayout, PlatePlan

__all__ = ["LAYOUTS"]

LAYOUTS: Mapping[MadeFormat, Callable[[PlatePlan], PlateLayout]] = {
    MadeFormat.IMAGEXPRESS: ImageXpressLayout,
    MadeFormat.OME_ZARR: OmeZarrLayout,
    MadeFormat.OPERA_PHENIX: OperaPhenixLayout,
}
"""What writes a plate of each format."""
