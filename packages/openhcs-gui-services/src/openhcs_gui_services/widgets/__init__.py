"""PyQt6 widgets, thin on top of the services. A widget is loaded when its name is first used."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openhcs_gui_services.widgets.code_editor import CodeEditor
    from openhcs_gui_services.widgets.history_view import HistoryView
    from openhcs_gui_services.widgets.log_view import LogView
    from openhcs_gui_services.widgets.main_window import MainWindow
    from openhcs_gui_services.widgets.pipeline_pane import PipelinePane
    from openhcs_gui_services.widgets.plate_host import PlateHost
    from openhcs_gui_services.widgets.plate_manager import PlateManagerWidget
    from openhcs_gui_services.widgets.plate_map import PlateMap
    from openhcs_gui_services.widgets.plate_model import PlateColumn, PlateTableModel
    from openhcs_gui_services.widgets.plate_progress_row import PlateProgressRow
    from openhcs_gui_services.widgets.plate_table import PlateTable
    from openhcs_gui_services.widgets.server_browser import ServerBrowserWidget
    from openhcs_gui_services.widgets.settings_dialog import SettingsDialog
    from openhcs_gui_services.widgets.step_form import StepForm
    from openhcs_gui_services.widgets.well_details import WellDetails

__all__ = [
    "CodeEditor",
    "HistoryView",
    "LogView",
    "MainWindow",
    "PipelinePane",
    "PlateColumn",
    "PlateHost",
    "PlateManagerWidget",
    "PlateMap",
    "PlateProgressRow",
    "PlateTable",
    "PlateTableModel",
    "ServerBrowserWidget",
    "SettingsDialog",
    "StepForm",
    "WellDetails",
]

_MODULES = {
    "CodeEditor": "code_editor",
    "HistoryView": "history_view",
    "LogView": "log_view",
    "MainWindow": "main_window",
    "PipelinePane": "pipeline_pane",
    "PlateColumn": "plate_model",
    "PlateHost": "plate_host",
    "PlateManagerWidget": "plate_manager",
    "PlateMap": "plate_map",
    "PlateProgressRow": "plate_progress_row",
    "PlateTable": "plate_table",
    "PlateTableModel": "plate_model",
    "ServerBrowserWidget": "server_browser",
    "SettingsDialog": "settings_dialog",
    "StepForm": "step_form",
    "WellDetails": "well_details",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
