from .exceptions import (
    GuiServicesError as GuiServicesError,
)
from .exceptions import (
    NotOurServerError as NotOurServerError,
)
from .exceptions import (
    PipelineTextError as PipelineTextError,
)
from .exceptions import (
    ServerProcessError as ServerProcessError,
)
from .exceptions import (
    ServerStaysError as ServerStaysError,
)
from .exceptions import (
    SourceFileError as SourceFileError,
)
from .services.compat.compilation_service import (
    CompilationService as CompilationService,
)
from .services.compat.execution_host import (
    CompilationHost as CompilationHost,
)
from .services.compat.execution_host import (
    ExecutionHost as ExecutionHost,
)
from .services.compat.execution_service import (
    ZMQExecutionService as ZMQExecutionService,
)
from .services.compat.progress_text import (
    progress_text as progress_text,
)
from .services.connection.client import (
    ZMQClientService as ZMQClientService,
)
from .services.connection.poller import (
    CallbackIntervalSnapshotPollerPolicy as CallbackIntervalSnapshotPollerPolicy,
)
from .services.connection.poller import (
    IntervalSnapshotPoller as IntervalSnapshotPoller,
)
from .services.connection.poller import (
    IntervalSnapshotPollerPolicy as IntervalSnapshotPollerPolicy,
)
from .services.connection.status import (
    ExecutionServerStatusPresenter as ExecutionServerStatusPresenter,
)
from .services.connection.status import (
    ServerStatusPresentation as ServerStatusPresentation,
)
from .services.connection.status import (
    present_server_status as present_server_status,
)
from .services.durations import (
    duration_text as duration_text,
)
from .services.durations import (
    remaining_seconds as remaining_seconds,
)
from .services.durations import (
    timing_text as timing_text,
)
from .services.history import (
    HistoryRow as HistoryRow,
)
from .services.history import (
    HistorySource as HistorySource,
)
from .services.history import (
    ServerHistory as ServerHistory,
)
from .services.log import (
    LogLines as LogLines,
)
from .services.plates.presenter import (
    PlatePresentation as PlatePresentation,
)
from .services.plates.presenter import (
    PlateSnapshot as PlateSnapshot,
)
from .services.plates.presenter import (
    PlateState as PlateState,
)
from .services.plates.presenter import (
    Tone as Tone,
)
from .services.plates.presenter import (
    plate_state_of as plate_state_of,
)
from .services.plates.presenter import (
    present_plate as present_plate,
)
from .services.plates.settings import (
    RunSettings as RunSettings,
)
from .services.plates.settings import (
    resolve_run_settings as resolve_run_settings,
)
from .services.plates.values import (
    LogLinesAdded as LogLinesAdded,
)
from .services.plates.values import (
    PlateRow as PlateRow,
)
from .services.plates.values import (
    PlatesAdded as PlatesAdded,
)
from .services.plates.values import (
    PlatesChanged as PlatesChanged,
)
from .services.plates.values import (
    PlatesRemoved as PlatesRemoved,
)
from .services.plates.values import (
    ServerState as ServerState,
)
from .services.plates.values import (
    ServerStateChanged as ServerStateChanged,
)
from .services.plates.values import (
    StatusMessage as StatusMessage,
)
from .services.plates.values import (
    WellRow as WellRow,
)
from .services.plates.values import (
    WellsChanged as WellsChanged,
)
from .services.plates.values import (
    WellState as WellState,
)
from .services.plates.values import (
    WorkspaceEvent as WorkspaceEvent,
)
from .services.runs.batches import (
    BatchWorkflowHost as BatchWorkflowHost,
)
from .services.runs.batches import (
    BatchWorkflowService as BatchWorkflowService,
)
from .services.runs.batches import (
    CompileJob as CompileJob,
)
from .services.runs.batches import (
    PlateEnding as PlateEnding,
)
from .services.runs.batches import (
    RunJob as RunJob,
)
from .services.runs.batches import (
    SubmittedPlate as SubmittedPlate,
)
from .services.runs.progress_reset import (
    reset_progress_for_batch as reset_progress_for_batch,
)
from .services.runs.workspace import (
    PlateWorkspace as PlateWorkspace,
)
from .services.servers.browser import (
    ServerBrowser as ServerBrowser,
)
from .services.servers.nodes import (
    BrowserSnapshot as BrowserSnapshot,
)
from .services.servers.nodes import (
    ServerAddress as ServerAddress,
)
from .services.settings import (
    WindowSettings as WindowSettings,
)
from .widgets.history.view import (
    HistoryView as HistoryView,
)
from .widgets.log.view import (
    LogView as LogView,
)
from .widgets.pipeline.editor import (
    CodeEditor as CodeEditor,
)
from .widgets.pipeline.pane import (
    PipelinePane as PipelinePane,
)
from .widgets.pipeline.step_form import (
    StepForm as StepForm,
)
from .widgets.plates.host import (
    PlateHost as PlateHost,
)
from .widgets.plates.manager import (
    PlateManagerWidget as PlateManagerWidget,
)
from .widgets.plates.map import (
    PlateMap as PlateMap,
)
from .widgets.plates.model import (
    PlateColumn as PlateColumn,
)
from .widgets.plates.model import (
    PlateTableModel as PlateTableModel,
)
from .widgets.plates.progress_row import (
    PlateProgressRow as PlateProgressRow,
)
from .widgets.plates.table import (
    PlateTable as PlateTable,
)
from .widgets.plates.well_details import (
    WellDetails as WellDetails,
)
from .widgets.servers.browser import (
    ServerBrowserWidget as ServerBrowserWidget,
)
from .widgets.settings.dialog import (
    SettingsDialog as SettingsDialog,
)
from .window.main_window import (
    MainWindow as MainWindow,
)
