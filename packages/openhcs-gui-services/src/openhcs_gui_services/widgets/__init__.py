"""PyQt6 widgets, thin on top of the services."""

from openhcs_gui_services.widgets.plate_progress_row import PlateProgressRow

__all__ = ["PlateProgressRow"]
