from .exceptions import (
    GuiServicesError as GuiServicesError,
    LayoutError as LayoutError,
    NoticeError as NoticeError,
    NotOurServerError as NotOurServerError,
    PipelineTextError as PipelineTextError,
    ReportFailedError as ReportFailedError,
    ServerProcessError as ServerProcessError,
    ServerStaysError as ServerStaysError,
    SourceFileError as SourceFileError,
)
from .services.compat.compilation_service import (
    CompilationService as CompilationService,
)
from .services.compat.execution_host import (
    CompilationHost as CompilationHost,
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
    IntervalSnapshotPoller as IntervalSnapshotPoller,
    IntervalSnapshotPollerPolicy as IntervalSnapshotPollerPolicy,
)
from .services.connection.status import (
    ExecutionServerStatusPresenter as ExecutionServerStatusPresenter,
    ServerStatusPresentation as ServerStatusPresentation,
    present_server_status as present_server_status,
)
from .services.durations import (
    duration_text as duration_text,
    timing_text as timing_text,
)
from .services.history import (
    HistoryRow as HistoryRow,
    HistorySource as HistorySource,
    ServerHistory as ServerHistory,
)
from .services.images.overlay import (
    Overlay as Overlay,
)
from .services.images.reader import (
    PlateImages as PlateImages,
)
from .services.images.source import (
    ImagePlace as ImagePlace,
    PlateSource as PlateSource,
)
from .services.log import (
    LogLines as LogLines,
)
from .services.numbers.places import (
    ObjectPlace as ObjectPlace,
)
from .services.numbers.run_diff import (
    Change as Change,
    RunDifference as RunDifference,
    run_difference as run_difference,
)
from .services.plates.choice import (
    ChosenPreview as ChosenPreview,
    WellChoice as WellChoice,
)
from .services.plates.on_disk import (
    ResultsOnDisk as ResultsOnDisk,
)
from .services.plates.outcome import PlateOutcome as PlateOutcome, SubmittedPlate as SubmittedPlate
from .services.plates.presenter import (
    PlatePresentation as PlatePresentation,
    PlateSnapshot as PlateSnapshot,
    Tone as Tone,
    Trouble as Trouble,
    present_plate as present_plate,
)
from .services.plates.settings import (
    RunSettings as RunSettings,
    resolve_run_settings as resolve_run_settings,
)
from .services.plates.status import (
    PlateStatus as PlateStatus,
    plate_status_of as plate_status_of,
)
from .services.plates.values import (
    BatchChanged as BatchChanged,
    BatchEnd as BatchEnd,
    BatchEnded as BatchEnded,
    BatchState as BatchState,
    LogLinesAdded as LogLinesAdded,
    PlateFacts as PlateFacts,
    PlateRow as PlateRow,
    PlatesAdded as PlatesAdded,
    PlatesChanged as PlatesChanged,
    PlatesRemoved as PlatesRemoved,
    ServerState as ServerState,
    ServerStateChanged as ServerStateChanged,
    StatusMessage as StatusMessage,
    WellsChanged as WellsChanged,
    WorkspaceEvent as WorkspaceEvent,
)
from .services.plates.well_colours import (
    WellColours as WellColours,
)
from .services.runs.batches import (
    BatchWorkflowHost as BatchWorkflowHost,
    BatchWorkflowService as BatchWorkflowService,
    CompileJob as CompileJob,
    RunJob as RunJob,
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
    ServerAddress as ServerAddress,
)
from .services.settings import (
    WindowSettings as WindowSettings,
)
from .services.tuning.tuner import (
    Tuner as Tuner,
)
from .services.tuning.values import (
    TuningRequest as TuningRequest,
    TuningResult as TuningResult,
)
from .widgets.common.task_signals import (
    TaskSignals as TaskSignals,
)
from .widgets.history.view import (
    HistoryView as HistoryView,
)
from .widgets.images.pane import (
    ImagesPane as ImagesPane,
)
from .widgets.layout.pane import (
    LayoutPane as LayoutPane,
)
from .widgets.log.view import (
    LogView as LogView,
)
from .widgets.numbers.pane import (
    NumbersPane as NumbersPane,
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
    FullPlateHost as FullPlateHost,
    PlateHost as PlateHost,
)
from .widgets.plates.manager import (
    PlateManagerWidget as PlateManagerWidget,
)
from .widgets.plates.map import (
    PlateMap as PlateMap,
)
from .widgets.plates.map_bar import (
    MapBar as MapBar,
)
from .widgets.plates.map_look import (
    MapLook as MapLook,
)
from .widgets.plates.model import (
    PlateColumn as PlateColumn,
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
from .widgets.tuning.strip import (
    TuningStrip as TuningStrip,
)
from .window.main_window import (
    MainWindow as MainWindow,
)
