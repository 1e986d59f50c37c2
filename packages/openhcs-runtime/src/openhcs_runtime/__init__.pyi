from .builtin import (
    BuiltinPipeline as BuiltinPipeline,
)
from .builtin import (
    builtin_pipeline as builtin_pipeline,
)
from .builtin import (
    builtin_source as builtin_source,
)
from .components import (
    Component as Component,
)
from .config import (
    ExecutionMode as ExecutionMode,
)
from .config import (
    GlobalConfig as GlobalConfig,
)
from .config import (
    PipelineConfig as PipelineConfig,
)
from .engine.orchestrator import (
    PipelineOrchestrator as PipelineOrchestrator,
)
from .exceptions import (
    CompileError as CompileError,
)
from .exceptions import (
    DamagedResultError as DamagedResultError,
)
from .exceptions import (
    DiskFullError as DiskFullError,
)
from .exceptions import (
    ImageError as ImageError,
)
from .exceptions import (
    LifecycleError as LifecycleError,
)
from .exceptions import (
    OmeroError as OmeroError,
)
from .exceptions import (
    OpenHCSError as OpenHCSError,
)
from .exceptions import (
    OutputError as OutputError,
)
from .exceptions import (
    PipelineError as PipelineError,
)
from .exceptions import (
    PlateError as PlateError,
)
from .exceptions import (
    RoiError as RoiError,
)
from .exceptions import (
    StepError as StepError,
)
from .exceptions import (
    ViewerError as ViewerError,
)
from .exceptions import (
    WorkerError as WorkerError,
)
from .pipeline.decorators import (
    InputKind as InputKind,
)
from .pipeline.decorators import (
    Measurements as Measurements,
)
from .pipeline.decorators import (
    OutputKind as OutputKind,
)
from .pipeline.decorators import (
    per_plane as per_plane,
)
from .pipeline.decorators import (
    reduces as reduces,
)
from .pipeline.decorators import (
    special_inputs as special_inputs,
)
from .pipeline.decorators import (
    special_outputs as special_outputs,
)
from .pipeline.source import (
    Pipeline as Pipeline,
)
from .pipeline.source import (
    load_pipeline as load_pipeline,
)
from .pipeline.step import (
    FunctionStep as FunctionStep,
)
from .pipeline.step import (
    InputSource as InputSource,
)
from .pipeline.to_source import (
    to_source as to_source,
)
from .plates import (
    make_plate as make_plate,
)
from .plates import (
    open_plate as open_plate,
)
from .results import (
    PlateResult as PlateResult,
)
from .results import (
    ResultStatus as ResultStatus,
)
from .results import (
    WellResult as WellResult,
)
from .service.client import (
    PlateExecution as PlateExecution,
)
from .service.client import (
    ZMQExecutionClient as ZMQExecutionClient,
)
from .service.remote_orchestrator import (
    RemoteOrchestrator as RemoteOrchestrator,
)
from .tasks import (
    OPENHCS_CONFIG as OPENHCS_CONFIG,
)
from .tasks import (
    CompileReport as CompileReport,
)
from .tasks import (
    PlateTask as PlateTask,
)
from .tasks import (
    TaskAction as TaskAction,
)
