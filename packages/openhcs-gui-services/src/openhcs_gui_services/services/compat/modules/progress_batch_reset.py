"""``runs.progress_reset`` under the module name of earlier documents."""

from openhcs_gui_services.services.runs.progress_reset import reset_progress_for_batch

__all__ = ["reset_progress_for_batch"]
