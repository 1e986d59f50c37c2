"""What a window needs to know, do and say about plates, without a widget: nothing here imports Qt."""

import importlib
from typing import TYPE_CHECKING

from openhcs_gui_services.services.durations import duration_text, remaining_seconds, timing_text
from openhcs_gui_services.services.plate_presenter import (
    PlatePresentation,
    PlateSnapshot,
    PlateState,
    Tone,
    plate_state_of,
    present_plate,
)
from openhcs_gui_services.services.plates import (
    LogLinesAdded,
    PlateRow,
    PlatesAdded,
    PlatesChanged,
    PlatesRemoved,
    ServerState,
    ServerStateChanged,
    StatusMessage,
    WellRow,
    WellsChanged,
    WellState,
    WorkspaceEvent,
)
from openhcs_gui_services.services.progress_presenter import progress_text

if TYPE_CHECKING:
    from openhcs_gui_services.services.batch_workflow_service import (
        BatchWorkflowHost,
        BatchWorkflowService,
        CompileJob,
        PlateEnding,
        RunJob,
        SubmittedPlate,
    )
    from openhcs_gui_services.services.compilation_service import CompilationService
    from openhcs_gui_services.services.execution_host import CompilationHost, ExecutionHost
    from openhcs_gui_services.services.execution_server_status_presenter import (
        ExecutionServerStatusPresenter,
        ServerStatusPresentation,
        present_server_status,
    )
    from openhcs_gui_services.services.history_rows import HistoryRow, HistorySource, ServerHistory
    from openhcs_gui_services.services.interval_snapshot_poller import (
        CallbackIntervalSnapshotPollerPolicy,
        IntervalSnapshotPoller,
        IntervalSnapshotPollerPolicy,
    )
    from openhcs_gui_services.services.log_lines import LogLines
    from openhcs_gui_services.services.plate_config_resolver import RunSettings, resolve_run_settings
    from openhcs_gui_services.services.progress_batch_reset import reset_progress_for_batch
    from openhcs_gui_services.services.server_browser import ServerBrowser
    from openhcs_gui_services.services.server_nodes import BrowserSnapshot, ServerAddress
    from openhcs_gui_services.services.settings import WindowSettings
    from openhcs_gui_services.services.workspace import PlateWorkspace
    from openhcs_gui_services.services.zmq_client_service import ZMQClientService
    from openhcs_gui_services.services.zmq_execution_service import ZMQExecutionService

# The rest is imported when it is first used: texts and rows need nothing that talks to servers.
_HOMES = {
    "BatchWorkflowHost": "batch_workflow_service",
    "BatchWorkflowService": "batch_workflow_service",
    "BrowserSnapshot": "server_nodes",
    "CallbackIntervalSnapshotPollerPolicy": "interval_snapshot_poller",
    "CompilationHost": "execution_host",
    "CompilationService": "compilation_service",
    "CompileJob": "batch_workflow_service",
    "ExecutionHost": "execution_host",
    "ExecutionServerStatusPresenter": "execution_server_status_presenter",
    "HistoryRow": "history_rows",
    "HistorySource": "history_rows",
    "IntervalSnapshotPoller": "interval_snapshot_poller",
    "IntervalSnapshotPollerPolicy": "interval_snapshot_poller",
    "LogLines": "log_lines",
    "PlateEnding": "batch_workflow_service",
    "PlateWorkspace": "workspace",
    "RunJob": "batch_workflow_service",
    "RunSettings": "plate_config_resolver",
    "ServerAddress": "server_nodes",
    "ServerBrowser": "server_browser",
    "ServerHistory": "history_rows",
    "ServerStatusPresentation": "execution_server_status_presenter",
    "SubmittedPlate": "batch_workflow_service",
    "WindowSettings": "settings",
    "ZMQClientService": "zmq_client_service",
    "ZMQExecutionService": "zmq_execution_service",
    "present_server_status": "execution_server_status_presenter",
    "reset_progress_for_batch": "progress_batch_reset",
    "resolve_run_settings": "plate_config_resolver",
}

__all__ = [
    "BatchWorkflowHost",
    "BatchWorkflowService",
    "BrowserSnapshot",
    "CallbackIntervalSnapshotPollerPolicy",
    "CompilationHost",
    "CompilationService",
    "CompileJob",
    "ExecutionHost",
    "ExecutionServerStatusPresenter",
    "HistoryRow",
    "HistorySource",
    "IntervalSnapshotPoller",
    "IntervalSnapshotPollerPolicy",
    "LogLines",
    "LogLinesAdded",
    "PlateEnding",
    "PlatePresentation",
    "PlateRow",
    "PlateSnapshot",
    "PlateState",
    "PlateWorkspace",
    "PlatesAdded",
    "PlatesChanged",
    "PlatesRemoved",
    "RunJob",
    "RunSettings",
    "ServerAddress",
    "ServerBrowser",
    "ServerHistory",
    "ServerState",
    "ServerStateChanged",
    "ServerStatusPresentation",
    "StatusMessage",
    "SubmittedPlate",
    "Tone",
    "WellRow",
    "WellState",
    "WellsChanged",
    "WindowSettings",
    "WorkspaceEvent",
    "ZMQClientService",
    "ZMQExecutionService",
    "duration_text",
    "plate_state_of",
    "present_plate",
    "present_server_status",
    "progress_text",
    "remaining_seconds",
    "reset_progress_for_batch",
    "resolve_run_settings",
    "timing_text",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
