from .compat.compilation_service import (
    CompilationService as CompilationService,
)
from .compat.execution_host import (
    CompilationHost as CompilationHost,
    ExecutionHost as ExecutionHost,
)
from .compat.execution_service import (
    ZMQExecutionService as ZMQExecutionService,
)
from .compat.progress_text import (
    progress_text as progress_text,
)
from .connection.client import (
    ZMQClientService as ZMQClientService,
)
from .connection.poller import (
    CallbackIntervalSnapshotPollerPolicy as CallbackIntervalSnapshotPollerPolicy,
    IntervalSnapshotPoller as IntervalSnapshotPoller,
    IntervalSnapshotPollerPolicy as IntervalSnapshotPollerPolicy,
)
from .connection.status import (
    ExecutionServerStatusPresenter as ExecutionServerStatusPresenter,
    ServerStatusPresentation as ServerStatusPresentation,
    present_server_status as present_server_status,
)
from .durations import (
    duration_text as duration_text,
    timing_text as timing_text,
)
from .history import (
    HistoryRow as HistoryRow,
    HistorySource as HistorySource,
    ServerHistory as ServerHistory,
)
from .images.overlay import (
    Overlay as Overlay,
)
from .images.reader import (
    PlateImages as PlateImages,
)
from .images.source import (
    ImagePlace as ImagePlace,
    PlateSource as PlateSource,
)
from .log import (
    LogLines as LogLines,
)
from .numbers.places import (
    ObjectPlace as ObjectPlace,
)
from .numbers.run_diff import (
    Change as Change,
    RunDifference as RunDifference,
    run_difference as run_difference,
)
from .plates.choice import (
    ChosenPreview as ChosenPreview,
    WellChoice as WellChoice,
)
from .plates.on_disk import (
    ResultsOnDisk as ResultsOnDisk,
)
from .plates.outcome import PlateOutcome as PlateOutcome, SubmittedPlate as SubmittedPlate
from .plates.presenter import (
    PlatePresentation as PlatePresentation,
    PlateSnapshot as PlateSnapshot,
    Tone as Tone,
    Trouble as Trouble,
    present_plate as present_plate,
)
from .plates.settings import (
    RunSettings as RunSettings,
    resolve_run_settings as resolve_run_settings,
)
from .plates.status import (
    PlateStatus as PlateStatus,
    plate_status_of as plate_status_of,
)
from .plates.values import (
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
from .plates.well_colours import (
    WellColours as WellColours,
)
from .runs.batches import (
    BatchWorkflowHost as BatchWorkflowHost,
    BatchWorkflowService as BatchWorkflowService,
    CompileJob as CompileJob,
    RunJob as RunJob,
)
from .runs.progress_reset import (
    reset_progress_for_batch as reset_progress_for_batch,
)
from .runs.workspace import (
    PlateWorkspace as PlateWorkspace,
)
from .servers.browser import (
    ServerBrowser as ServerBrowser,
)
from .servers.nodes import (
    BrowserSnapshot as BrowserSnapshot,
    ServerAddress as ServerAddress,
)
from .settings import (
    WindowSettings as WindowSettings,
)
from .tuning.tuner import (
    Tuner as Tuner,
)
from .tuning.values import (
    TuningRequest as TuningRequest,
    TuningResult as TuningResult,
)
