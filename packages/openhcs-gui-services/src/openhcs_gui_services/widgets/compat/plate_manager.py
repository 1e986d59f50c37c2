"""``plates.manager`` under the module name of earlier documents."""

from openhcs_gui_services.widgets.plates.manager import PlateManagerWidget

__all__ = ["PlateManagerWidget"]
