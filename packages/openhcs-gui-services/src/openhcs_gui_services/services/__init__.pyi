from .compat.compilation_service import (
    CompilationService as CompilationService,
)
from .compat.execution_host import (
    CompilationHost as CompilationHost,
)
from .compat.execution_host import (
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
)
from .connection.poller import (
    IntervalSnapshotPoller as IntervalSnapshotPoller,
)
from .connection.poller import (
    IntervalSnapshotPollerPolicy as IntervalSnapshotPollerPolicy,
)
from .connection.status import (
    ExecutionServerStatusPresenter as ExecutionServerStatusPresenter,
)
from .connection.status import (
    ServerStatusPresentation as ServerStatusPresentation,
)
from .connection.status import (
    present_server_status as present_server_status,
)
from .durations import (
    duration_text as duration_text,
)
from .durations import (
    remaining_seconds as remaining_seconds,
)
from .durations import (
    timing_text as timing_text,
)
from .history import (
    HistoryRow as HistoryRow,
)
from .history import (
    HistorySource as HistorySource,
)
from .history import (
    ServerHistory as ServerHistory,
)
from .log import (
    LogLines as LogLines,
)
from .plates.presenter import (
    PlatePresentation as PlatePresentation,
)
from .plates.presenter import (
    PlateSnapshot as PlateSnapshot,
)
from .plates.presenter import (
    PlateState as PlateState,
)
from .plates.presenter import (
    Tone as Tone,
)
from .plates.presenter import (
    plate_state_of as plate_state_of,
)
from .plates.presenter import (
    present_plate as present_plate,
)
from .plates.settings import (
    RunSettings as RunSettings,
)
from .plates.settings import (
    resolve_run_settings as resolve_run_settings,
)
from .plates.values import (
    LogLinesAdded as LogLinesAdded,
)
from .plates.values import (
    PlateRow as PlateRow,
)
from .plates.values import (
    PlatesAdded as PlatesAdded,
)
from .plates.values import (
    PlatesChanged as PlatesChanged,
)
from .plates.values import (
    PlatesRemoved as PlatesRemoved,
)
from .plates.values import (
    ServerState as ServerState,
)
from .plates.values import (
    ServerStateChanged as ServerStateChanged,
)
from .plates.values import (
    StatusMessage as StatusMessage,
)
from .plates.values import (
    WellRow as WellRow,
)
from .plates.values import (
    WellsChanged as WellsChanged,
)
from .plates.values import (
    WellState as WellState,
)
from .plates.values import (
    WorkspaceEvent as WorkspaceEvent,
)
from .runs.batches import (
    BatchWorkflowHost as BatchWorkflowHost,
)
from .runs.batches import (
    BatchWorkflowService as BatchWorkflowService,
)
from .runs.batches import (
    CompileJob as CompileJob,
)
from .runs.batches import (
    PlateEnding as PlateEnding,
)
from .runs.batches import (
    RunJob as RunJob,
)
from .runs.batches import (
    SubmittedPlate as SubmittedPlate,
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
)
from .servers.nodes import (
    ServerAddress as ServerAddress,
)
from .settings import (
    WindowSettings as WindowSettings,
)
