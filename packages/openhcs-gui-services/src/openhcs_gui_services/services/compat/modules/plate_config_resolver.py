"""``plates.settings`` under the module name of earlier documents."""

from openhcs_gui_services.services.plates.settings import RunSettings, resolve_run_settings

__all__ = ["RunSettings", "resolve_run_settings"]
